// The results view: what was found, as moving cards, a map or moments, and one large viewer beside it.
// Gradio hands over a value (see tmr/demo/results_view.py) and gets events back.

import { plain, watchRequests } from "./alerts.js";
import { Clip, THEMES } from "./clip.js";
import { Libraries, progressOf } from "./libraries.js";
import { LatentMap } from "./map.js";
import { Preview } from "./preview.js";
import { Surface, View, drawsInSoftware } from "./scene.js";
import { Trim } from "./trim.js";

const FLAT = 0.0005; // a curve that rises less says nothing
const FAVORITE = "favorite"; // the tag of the star
const HISTORY = "motion-search-history"; // where the browser keeps sentences
const REMEMBERED = 50;
const LONG = 52; // letters of a name on a card
const PAGE = 12; // cards that appear at once; more come by scrolling
const KEYS = [
  ["space", "play, pause"], ["← →", "one frame back, forward"], ["i, o", "in point, out point"], ["home, end", "to the in, the out point"],
  ["j, k", "next, previous result"], ["x", "select it for the export"], ["f", "show the whole figure again"], ["/, esc", "to the sentence, and out of it"],
];
const LAYOUT = `
  <section class="results-view">
    <header class="results-head">
      <div aria-live="polite"><h2></h2><p class="note"></p><span class="confidence" hidden></span></div>
      <div class="list-tools">
        <label>sort <select class="sort" aria-label="sort">
          <option value="score">best first</option><option value="name">name</option>
          <option value="long">longest</option><option value="short">shortest</option>
        </select></label>
        <label>show <input class="filter" type="search" placeholder="name, folder, caption, tag" aria-label="show only what contains" /></label>
        <span class="working" role="status"></span>
        <span class="chosen">
          <label class="check"><input class="choose-all" type="checkbox" /> all shown</label>
          <button class="export-chosen" type="button" disabled>Export selected</button>
        </span>
      </div>
    </header>
    <div class="results-body">
      <div class="list">
        <details class="left-out" hidden>
          <summary></summary><ul></ul>
          <form class="retry">
            <label>skeleton <select name="skeleton"></select></label>
            <label>up axis <select name="up"><option>as stated</option><option>y</option><option>z</option></select></label>
            <label>frames a second <input name="fps" type="number" min="0" max="1000" step="any" placeholder="as stated" /></label>
            <button type="submit">Try the ticked files again</button>
            <p>What is given here is kept in <code>overrides.csv</code> in the folder.</p>
          </form>
        </details>
        <div class="found"></div>
      </div>
      <aside class="viewer" tabindex="0" aria-label="3D viewer">
        <div class="view"><p class="hint">drag to turn · <span class="mouse">scroll</span><span class="touch">pinch</span> to zoom</p><p class="bone" hidden></p></div>
        <svg class="curve" viewBox="0 0 1000 100" preserveAspectRatio="none" role="img"
             aria-label="how well the sentence fits over time" hidden></svg>
        <p class="flat" hidden>so short a motion fits as a whole or not at all: there is no curve</p>
        <input class="scrub" type="range" min="0" max="1" step="0.001" value="0" aria-label="time" />
        <div class="trim-place"></div>
        <div class="controls">
          <button class="play" type="button" aria-label="pause"></button>
          <output class="clock">0.0 / 0.0 s</output>
          <label>speed <select class="speed" aria-label="speed">
            <option value="0.25">¼×</option><option value="0.5">½×</option>
            <option value="1" selected>1×</option><option value="1.5">1½×</option><option value="2">2×</option>
          </select></label>
          <label class="check"><input class="loop" type="checkbox" checked /> loop</label>
          <label class="check"><input class="follow" type="checkbox" checked /> follow</label>
          <button class="reset" type="button">reset view</button>
        </div>
        <div class="exports">
          <a data-format="bvh" title="for animation software; cut from the recorded file where that is BVH">BVH</a>
          <a data-format="glb" title="in meters, animated">GLB</a>
          <a data-format="npy" title="the features, for programs">NPY</a>
          <a data-format="gif" title="for slides, 20 seconds at most">GIF</a>
          <label class="unit-of" title="of BVH that is not cut from a recorded BVH file: Maya and Unreal read centimeters, Blender meters">BVH in
            <select class="unit" aria-label="unit of BVH"><option value="cm">cm</option><option value="m">m</option></select></label>
          <label class="check"><input class="origin" type="checkbox" /> at the origin</label>
          <p class="unit-note" role="status"></p>
          <div class="next">
            <label>compare this motion <select class="compare" aria-label="compare with this motion">
              <option value="">with none</option><option value="beside">side by side with the next</option><option value="over">over the next</option>
            </select></label>
            <button class="more" type="button">More like this</button>
          </div>
        </div>
        <div class="detail">
          <button class="star" type="button" aria-pressed="false" aria-label="favorite" title="favorite">★</button>
          <h3 class="title"></h3>
          <ul class="others"></ul>
          <dl class="facts"></dl>
          <form class="tagging"><label>tags <input type="text" maxlength="400" placeholder="idle, boss fight" /></label> <button type="submit">Keep</button></form>
          <details class="keys"><summary>Keys</summary><dl>${KEYS.map(([key, does]) => `<dt>${key}</dt><dd>${does}</dd>`).join("")}</dl></details>
          <details class="words"><summary>Sentences that fit this motion</summary><ol></ol></details>
        </div>
      </aside>
    </div>
  </section>`;

/** Build the results view inside a Gradio component and keep it in step with the component's value. */
export async function mount({ element, props, watch, more, ask, manage, retry, ready }) {
  watchRequests();
  const trial = document.createElement("canvas").getContext("webgl2");
  if (!trial) {
    element.textContent = "This browser shows no 3D: switch on WebGL, or try another browser.";
    return;
  }
  const view = new ResultsView(element, props.skeleton, { more, ask, manage, retry }, drawsInSoftware(trial));
  element.resultsView = view;
  watch("value", () => view.show(props.value));
  await view.show(props.value);
  await Promise.allSettled(view.cards.map(({ item }) => view.load(item)));
  await seen();
  ready();
  view.askAddress();
}

/** Until what was last changed is on the screen. */
function seen() {
  return new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
}

class ResultsView {
  constructor(element, skeleton, { more, ask, manage, retry }, software) {
    element.innerHTML = LAYOUT;
    this.root = element.querySelector(".results-view");
    this.skeleton = skeleton;
    this.more = more;
    this.ask = ask;
    this.retry = retry;
    this.libraries = new Libraries({ manage, retry });
    this.chosen = new Set();
    this.clips = new Map();
    this.cards = [];
    this.large = new View(this.part(".view"), software);
    this.large.onframe = () => this.tick();
    this.large.onend = () => this.play(false);
    this.trim = new Trim(this.part(".trim-place"), () => this.trimmed(), (seconds) => this.look(seconds));
    this.surface = new Surface(this.large, software);
    this.reduced = window.matchMedia("(prefers-reduced-motion: reduce)");
    this.part(".retry [name=skeleton]").append(...["as stated", ...skeleton.profiles].map((name) => textNode("option", name)));
    this.listen();
    this.offerHistory();
    this.watchEncoding();
    this.play(!this.calm);
  }

  part(selector) {
    return this.root.querySelector(selector);
  }

  get theme() {
    return THEMES[document.body.classList.contains("dark") ? "dark" : "light"];
  }

  /** Whether nothing should move before it is asked to: a card then plays under the pointer. */
  get calm() {
    return this.reduced.matches;
  }

  listen() {
    this.part(".play").onclick = () => this.play(!this.large.playing);
    this.part(".scrub").oninput = (event) => {
      this.play(false);
      this.seek(Number(event.target.value));
    };
    this.part(".speed").onchange = (event) => (this.large.speed = Number(event.target.value));
    this.part(".loop").onchange = (event) => (this.large.loop = event.target.checked);
    this.part(".follow").onchange = (event) => (this.large.follow = event.target.checked);
    this.part(".reset").onclick = () => this.large.resetCamera();
    this.part(".more").onclick = () => this.more(this.inView());
    this.part(".words").ontoggle = () => this.describe();
    this.part(".curve").onclick = (event) => {
      const box = event.currentTarget.getBoundingClientRect();
      this.jump(((event.clientX - box.left) / box.width) * this.large.clip.duration);
    };
    for (const name of [".unit", ".origin"]) this.part(name).onchange = () => this.linkExports();
    for (const link of this.root.querySelectorAll("[data-format]")) link.onclick = (event) => this.exportOne(event, link);
    this.part(".sort").onchange = () => this.list();
    this.part(".filter").oninput = () => this.list();
    this.part(".choose-all").onchange = (event) => this.chooseAll(event.target.checked);
    this.part(".export-chosen").onclick = () => this.exportChosen();
    this.part(".compare").onchange = () => this.compare();
    this.part(".star").onclick = () => this.giveTags(toggled(this.item.tags, FAVORITE));
    this.part(".tagging").onsubmit = (event) => {
      event.preventDefault();
      const typed = event.target.querySelector("input").value.split(",");
      this.giveTags(this.item.tags.includes(FAVORITE) ? [...typed, FAVORITE] : typed);
    };
    this.part(".retry").onsubmit = (event) => this.tryAgain(event);
    const view = this.part(".view");
    view.onpointermove = (event) => this.nameBone(event);
    view.onpointerleave = () => (this.part(".bone").hidden = true);
    document.addEventListener("keydown", (event) => this.key(event));
    document.addEventListener("placed", () => {
      this.nameSelected();
      this.watchEncoding();
    });
    window.addEventListener("popstate", () => this.askAddress());
    this.end = new IntersectionObserver((seen) => seen.some((entry) => entry.isIntersecting) && this.showMore());
    this.reduced.onchange = () => {
      for (const { view } of this.cards) view.playing = !this.calm;
    };
    new MutationObserver(() => this.repaint()).observe(document.body, { attributeFilter: ["class"] });
  }

  key(event) {
    if (event.key === "Escape" && event.target === sentenceField()) return this.part(".viewer").focus({ preventScroll: true });
    const typing = event.target.closest?.("input:not([type=range]):not([type=checkbox]), textarea, select, [contenteditable], [role=tab], [role=slider]");
    const pressing = event.key === " " && event.target.closest?.("button, a, summary, input");
    if (typing || pressing || event.ctrlKey || event.metaKey || event.altKey || !this.large.clip) return;
    if (event.target.type === "range" && event.key.startsWith("Arrow")) return;
    const step = 1 / this.skeleton.fps;
    const actions = {
      " ": () => this.play(!this.large.playing),
      ArrowLeft: () => this.step(-step),
      ArrowRight: () => this.step(step),
      Home: () => this.seek(this.trim.in),
      End: () => this.seek(this.trim.out),
      i: () => this.trim.set(this.large.time, this.trim.out),
      o: () => this.trim.set(this.trim.in, this.large.time),
      j: () => this.neighbor(1),
      k: () => this.neighbor(-1),
      x: () => this.cards.find(({ item }) => item === this.item)?.choose.click(),
      f: () => this.large.resetCamera(),
      "/": () => sentenceField().select(),
    };
    const action = actions[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  }

  /** The card before or behind the chosen one. */
  neighbor(step) {
    const place = this.cards.findIndex(({ item }) => item === this.item) + step;
    if (place >= this.cards.length) this.showMore();
    const next = this.cards[place];
    if (!next) return;
    next.card.scrollIntoView({ block: "nearest" });
    this.select(next.item, true);
  }

  /** Show a value from the server: cards, a map, or the moments of one motion. */
  async show(value) {
    if (!value) return;
    this.value = value;
    this.root.dataset.kind = value.kind;
    this.part(".results-head h2").textContent = value.heading;
    this.part(".results-head .note").textContent = value.note;
    document.title = `${value.heading} · Motion search`;
    const scored = value.items.some(({ score }) => score !== null);
    this.part(".sort").options[0].textContent = scored ? "best first" : "all over it";
    const sure = this.part(".confidence");
    sure.hidden = !value.confidence;
    sure.textContent = value.confidence?.text ?? "";
    sure.dataset.level = value.confidence?.level ?? "";
    this.part(".filter").value = "";
    this.part(".sort").value = "score";
    this.chosen.clear();
    this.typed = sentenceField()?.value ?? "";
    this.keepAddress(value.query);
    this.remember(value.query?.q);
    this.watchEncoding();
    this.tellLeftOut(value.left_out ?? []);
    this.root.classList.toggle("empty", !value.items.length);
    this.list();
    if (value.items.length) await this.select(value.items[0]);
    if (value.kind === "moments" && value.moments.length) {
      this.trim.set(value.moments[0].start, value.moments[0].end);
      this.seek(value.moments[0].start);
    }
    this.drawCurve();
  }

  /** The files of an import that cannot be used, and why. */
  tellLeftOut(files) {
    const box = this.part(".left-out");
    box.hidden = !files.length;
    box.open = files.length > 0 && files.length <= 8;
    box.querySelector("summary").textContent = `${files.length} ${files.length === 1 ? "file was" : "files were"} left out`;
    const rows = files.map(({ file, reason }) => {
      const row = document.createElement("li");
      const label = textNode("label", "");
      const tick = Object.assign(document.createElement("input"), { type: "checkbox", value: file, checked: true });
      label.append(tick, textNode("b", `${file}:`), ` ${plain(reason)}`);
      row.append(label);
      return row;
    });
    box.querySelector("ul").replaceChildren(...rows);
  }

  /** Have files that were left out read again, with what is given about them. */
  tryAgain(event) {
    event.preventDefault();
    const files = [...this.root.querySelectorAll(".left-out li input:checked")].map((tick) => tick.value);
    const { skeleton, up, fps } = event.target.elements;
    this.retry({ library: this.value.query.library, files, skeleton: skeleton.value, up: up.value, fps: Number(fps.value) });
  }

  /** Show the items of the value again: sorted, and those that hold the text of the filter. */
  list() {
    const { value } = this;
    this.clearFound();
    const found = this.part(".found");
    if (value.kind === "map") {
      this.map = new LatentMap(found, value, (item) => this.select(item, true));
    } else if (value.kind === "moments") {
      found.append(...value.moments.map((moment, place) => this.momentRow(moment, place)));
    } else {
      const text = this.part(".filter").value.trim().toLowerCase();
      const holds = (item) => [item.key, item.file, ...item.captions, ...item.tags].join(" ").toLowerCase().includes(text);
      const orders = {
        name: (a, b) => a.key.localeCompare(b.key, undefined, { numeric: true }),
        long: (a, b) => b.seconds - a.seconds,
        short: (a, b) => a.seconds - b.seconds,
      };
      const order = orders[this.part(".sort").value];
      const items = text ? value.items.filter(holds) : [...value.items];
      this.several = new Set(value.items.map(libraryOf)).size > 1;
      this.waiting = order ? items.sort(order) : items;
      if (text && !items.length) found.append(textNode("p", `none of these ${value.items.length} has “${text}” in its name, folder, captions or tags`));
      this.showMore();
    }
    this.countChosen();
  }

  /** The next cards; the rest waits until people scroll to the end of these. */
  showMore() {
    const sentinel = this.part(".found .end");
    sentinel?.remove();
    const next = (this.waiting ?? []).splice(0, PAGE);
    this.part(".found").append(...next.map((item) => this.card(item)));
    if (!this.waiting?.length) return;
    const end = document.createElement("p");
    end.className = "end";
    this.part(".found").append(end);
    this.end.observe(end);
  }

  clearFound() {
    for (const card of this.cards) {
      this.surface.cards.delete(card.view);
      card.view.dispose();
    }
    this.cards = [];
    this.waiting = [];
    this.end.disconnect();
    this.map?.dispose();
    this.map = null;
    this.part(".found").replaceChildren();
  }

  card(item) {
    const box = document.createElement("div");
    box.className = "card-box";
    box.innerHTML = `
      <button type="button" class="card">
        <span class="preview"></span>
        <span class="caption"></span>
        <span class="tags"></span>
        <span class="meta"><span class="key"></span><span class="kind"></span></span>
        <span class="meta"><span class="badge"></span><span class="seconds"></span></span>
      </button>
      <input class="choose" type="checkbox" />`;
    const card = box.querySelector(".card");
    card.dataset.key = item.key;
    card.title = item.file;
    const badge = item.score === null ? item.badge : item.score.toFixed(2);
    card.querySelector(".badge").textContent = badge;
    card.querySelector(".badge").hidden = !badge;
    const place = placeOf(item, this.several);
    card.querySelector(".caption").textContent = item.captions[0] ?? shortened(nameOf(item));
    card.querySelector(".key").append(...inTheMiddle(item.captions.length ? `${place}${nameOf(item)}` : place));
    card.querySelector(".kind").textContent = kindOf(item);
    const [from, to] = item.moment ?? [];
    card.querySelector(".seconds").textContent = item.moment ? `${from.toFixed(1)}–${to.toFixed(1)} of ${item.seconds.toFixed(0)} s` : `${item.seconds.toFixed(1)} s`;
    card.classList.toggle("of-a-take", Boolean(item.moment));
    this.markTags(card, item);
    card.onclick = () => this.select(item, true);
    const choose = box.querySelector(".choose");
    choose.setAttribute("aria-label", `select ${item.key}`);
    choose.checked = this.chosen.has(item);
    choose.onchange = () => {
      this.chosen[choose.checked ? "add" : "delete"](item);
      this.countChosen();
    };
    const view = new Preview(card.querySelector(".preview"));
    const rest = () => (view.playing = !this.calm);
    rest();
    card.onpointerenter = card.onfocus = () => (view.playing = true);
    card.onpointerleave = card.onblur = rest;
    this.surface.cards.add(view);
    this.cards.push({ card, item, view, choose });
    card.setAttribute("aria-pressed", String(item === this.item));
    this.load(item).then(
      (clip) => this.surface.cards.has(view) && view.show(clip, this.skeleton, this.theme, item.moment),
      () => card.classList.add("failed"),
    );
    return box;
  }

  chooseAll(all) {
    const shown = [...this.cards.map(({ item }) => item), ...(this.waiting ?? [])];
    for (const item of shown) this.chosen[all ? "add" : "delete"](item);
    for (const { choose, item } of this.cards) choose.checked = this.chosen.has(item);
    this.countChosen();
  }

  countChosen() {
    const button = this.part(".export-chosen");
    button.disabled = !this.chosen.size;
    button.textContent = this.chosen.size ? `Export ${this.chosen.size} selected` : "Export selected";
    if (!this.chosen.size) this.part(".choose-all").checked = false;
  }

  /** The selected motions in one zip file, the one in the viewer as it is cut there. */
  async exportChosen() {
    const inOrder = this.value.items.filter((item) => this.chosen.has(item));
    const items = inOrder.map((item) => ({ id: item.id, score: item.score, ...this.cut(item) }));
    const body = JSON.stringify({ items, format: "bvh", unit: this.part(".unit").value, origin: this.part(".origin").checked });
    const button = this.part(".export-chosen");
    button.disabled = true;
    button.textContent = "Exporting …";
    const answer = await fetch("/api/export", { method: "POST", body, headers: { "Content-Type": "application/json" } }).catch(() => null);
    this.countChosen();
    if (answer?.ok) await keep(answer);
  }

  /** What is seen as one file: fetched here, so that a failure is told, and the unit of a BVH file. */
  async exportOne(event, link) {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    link.setAttribute("aria-busy", "true");
    const { item } = this;
    const answer = await fetch(link.href).catch(() => null);
    link.removeAttribute("aria-busy");
    if (!answer?.ok) return;
    const meters = Number(answer.headers.get("x-meters-per-unit"));
    if (meters && item === this.item) {
      const up = answer.headers.get("x-up-axis").toUpperCase();
      this.part(".unit-note").textContent = `a unit of this BVH is ${+(100 * meters).toPrecision(3)} cm, ${up} is up: in Blender, import it with scale ${+meters.toPrecision(3)}`;
    }
    await keep(answer);
  }

  momentRow(moment, place) {
    const row = document.createElement("button");
    row.type = "button";
    row.className = "moment";
    row.innerHTML = `<b></b><span></span><i></i>`;
    row.querySelector("b").textContent = `${place + 1}`;
    row.querySelector("span").textContent = `${moment.start.toFixed(1)} to ${moment.end.toFixed(1)} s`;
    row.querySelector("i").textContent = moment.fit.toFixed(2);
    row.title = "how well the sentence fits: its score, and whether actions last that long";
    row.onclick = () => {
      this.trim.set(moment.start, moment.end);
      this.jump(moment.start);
    };
    return row;
  }

  /** The clip of an item, fetched once. */
  load(item) {
    if (!this.clips.has(item.url)) {
      const clip = fetch(`${item.url}?format=joints`).then(async (answer) => {
        if (!answer.ok) throw new Error(await answer.text());
        return new Clip(await answer.arrayBuffer(), this.skeleton);
      });
      if (this.clips.size > 200) this.clips.delete(this.clips.keys().next().value);
      this.clips.set(item.url, clip);
    }
    return this.clips.get(item.url);
  }

  async select(item, byHand = false) {
    this.item = item;
    this.root.dataset.motion = item.id;
    for (const { card, item: other } of this.cards) card.setAttribute("aria-pressed", String(other === item));
    this.fill(item);
    if (byHand && !item.id.startsWith("uploads/")) document.querySelector("#moments-file [aria-label=Clear]")?.click();
    this.nameSelected();
    this.trim.show(item.seconds, item); // what is exported until the clip is there
    if (byHand && this.part(".viewer").getBoundingClientRect().top < 0) {
      this.part(".viewer").scrollIntoView({ behavior: "smooth" });
    }
    const clip = await this.load(item).catch(() => null);
    if (this.item !== item) return;
    this.part(".viewer").classList.toggle("failed", !clip);
    if (!clip) return this.large.clear();
    this.large.show(clip, this.skeleton, this.theme);
    this.trim.show(clip.duration, item);
    this.seek(this.trim.in);
    this.compare(false);
    if (byHand) this.play(true);
  }

  /** Say in the tab of moments which motion they are looked for in. */
  nameSelected() {
    const place = document.querySelector("#moments-motion .of-view");
    const { item } = this;
    if (place && item) place.textContent = `selected motion: ${item.captions[0] ?? item.key} (${item.seconds.toFixed(1)} s)`;
  }

  fill(item) {
    const [first, ...others] = item.captions;
    this.part(".title").textContent = first ?? item.key;
    this.part(".others").replaceChildren(...others.map((text) => textNode("li", text)));
    const kind = kindOf(item);
    const tags = item.tags.filter((tag) => tag !== FAVORITE);
    const mine = !item.id.startsWith("uploads/");
    this.part(".star").hidden = this.part(".tagging").hidden = !mine;
    this.part(".star").setAttribute("aria-pressed", String(item.tags.includes(FAVORITE)));
    this.part(".tagging input").value = tags.join(", ");
    const facts = {
      score: item.score?.toFixed(3),
      library: libraryOf(item),
      key: first && item.key,
      file: item.file,
      moment: item.moment && `${item.moment[0].toFixed(2)} to ${item.moment[1].toFixed(2)} s`,
      length: `${item.seconds.toFixed(2)} s`,
      source: [kind, `${+item.fps.toFixed(2)} frames a second`].filter(Boolean).join(", "),
    };
    this.part(".facts").replaceChildren(
      ...Object.entries(facts)
        .filter(([, value]) => value)
        .flatMap(([name, value]) => [textNode("dt", name), textNode("dd", value)]),
    );
    const cutFromFile = mine && kind === "BVH";
    this.part(".unit-of").hidden = cutFromFile;
    this.part(".unit-note").textContent = cutFromFile ? "BVH keeps the unit of its file" : "";
    this.linkExports();
    this.part(".words ol").replaceChildren();
    this.describe();
  }

  /** The part of a motion that is cut, in seconds of the file; nothing where that is all. */
  cut(item = this.item) {
    if (item !== this.item) return item.moment ? { start: item.start + item.moment[0], end: item.start + item.moment[1] } : {};
    if (this.trim.whole) return {};
    return { start: item.start + this.trim.in, end: item.start + this.trim.out };
  }

  /** The id of what is seen of the motion in the viewer. */
  inView() {
    const { start, end } = this.cut();
    return start === undefined ? this.item.id : `${this.item.id}#t=${start.toFixed(2)},${end.toFixed(2)}`;
  }

  trimmed() {
    Object.assign(this.part(".scrub"), { min: this.trim.from, max: this.trim.to });
    this.large.range = this.trim.whole ? null : [this.trim.in, this.trim.out];
    if (this.item) this.linkExports();
  }

  look(seconds) {
    this.play(false);
    this.seek(seconds);
  }

  linkExports() {
    const cut = Object.entries(this.cut()).map(([name, value]) => [name, value.toFixed(4)]);
    for (const link of this.root.querySelectorAll("[data-format]")) {
      const query = new URLSearchParams(cut);
      if (link.dataset.format === "bvh") {
        query.set("unit", this.part(".unit").value);
        if (this.part(".origin").checked) query.set("origin", "true");
      }
      const id = this.item.id.split("/").map(encodeURIComponent).join("/");
      link.href = `/api/motions/${id}.${link.dataset.format}${query.size ? `?${query}` : ""}`;
      link.download = "";
    }
  }

  /** Give the chosen motion tags, kept with its library. */
  async giveTags(tags) {
    const { item } = this;
    const before = item.tags;
    const show = (now) => {
      for (const { card, item: other } of this.cards) if (other.id === item.id) this.markTags(card, Object.assign(other, { tags: now }));
      item.tags = now;
      if (this.item === item) this.fill(item);
    };
    show(tags.map((tag) => tag.trim()).filter(Boolean)); // at once: the next press builds on them
    const body = JSON.stringify({ id: item.id, tags: item.tags });
    const answer = await fetch("/api/tags", { method: "POST", body, headers: { "Content-Type": "application/json" } }).catch(() => null);
    if (!answer?.ok) show(before);
    else if (body === JSON.stringify({ id: item.id, tags: item.tags })) show((await answer.json()).tags);
  }

  markTags(card, { tags }) {
    card.querySelector(".tags").textContent = tags.map((tag) => (tag === FAVORITE ? "★" : tag)).join(" · ");
  }

  /** Keep the motion in the viewer as a second figure, beside or in the place of those chosen next. */
  compare(changed = true) {
    const how = this.part(".compare").value;
    if (changed) this.kept = how ? (this.kept ?? { clip: this.large.clip, item: this.item, start: this.trim.in }) : null;
    if (!this.large.clip) return;
    this.large.compare(this.kept?.item === this.item ? null : this.kept, how);
    this.surface.state = "";
  }

  /** The name of the joint under the pointer. */
  nameBone(event) {
    const tip = this.part(".bone");
    const near = event.buttons ? null : this.large.jointAt(event);
    tip.hidden = !near;
    if (!near) return;
    tip.textContent = near.name.replaceAll("_", " ");
    tip.style.transform = `translate(${near.x + 12}px, ${near.y - 10}px)`;
  }

  /** Sentences that were searched for are offered while one is typed. */
  offerHistory() {
    const list = document.createElement("datalist");
    list.id = "sentences-before";
    this.root.append(list);
    // Gradio may make the field later than this, or anew.
    document.addEventListener("focusin", ({ target }) => {
      if (target.matches("#text input")) target.setAttribute("list", list.id);
    });
    this.history = list;
    this.remember();
  }

  remember(sentence) {
    let all = this.before ?? [];
    try {
      all = JSON.parse(localStorage.getItem(HISTORY)) ?? all;
      if (sentence) all = [sentence, ...all.filter((other) => other !== sentence)].slice(0, REMEMBERED);
      localStorage.setItem(HISTORY, JSON.stringify(all));
    } catch {
      // The browser keeps nothing: what was searched for since the page was opened is offered.
    }
    this.before = all;
    this.history.replaceChildren(...all.map((value) => Object.assign(document.createElement("option"), { value })));
  }

  /** Tell how far the moments of libraries are encoded in the background, until all are. */
  async watchEncoding() {
    clearTimeout(this.watching);
    const answer = await fetch("/api/libraries").catch(() => null);
    if (!answer?.ok) return;
    const all = await answer.json();
    this.libraries.show(all);
    const first = all.find(({ encoding }) => encoding);
    this.part(".working").textContent = first ? progressOf(first) : "";
    clearTimeout(this.watching);
    if (first) this.watching = setTimeout(() => this.watchEncoding(), 2000);
  }

  /** The address holds the sentence, so that a search can be shared and the back button works. */
  keepAddress(query) {
    if (!query || !this.opened) return; // what it holds when the page opens is to be asked first
    const wanted = `?${new URLSearchParams(query)}`;
    if (wanted !== location.search) history.pushState(null, "", wanted);
  }

  askAddress() {
    this.opened ??= this.value.query;
    const held = location.search ? Object.fromEntries(new URLSearchParams(location.search)) : this.opened;
    const { q = "", like = "", library = "" } = held;
    const now = { q: "", like: "", ...this.value.query };
    if (q !== now.q || like !== now.like || library !== now.library) this.ask({ q, like, library });
  }

  /** What a new limit applies to: the sentence that has been typed since, or else what is shown. */
  asked() {
    const field = sentenceField();
    if (field?.offsetParent && field.value !== this.typed) return [field.value, ""];
    const { q = "", like = "" } = this.value.query ?? {};
    return [q, like];
  }

  /** Fill the list of fitting sentences when it is open. */
  async describe() {
    const list = this.part(".words ol");
    const item = this.item;
    if (!this.part(".words").open || list.children.length || !item) return;
    list.replaceChildren(textNode("li", "looking …"));
    const answer = await fetch(`${item.url}?format=sentences`);
    const sentences = answer.ok ? await answer.json() : [];
    if (this.item !== item) return;
    list.replaceChildren(
      ...sentences.map(({ text, score }) => {
        const row = textNode("li", text);
        row.prepend(textNode("b", score.toFixed(2)));
        return row;
      }),
    );
  }

  play(playing) {
    if (playing && !this.large.loop && this.large.time >= this.trim.out) this.seek(this.trim.in);
    this.large.playing = playing;
    this.root.dataset.playing = playing;
    this.part(".play").setAttribute("aria-label", playing ? "pause" : "play");
  }

  seek(seconds) {
    if (!this.large.clip) return;
    this.large.time = Math.min(Math.max(seconds, 0), this.large.clip.duration);
    if (this.large.time < this.trim.from || this.large.time > this.trim.to) this.trim.include(this.large.time);
  }

  step(seconds) {
    this.play(false);
    this.seek(this.large.time + seconds);
  }

  jump(seconds) {
    if (seconds < this.trim.in || seconds > this.trim.out) this.trim.set(0, this.large.clip.duration);
    this.seek(seconds);
    this.play(true);
  }

  /** After every drawn frame: the slider, the clock and the mark on the curve follow. */
  tick() {
    const { time, clip } = this.large;
    this.part(".scrub").value = time;
    this.part(".clock").textContent = `${time.toFixed(1)} / ${clip.duration.toFixed(1)} s`;
    this.part(".now")?.setAttribute("transform", `translate(${(1000 * time) / clip.duration} 0)`);
  }

  drawCurve() {
    const svg = this.part(".curve");
    const { curve, moments = [], items } = this.value;
    const low = Math.min(...(curve ?? []));
    const range = Math.max(...(curve ?? [])) - low;
    const flat = range < FLAT;
    this.part(".flat").hidden = !curve || !flat;
    svg.toggleAttribute("hidden", !curve || flat);
    svg.replaceChildren();
    if (!curve || flat) return;
    const x = (seconds) => (1000 * seconds) / items[0].seconds;
    const y = (fit) => 92 - (84 * (fit - low)) / range;
    const line = curve.map((fit, frame) => `${(1000 * (frame + 0.5)) / curve.length},${y(fit)}`).join(" ");
    for (const moment of moments) {
      svg.append(shape("rect", { class: "span", x: x(moment.start), y: 0, width: x(moment.end - moment.start), height: 100 }));
    }
    svg.append(shape("polyline", { points: line }), shape("line", { class: "now", x1: 0, x2: 0, y1: 0, y2: 100 }));
  }

  /** New colors after a change between light and dark. */
  repaint() {
    for (const view of [this.large, ...this.surface.cards]) {
      if (!view.clip) continue;
      const { clip, time } = view;
      view.show(clip, this.skeleton, this.theme, view.part);
      view.time = time;
    }
    this.compare(false);
    this.map?.draw();
  }
}

/** Keep the file of an answer where the browser keeps downloads. */
async function keep(answer) {
  const given = answer.headers.get("content-disposition");
  const [, coded, plain] = /filename\*=utf-8''([^;]+)|filename="([^"]+)"/i.exec(given);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await answer.blob());
  link.download = coded ? decodeURIComponent(coded) : plain;
  link.click();
  URL.revokeObjectURL(link.href);
}

function sentenceField() {
  return document.querySelector("#text textarea, #text input");
}

function libraryOf(item) {
  return item.id.split("/")[0];
}

function nameOf(item) {
  return item.key.split("/").pop();
}

/** The folder of a take in its library; that before it where several are searched. */
function placeOf(item, several) {
  const folders = item.key.split("/").slice(0, -1);
  return [...(several ? [libraryOf(item)] : []), ...folders].map((name) => `${name}/`).join("");
}

function kindOf(item) {
  return item.file.includes(".") ? item.file.split(".").pop().toUpperCase() : "";
}

function shortened(name) {
  return name.length > LONG ? `${name.slice(0, LONG / 2)}…${name.slice(-LONG / 2)}` : name;
}

/** A name that is cut in its middle where room is short: takes differ at their ends. */
function inTheMiddle(name) {
  const tail = name.slice(-10);
  return [textNode("span", name.slice(0, -10)), textNode("span", tail)];
}

/** A list with a value taken out, or put in where it was not. */
function toggled(list, value) {
  return list.includes(value) ? list.filter((other) => other !== value) : [...list, value];
}

function textNode(name, text) {
  const node = document.createElement(name);
  node.textContent = text;
  return node;
}

function shape(name, attributes) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  return node;
}

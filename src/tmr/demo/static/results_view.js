// The results view: what was found, as moving cards, a map or moments, and one large viewer beside it.
// Gradio hands over a value (see tmr/demo/results_view.py) and gets events back.

import { Clip, THEMES } from "./clip.js";
import { LatentMap } from "./map.js";
import { Preview } from "./preview.js";
import { Surface, View, drawsInSoftware } from "./scene.js";

const FLAT = 0.0005; // a curve that rises less says nothing
const LAYOUT = `
  <section class="results-view">
    <header class="results-head" aria-live="polite"><h2></h2><p></p></header>
    <div class="results-body">
      <div class="found"></div>
      <aside class="viewer" tabindex="0" aria-label="3D viewer: space plays, arrow keys step">
        <div class="view"><p class="hint">drag to turn · <span class="mouse">scroll</span><span class="touch">pinch</span> to zoom</p></div>
        <svg class="curve" viewBox="0 0 1000 100" preserveAspectRatio="none" role="img"
             aria-label="how well the sentence fits over time" hidden></svg>
        <p class="flat" hidden>so short a motion fits as a whole or not at all: there is no curve</p>
        <input class="scrub" type="range" min="0" max="1" step="0.001" value="0" aria-label="time" />
        <div class="controls">
          <button class="play" type="button" aria-label="pause"></button>
          <output class="clock">0.0 / 0.0 s</output>
          <label>speed <select class="speed" aria-label="speed">
            <option value="0.25">¼×</option><option value="0.5">½×</option>
            <option value="1" selected>1×</option><option value="1.5">1½×</option><option value="2">2×</option>
          </select></label>
          <label class="check"><input class="follow" type="checkbox" checked /> follow</label>
          <button class="reset" type="button">reset view</button>
        </div>
        <div class="detail">
          <h3 class="title"></h3>
          <ul class="others"></ul>
          <dl class="facts"></dl>
          <div class="exports">
            <button class="more" type="button">More like this</button>
            <a data-format="bvh" title="for motion-capture software">BVH</a>
            <a data-format="glb" title="opens in Blender, animated">GLB</a>
            <a data-format="npy" title="the features, for programs">NPY</a>
            <a data-format="gif" title="for slides">GIF</a>
          </div>
          <details class="words"><summary>Sentences that fit this motion</summary><ol></ol></details>
        </div>
      </aside>
    </div>
  </section>`;

/** Build the results view inside a Gradio component and keep it in step with the component's value. */
export async function mount({ element, props, watch, more, ready }) {
  const trial = document.createElement("canvas").getContext("webgl2");
  if (!trial) {
    element.textContent = "This browser shows no 3D: switch on WebGL, or try another browser.";
    return;
  }
  const view = new ResultsView(element, props.skeleton, more, drawsInSoftware(trial));
  element.resultsView = view;
  watch("value", () => view.show(props.value));
  await view.show(props.value);
  await Promise.allSettled(view.cards.map(({ item }) => view.load(item)));
  await seen();
  ready();
}

/** Until what was last changed is on the screen. */
function seen() {
  return new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
}

class ResultsView {
  constructor(element, skeleton, more, software) {
    element.innerHTML = LAYOUT;
    this.root = element.querySelector(".results-view");
    this.skeleton = skeleton;
    this.more = more;
    this.clips = new Map();
    this.cards = [];
    this.large = new View(this.part(".view"), software);
    this.large.onframe = () => this.tick();
    this.surface = new Surface(this.large, software);
    this.reduced = window.matchMedia("(prefers-reduced-motion: reduce)");
    this.listen();
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
    this.part(".follow").onchange = (event) => (this.large.follow = event.target.checked);
    this.part(".reset").onclick = () => this.large.resetCamera();
    this.part(".more").onclick = () => this.more(this.item.id);
    this.part(".words").ontoggle = () => this.describe();
    this.part(".curve").onclick = (event) => {
      const box = event.currentTarget.getBoundingClientRect();
      this.jump(((event.clientX - box.left) / box.width) * this.large.clip.duration);
    };
    this.part(".viewer").onkeydown = (event) => this.key(event);
    this.reduced.onchange = () => {
      for (const { view } of this.cards) view.playing = !this.calm;
    };
    new MutationObserver(() => this.repaint()).observe(document.body, { attributeFilter: ["class"] });
  }

  key(event) {
    if (event.target !== event.currentTarget || !this.large.clip) return;
    const step = 1 / this.skeleton.fps;
    const actions = {
      " ": () => this.play(!this.large.playing),
      ArrowLeft: () => this.step(-step),
      ArrowRight: () => this.step(step),
      Home: () => this.seek(0),
      End: () => this.seek(this.large.clip.duration),
      r: () => this.large.resetCamera(),
    };
    const action = actions[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  }

  /** Show a value from the server: cards, a map, or the moments of one motion. */
  async show(value) {
    if (!value) return;
    this.value = value;
    this.root.dataset.kind = value.kind;
    this.part(".results-head h2").textContent = value.heading;
    this.part(".results-head p").textContent = value.note;
    this.clearFound();
    const found = this.part(".found");
    if (value.kind === "map") {
      this.map = new LatentMap(found, value, (item) => this.select(item, true));
    } else if (value.kind === "moments") {
      found.append(...value.moments.map((moment, place) => this.momentRow(moment, place)));
    } else {
      found.append(...value.items.map((item) => this.card(item)));
    }
    this.root.classList.toggle("empty", !value.items.length);
    if (value.items.length) await this.select(value.items[0]);
    this.drawCurve();
  }

  clearFound() {
    for (const card of this.cards) {
      this.surface.cards.delete(card.view);
      card.view.dispose();
    }
    this.cards = [];
    this.map?.dispose();
    this.map = null;
    this.part(".found").replaceChildren();
  }

  card(item) {
    const card = document.createElement("button");
    card.type = "button";
    card.className = "card";
    card.dataset.key = item.key;
    card.title = item.file;
    card.innerHTML = `
      <span class="preview"></span>
      <span class="badge"></span>
      <span class="caption"></span>
      <span class="meta"><span class="key"></span><span class="seconds"></span></span>`;
    const badge = item.score === null ? item.badge : item.score.toFixed(2);
    card.querySelector(".badge").textContent = badge;
    card.querySelector(".badge").hidden = !badge;
    card.querySelector(".caption").textContent = item.captions[0] ?? item.file;
    card.querySelector(".key").textContent = item.key;
    card.querySelector(".seconds").textContent = `${item.seconds.toFixed(1)} s`;
    card.onclick = () => this.select(item, true);
    const view = new Preview(card.querySelector(".preview"));
    const rest = () => (view.playing = !this.calm);
    rest();
    card.onpointerenter = card.onfocus = () => (view.playing = true);
    card.onpointerleave = card.onblur = rest;
    this.surface.cards.add(view);
    this.cards.push({ card, item, view });
    this.load(item).then(
      (clip) => this.surface.cards.has(view) && view.show(clip, this.skeleton, this.theme),
      () => card.classList.add("failed"),
    );
    return card;
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
    row.onclick = () => this.jump(moment.start);
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
    if (byHand && this.part(".viewer").getBoundingClientRect().top < 0) {
      this.part(".viewer").scrollIntoView({ behavior: "smooth" });
    }
    const clip = await this.load(item).catch(() => null);
    if (this.item !== item) return;
    this.part(".viewer").classList.toggle("failed", !clip);
    if (!clip) return this.large.clear();
    this.large.show(clip, this.skeleton, this.theme);
    this.part(".scrub").max = clip.duration;
    if (byHand) this.play(true);
  }

  fill(item) {
    const [first, ...others] = item.captions;
    this.part(".title").textContent = first ?? item.key;
    this.part(".others").replaceChildren(...others.map((text) => textNode("li", text)));
    const facts = { score: item.score?.toFixed(3), key: item.key, file: item.file, length: `${item.seconds.toFixed(2)} s` };
    this.part(".facts").replaceChildren(
      ...Object.entries(facts)
        .filter(([, value]) => value)
        .flatMap(([name, value]) => [textNode("dt", name), textNode("dd", value)]),
    );
    for (const link of this.root.querySelectorAll("[data-format]")) {
      link.href = `${item.url}?format=${link.dataset.format}`;
      link.download = "";
    }
    this.part(".words ol").replaceChildren();
    this.describe();
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
    this.large.playing = playing;
    this.root.dataset.playing = playing;
    this.part(".play").setAttribute("aria-label", playing ? "pause" : "play");
  }

  seek(seconds) {
    if (!this.large.clip) return;
    this.large.time = Math.min(Math.max(seconds, 0), this.large.clip.duration);
  }

  step(seconds) {
    this.play(false);
    this.seek(this.large.time + seconds);
  }

  jump(seconds) {
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
      view.show(clip, this.skeleton, this.theme);
      view.time = time;
    }
    this.map?.draw();
  }
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

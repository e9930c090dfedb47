// The part of a motion between an in and an out point, on a bar below the timeline.

const SHORTEST = 0.05; // seconds: one frame of the viewer
const AROUND = 2; // of a moment in a long take the bar shows so many times its length before and after

export class Trim {
  /** ``changed`` is called after every change, ``look`` with the time to show while one is dragged. */
  constructor(parent, changed, look) {
    this.changed = changed;
    this.look = look;
    parent.innerHTML = `
      <div class="trim">
        <div class="kept"></div><span class="from"></span><span class="to"></span>
        <button type="button" class="handle in" role="slider" aria-label="in point"></button>
        <button type="button" class="handle out" role="slider" aria-label="out point"></button>
      </div>
      <p class="trim-text"><output></output><span>frames <input class="first" type="number" aria-label="first frame" />
        to <input class="last" type="number" aria-label="last frame" /></span>
        <button type="button" class="whole" hidden>whole motion</button></p>`;
    const part = (selector) => parent.querySelector(selector);
    this.bar = part(".trim");
    this.text = part("output");
    this.all = part(".whole");
    this.all.onclick = () => this.focus(0, this.duration);
    this.ends = { from: part(".from"), to: part(".to") };
    this.handles = { in: part(".in"), out: part(".out") };
    this.frames = { in: part(".first"), out: part(".last") };
    for (const name of ["in", "out"]) this.listen(name);
    this.bar.onpointerdown = (event) => this.grab(event);
    this.bar.onpointermove = (event) => this.drag(event);
    this.in = this.out = this.duration = this.from = this.to = 0;
    this.item = { start: 0, fps: 20 };
    this.draw();
  }

  /** Begin with a whole motion, or with a moment of it: the bar then shows what is around that. */
  show(duration, item) {
    this.duration = duration;
    this.item = item;
    this.focus(...(item.moment ?? [0, duration]));
  }

  focus(start, end) {
    const around = Math.max(AROUND * (end - start), AROUND);
    [this.from, this.to] = [Math.max(start - around, 0), Math.min(end + around, this.duration)];
    this.set(start, end);
  }

  get whole() {
    return this.in <= 0 && this.out >= this.duration;
  }

  /** Both points lie on frames of the recorded file, but for the ends of the motion. */
  set(start, end) {
    const shortest = Math.min(SHORTEST, this.duration);
    const last = Math.min(Math.max(end, shortest), this.duration);
    this.in = start <= 0 ? 0 : Math.min(this.snapped(start), this.duration - shortest);
    this.out = last >= this.duration ? this.duration : Math.max(this.snapped(last), this.in + shortest);
    this.include(this.in, this.out);
  }

  /** Have the bar show these times, too. */
  include(first, last = first) {
    [this.from, this.to] = [Math.min(this.from, first), Math.max(this.to, last)];
    this.draw();
    this.changed();
  }

  snapped(seconds) {
    return this.frame(seconds) / this.item.fps - this.item.start;
  }

  /** Move one of the two points; it stays on its side of the other. */
  move(name, seconds) {
    if (name === "in") this.set(Math.min(seconds, this.out - SHORTEST), this.out);
    else this.set(this.in, Math.max(seconds, this.in + SHORTEST));
    this.look(this[name]);
  }

  listen(name) {
    this.handles[name].onkeydown = (event) => {
      const steps = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 };
      if (!steps[event.key]) return;
      event.preventDefault();
      event.stopPropagation();
      this.move(name, this[name] + steps[event.key] / this.item.fps);
    };
    this.frames[name].onchange = ({ target }) => {
      if (target.value) this.move(name, Number(target.value) / this.item.fps - this.item.start);
      this.draw();
    };
  }

  /** A handle is dragged, or the part between them; elsewhere on the bar, the nearer handle comes. */
  grab(event) {
    event.preventDefault();
    this.bar.setPointerCapture(event.pointerId);
    const at = this.at(event);
    const nearer = Math.abs(at - this.in) < Math.abs(at - this.out) ? "in" : "out";
    const between = event.target.matches(".kept") && !this.whole;
    const handle = ["in", "out"].find((name) => event.target === this.handles[name]);
    this.held = handle ?? (between ? "part" : nearer);
    this.ahead = at - this.in;
    this.handles[this.held]?.focus();
    if (!handle && !between) this.move(nearer, at);
  }

  drag(event) {
    if (!this.bar.hasPointerCapture(event.pointerId)) return;
    if (this.held !== "part") return this.move(this.held, this.at(event));
    const length = this.out - this.in;
    const start = Math.min(Math.max(this.at(event) - this.ahead, this.from), this.to - length);
    this.set(start, start + length);
    this.look(this.in);
  }

  /** The time below a pointer. */
  at(event) {
    const box = this.bar.getBoundingClientRect();
    const part = Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1);
    return this.from + part * (this.to - this.from);
  }

  /** Frames are those of the recorded file. */
  frame(seconds) {
    return Math.round((this.item.start + seconds) * this.item.fps);
  }

  draw() {
    const shown = this.to - this.from;
    const part = (seconds) => `${shown ? (100 * (seconds - this.from)) / shown : 0}%`;
    this.bar.style.setProperty("--in", part(this.in));
    this.bar.style.setProperty("--out", shown ? part(this.out) : "100%");
    const near = shown < this.duration;
    for (const name of ["from", "to"]) this.ends[name].textContent = near ? `${this[name].toFixed(1)} s` : "";
    for (const [name, handle] of Object.entries(this.handles)) {
      handle.setAttribute("aria-valuemin", "0");
      handle.setAttribute("aria-valuemax", this.duration.toFixed(2));
      handle.setAttribute("aria-valuenow", this[name].toFixed(2));
      handle.setAttribute("aria-valuetext", `${this[name].toFixed(2)} seconds, frame ${this.frame(this[name])}`);
      this.frames[name].value = this.frame(this[name]);
    }
    this.all.hidden = this.whole && !near;
    this.text.textContent = `${this.in.toFixed(2)} to ${this.out.toFixed(2)} s, ${(this.out - this.in).toFixed(2)} s long`;
  }
}

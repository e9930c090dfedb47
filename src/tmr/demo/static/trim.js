// The part of a motion between an in and an out point, on a bar below the timeline.

const SHORTEST = 0.05; // seconds: one frame of the viewer

export class Trim {
  /** ``changed`` is called after every change, ``look`` with the time to show while one is dragged. */
  constructor(parent, changed, look) {
    this.changed = changed;
    this.look = look;
    parent.innerHTML = `
      <div class="trim">
        <div class="kept"></div>
        <button type="button" class="handle in" role="slider" aria-label="in point"></button>
        <button type="button" class="handle out" role="slider" aria-label="out point"></button>
      </div>
      <p class="trim-text"><output></output><button type="button" class="whole" hidden>whole motion</button></p>`;
    this.bar = parent.querySelector(".trim");
    this.text = parent.querySelector("output");
    this.all = parent.querySelector(".whole");
    this.all.onclick = () => this.set(0, this.duration);
    this.handles = { in: parent.querySelector(".in"), out: parent.querySelector(".out") };
    for (const name of ["in", "out"]) this.listen(name);
    this.in = this.out = this.duration = 0;
    this.item = { start: 0, fps: 20 };
    this.draw();
  }

  /** Begin with a whole motion. */
  show(duration, item) {
    this.duration = duration;
    this.item = item;
    this.set(0, duration);
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
    this.draw();
    this.changed();
  }

  snapped(seconds) {
    return this.frame(seconds) / this.item.fps - this.item.start;
  }

  listen(name) {
    const handle = this.handles[name];
    const move = (seconds) => {
      if (name === "in") this.set(Math.min(seconds, this.out - SHORTEST), this.out);
      else this.set(this.in, Math.max(seconds, this.in + SHORTEST));
      this.look(this[name]);
    };
    handle.onpointerdown = (event) => {
      event.preventDefault();
      handle.focus();
      handle.setPointerCapture(event.pointerId);
    };
    handle.onpointermove = (event) => {
      if (!handle.hasPointerCapture(event.pointerId)) return;
      const box = this.bar.getBoundingClientRect();
      move(((event.clientX - box.left) / box.width) * this.duration);
    };
    handle.onkeydown = (event) => {
      const steps = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 };
      if (!steps[event.key]) return;
      event.preventDefault();
      event.stopPropagation();
      move(this[name] + steps[event.key] / this.item.fps);
    };
  }

  /** Frames are those of the recorded file. */
  frame(seconds) {
    return Math.round((this.item.start + seconds) * this.item.fps);
  }

  draw() {
    const part = (seconds) => `${this.duration ? (100 * seconds) / this.duration : 0}%`;
    this.bar.style.setProperty("--in", part(this.in));
    this.bar.style.setProperty("--out", part(this.duration ? this.out : 1));
    for (const [name, handle] of Object.entries(this.handles)) {
      handle.setAttribute("aria-valuemin", "0");
      handle.setAttribute("aria-valuemax", this.duration.toFixed(2));
      handle.setAttribute("aria-valuenow", this[name].toFixed(2));
      handle.setAttribute("aria-valuetext", `${this[name].toFixed(2)} seconds, frame ${this.frame(this[name])}`);
    }
    this.all.hidden = this.whole;
    this.text.textContent =
      `in ${this.in.toFixed(2)} s (frame ${this.frame(this.in)}) · out ${this.out.toFixed(2)} s ` +
      `(frame ${this.frame(this.out)}) · ${(this.out - this.in).toFixed(2)} s`;
  }
}

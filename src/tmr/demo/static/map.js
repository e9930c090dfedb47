// The latent map: every motion of a library as a point, near those that it resembles.

// Eight colors that stay apart for color-blind eyes (Okabe and Ito, 2008), black left out for gray.
const GROUPS = ["#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9", "#b59f00", "#8a8f98"];
const RADIUS = 4;
const REACH = 14; // pixels within which a point answers to the pointer

export class LatentMap {
  constructor(parent, value, onpick) {
    this.value = value;
    this.onpick = onpick;
    this.box = document.createElement("div");
    this.box.className = "map";
    this.box.innerHTML = `<canvas role="img" aria-label="map of the library"></canvas><p class="tip" hidden></p><ul class="legend"></ul>`;
    parent.append(this.box);
    this.canvas = this.box.querySelector("canvas");
    this.tip = this.box.querySelector(".tip");
    this.legend();
    this.canvas.onpointermove = (event) => this.hover(event);
    this.canvas.onpointerleave = () => (this.tip.hidden = true);
    this.canvas.onclick = (event) => {
      const point = this.nearest(event);
      if (point) this.onpick(point);
    };
    this.observer = new ResizeObserver(() => this.draw());
    this.observer.observe(this.canvas);
  }

  dispose() {
    this.observer.disconnect();
  }

  color(item) {
    if (item.score === null) return GROUPS[item.group];
    const [low, high] = this.value.range;
    return `hsl(${215 - 190 * ((item.score - low) / (high - low || 1))} 75% 50%)`;
  }

  legend() {
    const rows = this.value.items[0]?.score === null ? this.value.groups : [];
    this.box.querySelector(".legend").replaceChildren(
      ...rows.map((name, group) => {
        const row = document.createElement("li");
        row.textContent = name;
        row.style.setProperty("--dot", GROUPS[group]);
        return row;
      }),
    );
  }

  place(item) {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    return [width / 2 + item.x * (width / 2 - 16), height / 2 - item.y * (height / 2 - 16)];
  }

  draw() {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    const ratio = window.devicePixelRatio;
    this.canvas.width = width * ratio;
    this.canvas.height = height * ratio;
    const pen = this.canvas.getContext("2d");
    pen.scale(ratio, ratio);
    pen.globalAlpha = 0.8;
    for (const item of this.value.items) {
      pen.fillStyle = this.color(item);
      pen.beginPath();
      pen.arc(...this.place(item), RADIUS, 0, 2 * Math.PI);
      pen.fill();
    }
  }

  nearest(event) {
    let best = null;
    let shortest = REACH;
    for (const item of this.value.items) {
      const [x, y] = this.place(item);
      const distance = Math.hypot(x - event.offsetX, y - event.offsetY);
      if (distance < shortest) [best, shortest] = [item, distance];
    }
    return best;
  }

  hover(event) {
    const item = this.nearest(event);
    this.tip.hidden = !item;
    this.canvas.style.cursor = item ? "pointer" : "default";
    if (!item) return;
    const [x, y] = this.place(item);
    this.tip.textContent = item.captions[0] ?? item.file;
    this.tip.style.transform = `translate(${Math.min(x, this.canvas.clientWidth - 220)}px, ${y + 12}px)`;
  }
}

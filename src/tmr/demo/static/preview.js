// The moving skeleton of a card, on a plain 2D canvas: a fraction of the work that WebGL makes of it
// without a graphics card, and a page may hold only sixteen WebGL contexts.

import { CHEST, EYE, GROUND, HEAD, SUN, bones, radii } from "./clip.js";

const NEAREST = 4.1; // meters from the camera to the person, and as many more as show all of a motion
const FARTHEST = 9;
const FOCAL = 1 / Math.tan((16 * Math.PI) / 180); // half the height of the picture sees 16 degrees
const NEAR = 0.4;

const minus = (a, b) => [a[0] - b[0], a[1] - b[1], a[2] - b[2]];
const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
const cross = (a, b) => [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
const unit = (a) => a.map((value) => value / Math.hypot(...a));

// The camera stands still beside a person that stays in the middle; the ground moves below.
const cameraAt = (distance) => [EYE[0] * distance, CHEST + EYE[1] * distance, EYE[2] * distance];
const AHEAD = unit(minus([0, CHEST, 0], cameraAt(1)));
const RIGHT = unit(cross(AHEAD, [0, 1, 0]));
const ABOVE = cross(RIGHT, AHEAD);
const LIGHT = unit([dot(SUN, RIGHT), -dot(SUN, ABOVE), 0]); // on the screen

/** A figure that plays on a canvas inside an element. */
export class Preview {
  constructor(element) {
    this.element = element;
    this.canvas = document.createElement("canvas");
    this.canvas.setAttribute("aria-hidden", "true");
    this.pen = this.canvas.getContext("2d");
    this.time = 0;
    this.frames = 0;
    this.playing = true;
    this.drawn = null;
    this.fade = null;
    element.append(this.canvas);
  }

  /** ``part`` is what is played of the clip, in seconds: all by default. */
  show(clip, skeleton, theme, part = null) {
    this.clip = clip;
    this.part = part ?? [0, clip.duration];
    this.skeleton = skeleton;
    this.theme = theme;
    this.limbs = limbs(skeleton);
    this.radii = radii(skeleton);
    this.head = skeleton.joints.indexOf("head");
    const reach = Math.max(clip.reach.up - CHEST, CHEST - clip.reach.down, clip.reach.aside / 1.18) + 0.14;
    this.camera = cameraAt(Math.min(Math.max(NEAREST, reach * FOCAL), FARTHEST));
    this.fade = null;
    this.time = this.part[0];
    this.drawn = null;
  }

  dispose() {
    this.clip = null;
  }

  /** Let time pass, and draw what has changed; says whether anything had. */
  advance(seconds) {
    const [start, end] = this.part;
    if (this.playing && end > start) this.time = start + ((this.time - start + seconds) % (end - start));
    const { clientWidth: width, clientHeight: height } = this.element;
    const ratio = Math.min(window.devicePixelRatio, 2);
    const state = `${this.time} ${width} ${height} ${ratio}`;
    if (state === this.drawn || !width) return false;
    this.drawn = state;
    this.fit(Math.round(width * ratio), Math.round(height * ratio));
    this.draw();
    this.frames += 1;
    return true;
  }

  fit(width, height) {
    if (this.canvas.width === width && this.canvas.height === height && this.fade) return;
    this.canvas.width = width;
    this.canvas.height = height;
    this.pixel = height / 2;
    this.ratio = height / this.element.clientHeight;
    this.fade = this.makeFade();
  }

  draw() {
    const { pen, canvas, clip } = this;
    pen.clearRect(0, 0, canvas.width, canvas.height);
    this.middle = clip.middleAt(this.time);
    const at = clip.at(this.time);
    const joints = this.skeleton.joints.map((_, joint) => minus(at.subarray(3 * joint, 3 * joint + 3), this.middle));
    this.drawGround();
    this.drawTrail();
    this.drawShadow(joints);
    this.drawBody(joints);
  }

  /** Place on the canvas, and pixels of a meter there, of a point that [0, 0, 0] is the middle of. */
  project(point) {
    const seen = minus(point, this.camera);
    const scale = (FOCAL * this.pixel) / Math.max(dot(AHEAD, seen), NEAR);
    return [this.canvas.width / 2 + dot(RIGHT, seen) * scale, this.pixel - dot(ABOVE, seen) * scale, scale];
  }

  /** Add a straight line to the path: only what is in front of the camera. */
  line(start, end) {
    const [near, far] = [start, end].map((point) => dot(AHEAD, minus(point, this.camera)) - NEAR);
    if (near < 0 && far < 0) return;
    const cut = (a, b, inside) => a.map((value, axis) => value + (b[axis] - value) * inside);
    if (near < 0) start = cut(start, end, near / (near - far));
    if (far < 0) end = cut(end, start, far / (far - near));
    this.pen.moveTo(...this.project(start).slice(0, 2));
    this.pen.lineTo(...this.project(end).slice(0, 2));
  }

  drawGround() {
    const { pen } = this;
    const phase = this.middle.map((value) => value - Math.floor(value));
    pen.strokeStyle = this.theme.grid;
    pen.lineWidth = this.ratio;
    for (const [first, reach, strength] of [[0, GROUND, 1], [0.5, GROUND / 2, 0.4]]) {
      pen.beginPath();
      for (let line = first - Math.ceil(reach); line <= reach; line += 1) {
        this.line([line - phase[0], 0, -GROUND], [line - phase[0], 0, GROUND]);
        this.line([-GROUND, 0, line - phase[2]], [GROUND, 0, line - phase[2]]);
      }
      pen.globalAlpha = strength;
      pen.stroke();
    }
    pen.globalAlpha = 1;
    pen.save();
    pen.globalCompositeOperation = "destination-in";
    pen.translate(...this.fade.middle);
    pen.scale(...this.fade.size);
    pen.fillStyle = this.fade.fill;
    pen.fillRect(-9, -9, 18, 18);
    pen.restore();
  }

  /** How the ground fades away from the person: a circle of radius 1, to be stretched. */
  makeFade() {
    const away = unit([-EYE[0], 0, -EYE[2]]);
    const seen = (meters) => this.project(away.map((value) => value * meters));
    const [x, y, scale] = seen(0);
    const high = y - seen(GROUND)[1];
    const fill = this.pen.createRadialGradient(0, 0, 0, 0, 0, 1);
    for (const part of [0, 0.15, 0.3, 0.5, 0.75, 1]) {
      fill.addColorStop((y - seen(part * GROUND)[1]) / high, `rgb(0 0 0 / ${1 - part})`);
    }
    return { middle: [x, y], size: [0.6 * GROUND * scale, high], fill };
  }

  drawTrail() {
    const { pen, clip } = this;
    const done = Math.floor(this.time * clip.fps);
    const place = (frame) => {
      const first = 3 * clip.joints * frame;
      return minus([clip.millimeters[first] / 1000, 0, clip.millimeters[first + 2] / 1000], this.middle);
    };
    pen.strokeStyle = this.theme.trail;
    pen.lineJoin = pen.lineCap = "round";
    pen.lineWidth = 0.04 * this.project([0, 0, 0])[2];
    for (const [last, strength] of [[clip.frames - 1, 0.3], [done, 1]]) {
      pen.beginPath();
      for (let frame = 0; frame < last; frame += 2) this.line(place(frame), place(Math.min(frame + 2, last)));
      pen.globalAlpha = strength;
      pen.stroke();
    }
    pen.globalAlpha = 1;
  }

  drawShadow(joints) {
    const { pen } = this;
    const cast = ([x, y, z]) => this.project([x - (SUN[0] / SUN[1]) * y, 0, z - (SUN[2] / SUN[1]) * y]);
    pen.strokeStyle = this.theme.shadow;
    for (const [parent, joint] of this.limbs.flat()) {
      const [ax, ay] = cast(joints[parent]);
      const [bx, by, scale] = cast(joints[joint]);
      pen.beginPath();
      pen.lineWidth = 1.5 * scale * (joint === this.head ? HEAD[0] : this.radii[joint]);
      pen.moveTo(ax, ay);
      pen.lineTo(bx, by);
      pen.stroke();
    }
  }

  /** The limbs from far to near, each a dark rim, its color, and a light streak towards the sun. */
  drawBody(joints) {
    const { pen } = this;
    const depth = (limb) => limb.reduce((sum, [, joint]) => sum + dot(AHEAD, joints[joint]), 0) / limb.length;
    for (const limb of [...this.limbs].sort((a, b) => depth(b) - depth(a))) {
      const color = this.theme[this.skeleton.sides[limb[0][1]]];
      const bones = limb.map(([parent, joint]) => this.bone(joints[parent], joints[joint], joint));
      for (const [width, shift, tone] of [[2, 0, mix(color, "#000000", 0.32)], [1.6, 0.12, color], [0.6, 0.35, mix(color, "#ffffff", 0.2)]]) {
        pen.strokeStyle = tone;
        for (const { from, to, radius } of bones) {
          pen.beginPath();
          pen.lineWidth = width * radius;
          pen.moveTo(from[0] + LIGHT[0] * shift * radius, from[1] + LIGHT[1] * shift * radius);
          pen.lineTo(to[0] + LIGHT[0] * shift * radius, to[1] + LIGHT[1] * shift * radius);
          pen.stroke();
        }
      }
    }
  }

  /** A bone on the canvas; that of the head is as thick as the head, and goes on through it. */
  bone(start, end, joint) {
    if (joint !== this.head) {
      const to = this.project(end);
      return { from: this.project(start), to, radius: this.radii[joint] * to[2] };
    }
    const along = unit(minus(end, start));
    const on = (meters) => this.project(end.map((value, axis) => value + meters * along[axis]));
    const to = on(0.05 + HEAD[1] - HEAD[0]);
    return { from: on(0.05 - HEAD[1] + HEAD[0]), to, radius: HEAD[0] * to[2] };
  }
}

/** The bones in chains of one color: trunk, arms and legs. */
function limbs(skeleton) {
  const chains = new Map();
  for (const [parent, joint] of bones(skeleton)) {
    const goes = parent > 0 && skeleton.sides[parent] === skeleton.sides[joint];
    const chain = goes ? chains.get(parent) : [];
    chain.push([parent, joint]);
    chains.set(joint, chain);
  }
  return [...new Set(chains.values())];
}

const mixed = new Map();

/** A color that lies between two, both as #rrggbb. */
function mix(from, to, part) {
  const name = from + to + part;
  if (!mixed.has(name)) {
    const channel = (color, place) => parseInt(color.slice(place, place + 2), 16);
    const parts = [1, 3, 5].map((place) => Math.round(channel(from, place) * (1 - part) + channel(to, place) * part));
    mixed.set(name, `rgb(${parts.join(" ")})`);
  }
  return mixed.get(name);
}

// A motion in the browser, and what its pictures in the cards and in the viewer share.

export const THEMES = {
  light: { left: "#e07a1f", right: "#2878b5", trunk: "#565d68", shadow: "#d3d9e1", grid: "#a3afbf", trail: "#2a9d8f" },
  dark: { left: "#f2994a", right: "#56a8e3", trunk: "#c3cad4", shadow: "#10151d", grid: "#4a586d", trail: "#3fc1b0" },
};

// Radii in meters: of limbs, by the joint at their end, and of the head.
const LIMB = 0.042;
const THICK = { spine1: 0.098, spine2: 0.1, spine3: 0.108, neck: 0.05, left_hip: 0.085, right_hip: 0.085, left_knee: 0.062, right_knee: 0.062, left_collar: 0.075, right_collar: 0.075, left_shoulder: 0.055, right_shoulder: 0.055, left_wrist: 0.034, right_wrist: 0.034 };
export const HEAD = [0.088, 0.122, 0.1];
export const SUN = [0.5, 1.6, 0.45]; // towards it
export const EYE = [0.5, 0.3, 0.81]; // from the person towards the camera
export const CHEST = 0.86; // height that the camera looks at
export const GROUND = 7; // meters from the person to where the ground has faded

/** Pairs of joints with a limb between them. */
export function bones(skeleton) {
  return skeleton.parents.map((parent, joint) => [parent, joint]).filter(([parent]) => parent >= 0);
}

/** How thick the limb is that ends in each joint. */
export function radii(skeleton) {
  return skeleton.joints.map((name) => THICK[name] ?? LIMB);
}

/** A clip: joint positions at a fixed rate, any time between two frames by linear interpolation. */
export class Clip {
  constructor(buffer, skeleton) {
    this.millimeters = new Int16Array(buffer);
    this.joints = skeleton.joints.length;
    this.fps = skeleton.fps;
    this.frames = this.millimeters.length / (3 * this.joints);
    this.duration = (this.frames - 1) / this.fps;
    this.now = new Float32Array(3 * this.joints);
    this.middles = this.smoothPath(this.fps / 2);
    this.reach = this.extent();
  }

  /** Joint positions in meters at a time in seconds. */
  at(seconds) {
    const [frame, next, part] = this.between(seconds);
    const size = this.now.length;
    for (let i = 0; i < size; i++) {
      const here = this.millimeters[frame * size + i];
      this.now[i] = (here * (1 - part) + this.millimeters[next * size + i] * part) / 1000;
    }
    return this.now;
  }

  /** Where a calm camera looks at a time: the pelvis on the ground, smoothed, [x, 0, z]. */
  middleAt(seconds) {
    const [frame, next, part] = this.between(seconds);
    const mix = (axis) => this.middles[2 * frame + axis] * (1 - part) + this.middles[2 * next + axis] * part;
    return [mix(0), 0, mix(1)];
  }

  /** The frames before and behind a time, and how far it is from the one to the other. */
  between(seconds) {
    const place = Math.min(Math.max(seconds, 0), this.duration) * this.fps;
    const frame = Math.min(Math.floor(place), Math.max(this.frames - 2, 0));
    return [frame, Math.min(frame + 1, this.frames - 1), place - frame];
  }

  /** How far the body ever is from where the camera looks: meters up, down and aside. */
  extent() {
    const reach = { up: 0, down: 0, aside: 0 };
    for (let frame = 0; frame < this.frames; frame++) {
      for (let joint = 0; joint < this.joints; joint++) {
        const first = 3 * (this.joints * frame + joint);
        const [x, y, z] = [0, 1, 2].map((axis) => this.millimeters[first + axis] / 1000);
        reach.up = Math.max(reach.up, y);
        reach.down = Math.min(reach.down, y);
        reach.aside = Math.max(reach.aside, Math.hypot(x - this.middles[2 * frame], z - this.middles[2 * frame + 1]));
      }
    }
    return reach;
  }

  smoothPath(reach) {
    const middles = new Float32Array(2 * this.frames);
    for (let frame = 0; frame < this.frames; frame++) {
      const from = Math.max(0, frame - reach);
      const to = Math.min(this.frames - 1, frame + reach);
      for (let other = from; other <= to; other++) {
        middles[2 * frame] += this.millimeters[other * 3 * this.joints] / 1000 / (to - from + 1);
        middles[2 * frame + 1] += this.millimeters[other * 3 * this.joints + 2] / 1000 / (to - from + 1);
      }
    }
    return middles;
  }
}

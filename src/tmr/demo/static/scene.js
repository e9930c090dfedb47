// Skeletons in 3D: one renderer draws every view of the page through scissor viewports, because a
// page may hold only sixteen WebGL contexts. Metres, Y up, as in the motion files.

import * as THREE from "./vendor/three.module.min.js";
import { OrbitControls } from "./vendor/OrbitControls.js";

export const THEMES = {
  light: { left: "#e07a1f", right: "#2878b5", trunk: "#565d68", shadow: "#d3d9e1", grid: "#a3afbf", trail: "#2a9d8f" },
  dark: { left: "#f2994a", right: "#56a8e3", trunk: "#c3cad4", shadow: "#10151d", grid: "#4a586d", trail: "#3fc1b0" },
};

const LIMB = 0.042; // radius in metres
const THICK = { spine1: 0.098, spine2: 0.1, spine3: 0.108, neck: 0.05, left_hip: 0.085, right_hip: 0.085, left_knee: 0.062, right_knee: 0.062, left_collar: 0.075, right_collar: 0.075, left_shoulder: 0.055, right_shoulder: 0.055, left_wrist: 0.034, right_wrist: 0.034 };
const HEAD = new THREE.Vector3(0.088, 0.122, 0.1);
const SUN = new THREE.Vector3(0.5, 1.6, 0.45);
const UP = new THREE.Vector3(0, 1, 0);
const FRAME = 1000 / 45; // milliseconds between frames at least: the motions have 20 a second
const GROUND = 7; // metres from the person to where the ground has faded
const DISC = new THREE.CircleGeometry(GROUND, 48).rotateX(-Math.PI / 2);
// Without a graphics card every triangle counts: small previews and shadows need few.
const SHAPES = { fine: shapes(12, 12, 8), coarse: shapes(8, 8, 5), shadow: shapes(5, 6, 3) };

/** A limb of so many sides, and a joint of so many meridians and parallels. */
function shapes(sides, meridians, parallels) {
  return {
    limb: new THREE.CylinderGeometry(1, 1, 1, sides, 1, true),
    ball: new THREE.SphereGeometry(1, meridians, parallels),
  };
}

/** Whether the browser draws without a graphics card, given any of its WebGL contexts. */
export function drawsInSoftware(gl) {
  const info = gl.getExtension("WEBGL_debug_renderer_info");
  return Boolean(info) && /swiftshader|llvmpipe|software|basic render/i.test(gl.getParameter(info.UNMASKED_RENDERER_WEBGL));
}

/** A clip: joint positions at a fixed rate, any time between two frames by linear interpolation. */
export class Clip {
  constructor(buffer, skeleton) {
    this.millimetres = new Int16Array(buffer);
    this.joints = skeleton.joints.length;
    this.fps = skeleton.fps;
    this.frames = this.millimetres.length / (3 * this.joints);
    this.duration = (this.frames - 1) / this.fps;
    this.now = new Float32Array(3 * this.joints);
    this.middles = this.smoothPath(this.fps / 2);
  }

  /** Joint positions in metres at a time in seconds. */
  at(seconds) {
    const place = Math.min(Math.max(seconds, 0), this.duration) * this.fps;
    const frame = Math.min(Math.floor(place), Math.max(this.frames - 2, 0));
    const part = this.frames > 1 ? place - frame : 0;
    const size = this.now.length;
    const here = frame * size;
    const next = this.frames > 1 ? here + size : here;
    for (let i = 0; i < size; i++) {
      this.now[i] = (this.millimetres[here + i] * (1 - part) + this.millimetres[next + i] * part) / 1000;
    }
    return this.now;
  }

  /** Where a calm camera looks at a time: the pelvis on the ground, smoothed. */
  middleAt(seconds, target) {
    const place = Math.min(Math.max(seconds, 0), this.duration) * this.fps;
    const frame = Math.min(Math.floor(place), Math.max(this.frames - 2, 0));
    const next = Math.min(frame + 1, this.frames - 1);
    const part = place - frame;
    const mix = (axis) => this.middles[2 * frame + axis] * (1 - part) + this.middles[2 * next + axis] * part;
    return target.set(mix(0), 0, mix(1));
  }

  smoothPath(reach) {
    const middles = new Float32Array(2 * this.frames);
    for (let frame = 0; frame < this.frames; frame++) {
      const from = Math.max(0, frame - reach);
      const to = Math.min(this.frames - 1, frame + reach);
      for (let other = from; other <= to; other++) {
        middles[2 * frame] += this.millimetres[other * 3 * this.joints] / 1000 / (to - from + 1);
        middles[2 * frame + 1] += this.millimetres[other * 3 * this.joints + 2] / 1000 / (to - from + 1);
      }
    }
    return middles;
  }
}

/** A body of limbs and joints, its shadow on the ground, and the path of its pelvis. */
class Figure {
  constructor(clip, skeleton, theme, detail) {
    this.clip = clip;
    this.skeleton = skeleton;
    this.bones = skeleton.parents.map((parent, joint) => [parent, joint]).filter(([parent]) => parent >= 0);
    this.radii = skeleton.joints.map((name) => THICK[name] ?? LIMB);
    const surface = new THREE.MeshLambertMaterial({ color: "#ffffff" });
    const shade = new THREE.MeshBasicMaterial({ color: theme.shadow });
    this.limbs = new THREE.InstancedMesh(SHAPES[detail].limb, surface, this.bones.length);
    this.balls = new THREE.InstancedMesh(SHAPES[detail].ball, surface, skeleton.joints.length);
    const group = new THREE.Group();
    for (const [mesh, outline] of [[this.limbs, SHAPES.shadow.limb], [this.balls, SHAPES.shadow.ball]]) {
      mesh.frustumCulled = false;
      const shadow = new THREE.InstancedMesh(outline, shade, mesh.count);
      shadow.instanceMatrix = mesh.instanceMatrix;
      shadow.frustumCulled = false;
      shadow.matrixAutoUpdate = false;
      shadow.matrix.set(1, -SUN.x / SUN.y, 0, 0, 0, 0, 0, 0.004, 0, -SUN.z / SUN.y, 1, 0, 0, 0, 0, 1);
      group.add(mesh, shadow);
    }
    this.paint(theme);
    this.trail = trail(clip, theme);
    group.add(...this.trail);
    this.group = group;
  }

  paint(theme) {
    const colour = new THREE.Color();
    const side = (joint) => theme[this.skeleton.sides[joint]];
    this.bones.forEach(([, joint], i) => this.limbs.setColorAt(i, colour.set(side(joint))));
    this.skeleton.joints.forEach((_, joint) => this.balls.setColorAt(joint, colour.set(side(joint))));
  }

  /** Put the body where it is at a time in seconds. */
  pose(seconds) {
    const at = this.clip.at(seconds);
    const matrix = new THREE.Matrix4();
    const turn = new THREE.Quaternion();
    const size = new THREE.Vector3();
    const start = new THREE.Vector3();
    const end = new THREE.Vector3();
    const along = new THREE.Vector3();
    this.bones.forEach(([parent, joint], i) => {
      start.fromArray(at, 3 * parent);
      end.fromArray(at, 3 * joint);
      along.subVectors(end, start);
      const length = along.length();
      turn.setFromUnitVectors(UP, along.divideScalar(Math.max(length, 1e-6)));
      size.set(this.radii[joint], length, this.radii[joint]);
      this.limbs.setMatrixAt(i, matrix.compose(start.lerp(end, 0.5), turn, size));
    });
    const head = this.skeleton.joints.indexOf("head");
    this.skeleton.joints.forEach((_, joint) => {
      start.fromArray(at, 3 * joint);
      if (joint === head) {
        end.fromArray(at, 3 * this.skeleton.parents[joint]);
        turn.setFromUnitVectors(UP, along.subVectors(start, end).normalize());
        matrix.compose(start.addScaledVector(along, 0.05), turn, HEAD);
      } else {
        const radius = 0.985 * this.radii[joint]; // just inside the limb, or the two would flicker
        matrix.makeScale(radius, radius, radius).setPosition(start);
      }
      this.balls.setMatrixAt(joint, matrix);
    });
    this.limbs.instanceMatrix.needsUpdate = true;
    this.balls.instanceMatrix.needsUpdate = true;
    const done = Math.floor(Math.min(seconds, this.clip.duration) * this.clip.fps);
    this.trail[1].geometry.setDrawRange(0, 6 * done);
  }

  dispose() {
    this.group.traverse((node) => {
      if (node.isInstancedMesh) node.dispose();
      else node.geometry?.dispose();
      node.material?.dispose();
    });
  }
}

/** Two flat ribbons along the path of the pelvis: the whole path, faint, and the part done. */
function trail(clip, theme) {
  const places = new Float32Array(6 * clip.frames);
  const triangles = [];
  for (let frame = 0; frame < clip.frames; frame++) {
    const root = (f) => {
      const first = 3 * clip.joints * Math.min(Math.max(f, 0), clip.frames - 1);
      return [clip.millimetres[first] / 1000, clip.millimetres[first + 2] / 1000];
    };
    const [x, z] = root(frame);
    const [ax, az] = root(frame - 1);
    const [bx, bz] = root(frame + 1);
    const length = Math.hypot(bx - ax, bz - az);
    const [sx, sz] = length > 1e-4 ? [(az - bz) / length, (bx - ax) / length] : [1, 0];
    places.set([x + 0.02 * sx, 0.008, z + 0.02 * sz, x - 0.02 * sx, 0.008, z - 0.02 * sz], 6 * frame);
    if (frame > 0) {
      const i = 2 * frame;
      triangles.push(i - 2, i - 1, i, i, i - 1, i + 1);
    }
  }
  return [0.3, 1].map((opacity) => {
    const ribbon = new THREE.BufferGeometry();
    ribbon.setAttribute("position", new THREE.BufferAttribute(places, 3));
    ribbon.setIndex(triangles);
    const material = new THREE.MeshBasicMaterial({ color: theme.trail, opacity, transparent: opacity < 1, side: THREE.DoubleSide });
    const mesh = new THREE.Mesh(ribbon, material);
    mesh.frustumCulled = false;
    return mesh;
  });
}

/** A disc under the person with lines every half metre, stronger every metre, fading outwards. */
function ground(theme) {
  const material = new THREE.ShaderMaterial({
    uniforms: { colour: { value: new THREE.Color(theme.grid).convertLinearToSRGB() } },
    vertexShader: `
      varying vec2 place;
      varying float away;
      void main() {
        vec4 world = modelMatrix * vec4(position, 1.0);
        place = world.xz;
        away = length(position.xz) / ${GROUND.toFixed(1)};
        gl_Position = projectionMatrix * viewMatrix * world;
      }`,
    fragmentShader: `
      uniform vec3 colour;
      varying vec2 place;
      varying float away;
      float lines(vec2 at) {
        vec2 distance = abs(fract(at - 0.5) - 0.5) / fwidth(at);
        return 1.0 - min(min(distance.x, distance.y), 1.0);
      }
      void main() {
        float strength = max(lines(place), 0.4 * lines(2.0 * place)) * (1.0 - away);
        gl_FragColor = vec4(colour * strength, strength);
      }`,
    transparent: true,
    premultipliedAlpha: true,
    blending: THREE.CustomBlending,
    blendSrc: THREE.OneFactor,
    blendDst: THREE.OneMinusSrcAlphaFactor,
    depthWrite: false,
  });
  return new THREE.Mesh(DISC, material);
}

/** What one element of the page shows: a figure on a ground grid, seen by a camera. */
export class View {
  constructor(element, { orbit = false } = {}) {
    this.element = element;
    this.scene = new THREE.Scene();
    this.camera = new THREE.PerspectiveCamera(32, 1, 0.1, 40);
    this.middle = new THREE.Vector3();
    this.time = 0;
    this.speed = 1;
    this.playing = true;
    this.follow = true;
    const sun = new THREE.DirectionalLight("#ffffff", 1.9);
    sun.position.copy(SUN);
    this.scene.add(sun, new THREE.HemisphereLight("#ffffff", "#9aa3af", 1.9));
    if (orbit) {
      this.controls = new OrbitControls(this.camera, element);
      this.controls.enableDamping = true;
      this.controls.minDistance = 1;
      this.controls.maxDistance = 14;
      this.controls.maxPolarAngle = 0.49 * Math.PI;
    }
    this.resetCamera();
  }

  show(clip, skeleton, theme) {
    this.clear();
    this.clip = clip;
    this.ground = ground(theme);
    this.figure = new Figure(clip, skeleton, theme, this.controls ? "fine" : "coarse");
    this.scene.add(this.ground, this.figure.group);
    this.middle.set(0, 0, 0);
    this.time = 0;
    this.clip.middleAt(0, this.middle);
    this.resetCamera();
  }

  clear() {
    if (!this.figure) return;
    this.scene.remove(this.ground, this.figure.group);
    this.ground.material.dispose();
    this.figure.dispose();
    this.figure = this.clip = null;
  }

  dispose() {
    this.clear();
    this.controls?.dispose();
  }

  resetCamera() {
    const distance = this.controls ? 4.4 : 4.1;
    this.camera.position.set(0.5, 0.3, 0.81).multiplyScalar(distance).add(this.middle).setY(0.86 + 0.3 * distance);
    this.camera.lookAt(this.middle.x, 0.86, this.middle.z);
    this.controls?.target.set(this.middle.x, 0.86, this.middle.z);
  }

  /** Let time pass, or stay where it is, and put everything in its place. */
  advance(seconds) {
    if (this.playing) {
      this.time += seconds * this.speed;
      if (this.time > this.clip.duration) this.time = this.clip.duration > 0 ? this.time % this.clip.duration : 0;
    }
    if (this.follow) {
      const before = this.middle.clone();
      const moved = this.clip.middleAt(this.time, this.middle).clone().sub(before);
      this.camera.position.add(moved);
      this.controls?.target.add(moved);
    }
    this.ground.position.copy(this.middle);
    this.controls?.update();
  }
}

/** The one canvas above the views: it covers the visible part of its frame and nothing else. */
export class Surface {
  constructor(frame, software) {
    this.frame = frame;
    this.views = new Set();
    this.frames = 0;
    this.cost = 0;
    this.state = [];
    this.canvas = document.createElement("canvas");
    this.canvas.className = "surface";
    this.canvas.setAttribute("aria-hidden", "true");
    frame.append(this.canvas);
    this.renderer = new THREE.WebGLRenderer({ canvas: this.canvas, antialias: !software, alpha: true });
    this.renderer.setPixelRatio(software ? 1 : Math.min(window.devicePixelRatio, 2));
    this.renderer.setScissorTest(true);
    this.last = performance.now();
    this.renderer.setAnimationLoop((now) => this.draw(now));
  }

  draw(now) {
    if (now - this.last < Math.max(FRAME, 2 * this.cost)) return; // half the time is the page's
    const begin = performance.now();
    const seconds = Math.min((now - this.last) / 1000, 0.25); // a hidden page does not race on
    this.last = now;
    const frame = this.frame.getBoundingClientRect();
    const top = Math.max(frame.top, 0);
    const bottom = Math.min(frame.bottom, window.innerHeight);
    if (bottom <= top || !frame.width) return;
    const visible = [];
    for (const view of this.views) {
      if (!view.figure) continue;
      const box = view.element.getBoundingClientRect();
      if (box.bottom <= top || box.top >= bottom || !box.width) continue;
      view.advance(seconds);
      visible.push({ view, box });
    }
    if (!this.changed(frame, top, bottom, visible)) return;
    this.fit(Math.round(frame.width), Math.round(bottom - top));
    this.canvas.style.transform = `translateY(${top - frame.top}px)`;
    this.renderer.setScissor(0, 0, this.width, this.height);
    this.renderer.clear();
    for (const { view, box } of visible) {
      view.figure.pose(view.time);
      view.camera.aspect = box.width / box.height;
      view.camera.updateProjectionMatrix();
      const left = box.left - frame.left;
      const low = bottom - box.bottom;
      this.renderer.setViewport(left, low, box.width, box.height);
      this.renderer.setScissor(left, Math.max(low, 0), box.width, Math.min(box.bottom, bottom) - Math.max(box.top, top));
      this.renderer.render(view.scene, view.camera);
      view.onframe?.();
    }
    this.frames += 1;
    this.cost = performance.now() - begin;
  }

  /** Whether the next frame would differ from the last: nothing is drawn while all stands still. */
  changed(frame, top, bottom, visible) {
    const state = [frame.left, frame.top, frame.width, top, bottom, window.devicePixelRatio];
    for (const { view, box } of visible) {
      state.push(view.figure.group.id, view.time, box.left, box.top, box.width, box.height);
      state.push(...view.camera.position.toArray(), ...view.camera.quaternion.toArray());
    }
    const same = state.length === this.state.length && state.every((value, i) => value === this.state[i]);
    this.state = state;
    return !same;
  }

  fit(width, height) {
    if (this.width === width && this.height === height) return;
    this.width = width;
    this.height = height;
    this.renderer.setSize(width, height);
  }
}

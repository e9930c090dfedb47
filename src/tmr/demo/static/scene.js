// The large viewer in 3D. Meters, Y up, as in the motion files.

import * as THREE from "./vendor/three.module.min.js";
import { OrbitControls } from "./vendor/OrbitControls.js";
import { CHEST, EYE, GROUND, HEAD, SUN, bones, radii } from "./clip.js";

const UP = new THREE.Vector3(0, 1, 0);
const FRAME = 15; // milliseconds between frames at least
const DISC = new THREE.CircleGeometry(GROUND, 48).rotateX(-Math.PI / 2);
const DISTANCE = 4.4;
const BESIDE = 1.3; // meters between two motions side by side
const REACH = 16; // pixels within which a joint answers to the pointer
// Without a graphics card every triangle counts, and shadows need few.
const SHAPES = { fine: shapes(20, 20, 14), coarse: shapes(12, 12, 8), shadow: shapes(5, 6, 3) };

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

/** A body of limbs and joints, its shadow on the ground, and the path of its pelvis. */
class Figure {
  constructor(clip, skeleton, theme, detail) {
    this.clip = clip;
    this.skeleton = skeleton;
    this.bones = bones(skeleton);
    this.radii = radii(skeleton);
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
      shadow.matrix.set(1, -SUN[0] / SUN[1], 0, 0, 0, 0, 0, 0.004, 0, -SUN[2] / SUN[1], 1, 0, 0, 0, 0, 1);
      group.add(mesh, shadow);
    }
    this.paint(theme);
    this.trail = trail(clip, theme);
    group.add(...this.trail);
    this.group = group;
  }

  /** Make it a pale second figure. */
  fade() {
    for (const mesh of [this.limbs, this.balls]) {
      mesh.material.transparent = true;
      mesh.material.opacity = 0.55;
    }
  }

  paint(theme) {
    const color = new THREE.Color();
    const side = (joint) => theme[this.skeleton.sides[joint]];
    this.bones.forEach(([, joint], i) => this.limbs.setColorAt(i, color.set(side(joint))));
    this.skeleton.joints.forEach((_, joint) => this.balls.setColorAt(joint, color.set(side(joint))));
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
        matrix.compose(start.addScaledVector(along, 0.05), turn, size.fromArray(HEAD));
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
      return [clip.millimeters[first] / 1000, clip.millimeters[first + 2] / 1000];
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

/** A disc under the person with lines every half meter, stronger every meter, fading outwards. */
function ground(theme) {
  const material = new THREE.ShaderMaterial({
    uniforms: { color: { value: new THREE.Color(theme.grid).convertLinearToSRGB() } },
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
      uniform vec3 color;
      varying vec2 place;
      varying float away;
      float lines(vec2 at) {
        vec2 distance = abs(fract(at - 0.5) - 0.5) / fwidth(at);
        return 1.0 - min(min(distance.x, distance.y), 1.0);
      }
      void main() {
        float strength = max(lines(place), 0.4 * lines(2.0 * place)) * (1.0 - away);
        gl_FragColor = vec4(color * strength, strength);
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

/** What the viewer shows: a figure on a ground grid, and the camera that people move. */
export class View {
  constructor(element, software) {
    this.element = element;
    this.detail = software ? "coarse" : "fine";
    this.scene = new THREE.Scene();
    this.camera = new THREE.PerspectiveCamera(32, 1, 0.1, 40);
    this.middle = new THREE.Vector3();
    this.time = 0;
    this.speed = 1;
    this.playing = true;
    this.loop = true;
    this.follow = true;
    this.other = null; // a second figure, to compare
    this.range = null; // what is played, in seconds; null for all
    const sun = new THREE.DirectionalLight("#ffffff", 1.9);
    sun.position.fromArray(SUN);
    this.scene.add(sun, new THREE.HemisphereLight("#ffffff", "#9aa3af", 1.9));
    this.controls = new OrbitControls(this.camera, element);
    this.controls.enableDamping = true;
    this.controls.minDistance = 1;
    this.controls.maxDistance = 14;
    this.controls.maxPolarAngle = 0.49 * Math.PI;
    this.resetCamera();
  }

  /** Show a second clip from a start on, beside the first or over it; none without one. */
  compare(second, how) {
    if (this.other) {
      this.scene.remove(this.other.group);
      this.other.dispose();
    }
    this.other = null;
    if (!second) return;
    this.other = new Figure(second.clip, this.figure.skeleton, this.theme, this.detail);
    this.other.start = second.start;
    this.other.fade();
    const here = this.clip.middleAt(this.range?.[0] ?? 0);
    const there = second.clip.middleAt(second.start);
    this.other.group.position.set(here[0] - there[0] + (how === "beside" ? BESIDE : 0), 0, here[2] - there[2]);
    this.scene.add(this.other.group);
  }

  /** The joint near a pointer on the screen, with its place there; null where there is none. */
  jointAt(event) {
    if (!this.clip) return null;
    const box = this.element.getBoundingClientRect();
    const at = this.clip.at(this.time);
    let [best, nearest] = [null, REACH];
    this.figure.skeleton.joints.forEach((name, joint) => {
      const place = new THREE.Vector3().fromArray(at, 3 * joint).project(this.camera);
      const [x, y] = [((place.x + 1) * box.width) / 2, ((1 - place.y) * box.height) / 2];
      const distance = Math.hypot(x - event.clientX + box.left, y - event.clientY + box.top);
      if (distance < nearest) [best, nearest] = [{ name, x, y }, distance];
    });
    return best;
  }

  show(clip, skeleton, theme) {
    this.clear();
    this.theme = theme;
    this.clip = clip;
    this.ground = ground(theme);
    this.figure = new Figure(clip, skeleton, theme, this.detail);
    this.scene.add(this.ground, this.figure.group);
    this.time = 0;
    this.middle.fromArray(this.clip.middleAt(0));
    this.resetCamera();
  }

  clear() {
    if (!this.figure) return;
    this.compare(null);
    this.scene.remove(this.ground, this.figure.group);
    this.ground.material.dispose();
    this.figure.dispose();
    this.figure = this.clip = null;
  }

  resetCamera() {
    this.camera.position.fromArray(EYE).multiplyScalar(DISTANCE).add(this.middle).setY(CHEST + EYE[1] * DISTANCE);
    this.controls.target.set(this.middle.x, CHEST, this.middle.z);
    this.camera.lookAt(this.controls.target);
  }

  /** Let time pass, or stay where it is, and put everything in its place. */
  advance(seconds) {
    if (this.playing) {
      const [start, end] = this.range ?? [0, this.clip.duration];
      this.time += seconds * this.speed;
      const stops = this.time > end && !this.loop;
      if (this.time > end || this.time < start) this.time = stops ? end : start;
      if (stops) this.onend?.();
    }
    if (this.follow) {
      const before = this.middle.clone();
      const moved = this.middle.fromArray(this.clip.middleAt(this.time)).clone().sub(before);
      this.camera.position.add(moved);
      this.controls.target.add(moved);
    }
    this.ground.position.copy(this.middle);
    this.controls.update();
  }
}

/** The clock of the page: it draws the viewer, and has the cards on the screen draw themselves. */
export class Surface {
  constructor(view, software) {
    this.view = view;
    this.cards = new Set();
    this.frames = 0;
    this.cost = 0;
    this.state = "";
    this.canvas = document.createElement("canvas");
    this.canvas.setAttribute("aria-hidden", "true");
    view.element.append(this.canvas);
    this.renderer = new THREE.WebGLRenderer({ canvas: this.canvas, antialias: !software, alpha: true });
    this.renderer.setPixelRatio(software ? 1 : Math.min(window.devicePixelRatio, 2));
    this.last = performance.now();
    this.renderer.setAnimationLoop((now) => this.draw(now));
  }

  draw(now) {
    if (now - this.last < Math.max(FRAME, 2 * this.cost)) return; // half the time is the page's
    const begin = performance.now();
    const seconds = Math.min((now - this.last) / 1000, 0.25); // a hidden page does not race on
    this.last = now;
    const changed = this.drawCards(seconds);
    if (this.drawViewer(seconds) || changed) {
      this.frames += 1;
      this.cost = performance.now() - begin;
    }
  }

  /** Those on the screen draw themselves. */
  drawCards(seconds) {
    let changed = false;
    for (const card of this.cards) {
      if (!card.clip) continue;
      const box = card.element.getBoundingClientRect();
      if (box.bottom > 0 && box.top < window.innerHeight) changed = card.advance(seconds) || changed;
    }
    return changed;
  }

  drawViewer(seconds) {
    const { view } = this;
    const box = view.element.getBoundingClientRect();
    if (!view.figure || box.bottom <= 0 || box.top >= window.innerHeight || !box.width) return false;
    view.advance(seconds);
    if (!this.changed(box)) return false; // nothing is drawn while all stands still
    this.fit(Math.round(box.width), Math.round(box.height));
    view.figure.pose(view.time);
    view.other?.pose(view.other.start + Math.max(view.time - (view.range?.[0] ?? 0), 0));
    this.renderer.render(view.scene, view.camera);
    view.onframe?.();
    return true;
  }

  changed(box) {
    const { figure, time, camera } = this.view;
    const seen = [...camera.position.toArray(), ...camera.quaternion.toArray()];
    const state = [figure.group.id, time, box.width, box.height, window.devicePixelRatio, ...seen].join();
    const same = state === this.state;
    this.state = state;
    return !same;
  }

  fit(width, height) {
    if (this.width === width && this.height === height) return;
    this.width = width;
    this.height = height;
    this.renderer.setSize(width, height, false);
    this.view.camera.aspect = width / height;
    this.view.camera.updateProjectionMatrix();
  }
}

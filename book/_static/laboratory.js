// The boundary laboratory: builds the controls, keeps the state in the address, redraws on every change.
// Formulas: laboratory_formulas.js. Pictures: laboratory_drawing.js, laboratory_charts.js.
import * as formulas from "./laboratory_formulas.js";
import { makeDisc, makePlane } from "./laboratory_drawing.js";
import { makeChance, makeLogits, makePull } from "./laboratory_charts.js";

const DEGREE = formulas.PI / 180;
const clamp = (x, low, high) => Math.min(Math.max(x, low), high);

const START = {
  m1: 1, m2: 0.5, m3: 0, s: 16, angle: 80, beyond: "linear", gradient: "exact", direction: 8, tilt: 0,
};
// [lowest, highest, step]; the names are also those of the address after #.
const NUMBERS = {
  m1: [0.8, 4, 0.01], m2: [0, 1, 0.01], m3: [0, 0.8, 0.01], s: [1, 100, 1], angle: [10, 170, 1],
  direction: [-180, 180, 1], tilt: [0, 90, 1],
};
const CHOICES = { beyond: Object.keys(formulas.BEYOND), gradient: ["exact", "detached"] };
const PRESETS = {
  NormFace: { m1: 1, m2: 0, m3: 0, beyond: "linear" },
  "SphereFace 1.35": { m1: 1.35, m2: 0, m3: 0, beyond: "fold" },
  "SphereFace 4": { m1: 4, m2: 0, m3: 0, beyond: "fold" },
  CosFace: { m1: 1, m2: 0, m3: 0.35, beyond: "linear" },
  ArcFace: { m1: 1, m2: 0.5, m3: 0, beyond: "linear" },
  Combined: { m1: 1, m2: 0.3, m3: 0.2, beyond: "linear" },
};

const root = document.getElementById("laboratory");
const one = (selector) => root.querySelector(selector);
const every = (selector) => [...root.querySelectorAll(selector)];
const quiet = window.matchMedia("(prefers-reduced-motion: reduce)");

let state = { ...START };

// ---- state and address

function readAddress() {
  const given = new URLSearchParams(location.hash.slice(1));
  const read = { ...START };
  for (const [name, [low, high]] of Object.entries(NUMBERS)) {
    const value = Number.parseFloat(given.get(name));
    if (Number.isFinite(value)) read[name] = clamp(value, low, high);
  }
  for (const [name, allowed] of Object.entries(CHOICES)) {
    if (allowed.includes(given.get(name))) read[name] = given.get(name);
  }
  return read;
}

const rounded = (value) => (typeof value === "number" ? Number(value.toFixed(2)) : value);

function writeAddress() {
  const changed = Object.keys(START).filter((name) => rounded(state[name]) !== START[name]);
  const hash = changed.map((name) => `${name}=${rounded(state[name])}`).join("&");
  history.replaceState(history.state, "", hash ? `#${hash}` : location.pathname + location.search);
}

// ---- numbers as text

const minus = (text) => text.replace("-", "−");
const fixed = (value, digits) => minus((Math.abs(value) < 0.5 * 10 ** -digits ? 0 : value).toFixed(digits));
const degrees = (radians) => `${fixed(radians / DEGREE, 1)}°`;

function small(value) {
  if (!Number.isFinite(value)) return "unbounded";
  const size = Math.abs(value);
  if (size > 0 && size < 0.001) {
    const [digits, power] = size.toExponential(1).split("e-");
    const raised = [...power].map((digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[digit]).join("");
    return `${value < 0 ? "−" : ""}${digits} × 10⁻${raised}`;
  }
  return fixed(value, size >= 100 ? 1 : size >= 10 ? 2 : 3);
}

function verdict({ theta1, theta2, margin }) {
  const bent = theta1 > formulas.bendAngle(margin) ? ` Rule “${margin.beyond}” at work.` : "";
  const nearer = theta1 < theta2 ? "nearer to its own centre" : "not nearer to its own centre";
  const texts = [
    `In the margin band: ${nearer}, but not by the margin.`,
    "In the region of class 1: right, and by more than the margin.",
    "In the region of class 2: wrong, by more than the margin.",
    "Claimed by both classes: the boundaries have crossed.",
  ];
  return texts[formulas.region(theta1, theta2, margin)] + bent;
}

function bandText({ between, margin }) {
  const own = formulas.boundaryOnArc(between, margin);
  if (own < 0) return "covers both centres: not even w₁ itself meets the margin";
  const width = between - 2 * own;
  if (width < 1e-6) return "none: the two boundaries are one";
  return `${degrees(width)} wide, from θ₁ = ${degrees(own)} to ${degrees(between - own)}`;
}

// ---- drawing

let pictures;

function look() {
  const margin = { m1: state.m1, m2: state.m2, m3: state.m3, beyond: state.beyond };
  const [between, direction, tilt] = [state.angle, state.direction, state.tilt].map((value) => value * DEGREE);
  const [theta1, theta2] = formulas.anglesOf(direction, tilt, between);
  const found = formulas.evaluate(theta1, theta2, margin, state.s, state.gradient);
  const view = { margin, between, direction, tilt, theta1, theta2, s: state.s, gradient: state.gradient, found };
  view.words = `θ₁ ${degrees(theta1)}, θ₂ ${degrees(theta2)}. ${verdict(view)}`;
  return view;
}

let spoken;

function writeNumbers(view) {
  const { found, theta1, theta2 } = view;
  const texts = {
    angles: `${degrees(theta1)}, ${degrees(theta2)}`,
    cosines: `${fixed(Math.cos(theta1), 3)}, ${fixed(Math.cos(theta2), 3)}`,
    cosine: fixed(found.cosine, 3),
    logit: fixed(found.logit, 2),
    other: fixed(found.other, 2),
    probability: small(found.probability),
    loss: small(found.loss),
    pull: small(found.pull),
    slope: small(found.slope),
    band: bandText(view),
    verdict: verdict(view),
    formula: `${state.s} · ( cos(${rounded(state.m1)} θ₁ + ${fixed(state.m2, 2)}) − ${fixed(state.m3, 2)} )`,
  };
  for (const [name, text] of Object.entries(texts)) one(`[data-value="${name}"]`).textContent = text;
  // Spoken once the hand rests; read out at every step it would never finish a sentence.
  clearTimeout(spoken);
  spoken = setTimeout(() => {
    one("[role=status]").textContent =
      `${view.words} Cosine ${fixed(Math.cos(theta1), 3)}, target logit ${texts.logit}, ` +
      `logit of class 2 ${texts.other}, probability ${texts.probability}, loss ${texts.loss}, ` +
      `gradient ${texts.pull}. Margin band ${texts.band}.`;
  }, 400);
}

function writeControls() {
  for (const input of every("input[type=range]")) {
    const value = state[input.name];
    input.value = value;
    let text = fixed(value, input.name.startsWith("m") ? 2 : 0);
    if (input.name === "m2") text += ` = ${degrees(value)}`;
    if (["angle", "direction", "tilt"].includes(input.name)) text += "°";
    input.closest("label").querySelector(".lab-now").textContent = text;
    input.setAttribute("aria-valuetext", text);
    input.style.setProperty("--filled", `${(100 * (value - input.min)) / (input.max - input.min)}%`);
  }
  one("select[name=beyond]").value = state.beyond;
  for (const radio of every("input[type=radio]")) radio.checked = state[radio.name] === radio.value;
  for (const button of every("[data-preset]")) {
    const preset = PRESETS[button.dataset.preset];
    const is = ["m1", "m2", "m3"].every((name) => Math.abs(state[name] - preset[name]) < 1e-9);
    button.setAttribute("aria-pressed", String(is));
  }
}

function redraw() {
  const view = look();
  pictures.plane.draw(view);
  pictures.disc.draw(view);
  for (const chart of pictures.charts) chart(view);
  writeNumbers(view);
  writeControls();
}

let asked = 0;
let saved;

function change(part) {
  Object.assign(state, part);
  if (!asked) asked = requestAnimationFrame(() => ((asked = 0), redraw()));
  clearTimeout(saved);
  saved = setTimeout(writeAddress, 200); // browsers refuse a hundred new addresses in a few seconds
}

// A preset glides to its place, so that the eye sees what moves; at once where motion is unwanted.
let gliding = 0;

function glide(target) {
  cancelAnimationFrame(gliding);
  const { beyond, gradient, ...numbers } = target;
  if (beyond) change({ beyond });
  if (gradient) change({ gradient });
  const from = { ...state };
  if (quiet.matches) return change(numbers);
  let begun;
  const step = (now) => {
    begun ??= now;
    const t = Math.min((now - begun) / 450, 1);
    const eased = t * t * (3 - 2 * t);
    const part = {};
    for (const [name, value] of Object.entries(numbers)) {
      part[name] = t < 1 ? from[name] + (value - from[name]) * eased : value;
    }
    change(part);
    if (t < 1) gliding = requestAnimationFrame(step);
  };
  gliding = requestAnimationFrame(step);
}

// ---- the probe: dragged, tapped, moved with the arrow keys

function setAngles(theta1, theta2) {
  const between = state.angle * DEGREE;
  const [a, b] = formulas.reachable(theta1, theta2, between);
  setShadow(...formulas.shadowOf(Math.cos(a), Math.cos(b), between));
}

function setShadow(along, across) {
  const { direction, tilt } = formulas.probeOf(along, across);
  cancelAnimationFrame(gliding);
  change({ direction: direction / DEGREE, tilt: tilt / DEGREE < 0.3 ? 0 : tilt / DEGREE });
}

function pointer(svg, probe, move) {
  const point = (event) => {
    const { x, y } = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
    return [x, y];
  };
  let dragging = false;
  svg.addEventListener("pointerdown", (event) => {
    const onProbe = probe.contains(event.target);
    if (!onProbe && event.pointerType !== "mouse") return; // a finger beside the probe scrolls; a tap is a click
    dragging = true;
    svg.setPointerCapture(event.pointerId);
    probe.focus({ preventScroll: true });
    event.preventDefault();
    if (!onProbe) move(...point(event));
  });
  svg.addEventListener("pointermove", (event) => dragging && move(...point(event)));
  for (const end of ["pointerup", "pointercancel"]) svg.addEventListener(end, () => (dragging = false));
  svg.addEventListener("click", (event) => {
    if (event.pointerType !== "mouse" && !probe.contains(event.target)) move(...point(event));
  });
}

function keys(probe, move) {
  const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
  probe.addEventListener("keydown", (event) => {
    const step = steps[event.key];
    if (!step || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    const size = event.shiftKey ? 10 : 1;
    move(step[0] * size, step[1] * size);
  });
}

function wire() {
  const { plane, disc } = pictures;
  pointer(one(".lab-plane"), plane.probe, (px, py) => setAngles(...plane.at(px, py)));
  pointer(one(".lab-disc"), disc.probe, (px, py) => setShadow(...disc.at(px, py)));
  keys(plane.probe, (right, up) => {
    const { theta1, theta2 } = look();
    setAngles(theta1 + right * DEGREE, theta2 + up * DEGREE);
  });
  keys(disc.probe, (right, up) => {
    const turned = ((state.direction - right + 540) % 360) - 180;
    change({ direction: turned, tilt: clamp(state.tilt - up, 0, 90) });
  });
  root.addEventListener("input", ({ target }) => {
    cancelAnimationFrame(gliding);
    if (target.name in NUMBERS) change({ [target.name]: Number(target.value) });
    else if (target.name in CHOICES) change({ [target.name]: target.value });
  });
  for (const button of every("[data-preset]")) {
    button.addEventListener("click", () => glide(PRESETS[button.dataset.preset]));
  }
  one("[data-reset]").addEventListener("click", () => glide(START));
  // The experiments below the laboratory set it up.
  for (const button of document.querySelectorAll("button[data-set]")) {
    button.addEventListener("click", () => {
      glide({ ...START, ...JSON.parse(button.dataset.set) });
      root.scrollIntoView({ behavior: quiet.matches ? "auto" : "smooth", block: "start" });
    });
  }
  window.addEventListener("hashchange", () => change(readAddress()));
}

state = readAddress();
pictures = {
  plane: makePlane(one(".lab-plane")),
  disc: makeDisc(one(".lab-disc")),
  charts: [makeLogits(one(".lab-logits")), makePull(one(".lab-pull")), makeChance(one(".lab-chance"))],
};
redraw();
wire();
document.documentElement.classList.add("lab-ready");
root.hidden = false;

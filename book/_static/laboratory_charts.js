// Three charts of the boundary laboratory with one axis: theta1, while theta2 stays where the probe has it.
import { PI, bendAngle, evaluate, targetCosine } from "./laboratory_formulas.js";
import { DEGREE, element, range, set, show } from "./laboratory_svg.js";

const [WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM] = [326, 226, 46, 308, 24, 182];
const x = (theta) => LEFT + ((RIGHT - LEFT) * theta) / PI;
const thetas = range(240, 0, PI);

// Round numbers that span low..high in about four steps.
function ticks(low, high) {
  const raw = (high - low) / 4;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= raw * 0.999);
  const first = Math.ceil(low / step - 1e-9);
  const count = Math.floor(high / step + 1e-9) - first;
  return Array.from({ length: count + 1 }, (_, i) => Number(((first + i) * step).toPrecision(6)));
}

function frame(svg, id, curves) {
  svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  const clip = element(element(svg, "defs"), "clipPath", { id: `${id}-frame` });
  element(clip, "rect", { x: LEFT, y: TOP - 4, width: RIGHT - LEFT, height: BOTTOM - TOP + 8 });
  const grid = element(svg, "g");
  const bend = element(svg, "path", { class: "lab-line lab-bend" });
  const bendName = element(svg, "text", { class: "lab-mid lab-small", y: TOP - 8 });
  const marker = element(svg, "path", { class: "lab-line lab-marker" });
  const inside = element(svg, "g", { "clip-path": `url(#${id}-frame)` });
  const drawn = curves.map((name) =>
    element(inside, "path", { class: `lab-line lab-${name}`, "data-part": `${id}-${name}` }));
  const veiled = { y: TOP - 4, height: BOTTOM - TOP + 8, class: "lab-veil" };
  const veil = ["low", "high"].map(() => element(inside, "rect", veiled));
  const dot = element(svg, "circle", { r: 5.5, class: "lab-knob" });
  for (const degrees of [0, 45, 90, 135, 180]) {
    element(svg, "path", { d: `M${x(degrees * DEGREE)},${BOTTOM}v5`, class: "lab-tick" });
    element(svg, "text", { x: x(degrees * DEGREE), y: BOTTOM + 18, class: "lab-mid" }, `${degrees}°`);
  }
  element(svg, "text", { x: (LEFT + RIGHT) / 2, y: HEIGHT - 6, class: "lab-mid lab-axis" }, "θ₁, angle to centre 1");

  return ({ low, high, values, at, view }) => {
    const y = (value) => BOTTOM - ((BOTTOM - TOP) * (value - low)) / (high - low);
    grid.replaceChildren();
    for (const tick of ticks(low, high)) {
      element(grid, "path", { d: `M${LEFT},${y(tick)}H${RIGHT}`, class: tick === 0 ? "lab-zero" : "lab-grid" });
      element(grid, "text", { x: LEFT - 6, y: y(tick) + 4, class: "lab-end" }, String(tick).replace("-", "−"));
    }
    const { theta1, theta2, between, margin } = view;
    const ends = [Math.abs(between - theta2), Math.min(between + theta2, 2 * PI - between - theta2)];
    set(veil[0], { x: LEFT, width: x(ends[0]) - LEFT });
    set(veil[1], { x: x(ends[1]), width: RIGHT - x(ends[1]) });
    const turn = bendAngle(margin);
    const bent = turn < PI - 1e-6;
    show(bend, bent);
    show(bendName, bent);
    bend.setAttribute("d", `M${x(turn)},${TOP - 4}V${BOTTOM}`);
    bendName.textContent = margin.beyond === "easy" ? "θ₁ = 90°" : "m₁θ₁ + m₂ = π";
    bendName.setAttribute("x", Math.min(Math.max(x(turn), 90), 270));
    marker.setAttribute("d", `M${x(theta1)},${TOP}V${BOTTOM}`);
    drawn.forEach((curve, i) => {
      const points = thetas.map((theta) => `${x(theta).toFixed(1)},${y(values[i](theta)).toFixed(1)}`);
      curve.setAttribute("d", "M" + points.join("L"));
    });
    set(dot, { cx: x(theta1), cy: y(at) });
  };
}

// (3) The logit of the right class, with and without the margin, and the level of its rival.
export function makeLogits(svg) {
  const draw = frame(svg, "logit", ["bare", "rival", "curve"]);
  return (view) => {
    const { margin, s, theta2 } = view;
    const targets = thetas.map((theta) => targetCosine(theta, margin));
    const half = (end) => (s * Math.round(end * 2)) / 2;
    const [low, high] = [half(Math.min(-1, ...targets)), half(Math.max(1, ...targets))];
    const values = [
      (theta) => s * Math.cos(theta), () => s * Math.cos(theta2), (theta) => s * targetCosine(theta, margin),
    ];
    draw({ low, high, values, at: view.found.logit, view });
  };
}

// (4) How hard the loss pulls: d loss / d theta1, exact and detached; the chosen one is drawn strong.
export function makePull(svg) {
  const draw = frame(svg, "pull", ["curve", "curve"]);
  const [exact, detached] = svg.querySelectorAll(".lab-curve");
  exact.setAttribute("data-part", "pull-exact");
  detached.setAttribute("data-part", "pull-detached");
  return (view) => {
    const { margin, s, theta2, gradient } = view;
    exact.classList.toggle("lab-weak", gradient !== "exact");
    detached.classList.toggle("lab-weak", gradient !== "detached");
    const pull = (kind) => (theta) => evaluate(theta, theta2, margin, s, kind).pull;
    const all = ["exact", "detached"].flatMap((kind) => thetas.map(pull(kind)));
    const step = s / 4;
    const low = Math.floor(Math.min(-0.02 * s, ...all) / step) * step;
    const high = Math.ceil(Math.max(0.5 * s, ...all) / step) * step;
    const floor = Math.min(...all) < -0.01 * s ? low : 0;
    draw({ low: floor, high, values: [pull("exact"), pull("detached")], at: view.found.pull, view });
  };
}

// (5) The probability of the right class, with and without the margin: how steep is the cliff that s makes?
export function makeChance(svg) {
  const draw = frame(svg, "chance", ["bare", "curve"]);
  return (view) => {
    const { margin, s, theta2 } = view;
    const none = { ...margin, m1: 1, m2: 0, m3: 0 };
    const chance = (rule) => (theta) => evaluate(theta, theta2, rule, s, "exact").probability;
    draw({ low: 0, high: 1, values: [chance(none), chance(margin)], at: view.found.probability, view });
  };
}

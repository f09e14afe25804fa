// What the pictures of the boundary laboratory share: SVG elements, hatches, regions and their names, the probe.
import { PI, region } from "./laboratory_formulas.js";

export const DEGREE = PI / 180;
export const clamp = (x, low, high) => Math.min(Math.max(x, low), high);
export const range = (count, low, high) =>
  Array.from({ length: count + 1 }, (_, i) => low + ((high - low) * i) / count);
export const path = (points) => "M" + points.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join("L");

export function element(parent, tag, attributes = {}, text = "") {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text) made.textContent = text;
  parent.append(made);
  return made;
}

export const set = (made, attributes) => {
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
};
export const show = (made, visible) => made.classList.toggle("lab-off", !visible);

// Hatches, so that the regions differ without colour: rising and falling strokes, and dots for the band.
export function patterns(svg, id) {
  const defs = element(svg, "defs");
  const tile = { width: 9, height: 9, patternUnits: "userSpaceOnUse" };
  const hatch = (name, d) => {
    const box = element(defs, "pattern", { ...tile, id: `${id}-${name}` });
    element(box, "path", { d, class: `lab-hatch lab-${name}` });
  };
  hatch("one", "M-2,11L11,-2M-2,2L2,-2M7,11L11,7");
  hatch("two", "M-2,-2L11,11M7,-2L11,2M-2,7L2,11");
  const dots = element(defs, "pattern", { ...tile, id: `${id}-band` });
  element(dots, "circle", { cx: 4.5, cy: 4.5, r: 1.15, class: "lab-dot" });
  return defs;
}

// Class 1, class 2 and their overlap, as a tint below and a hatch above.
export function regionLayers(group, defs, id) {
  const clip = element(defs, "clipPath", { id: `${id}-overlap` });
  const overlap = element(clip, "path");
  const [one, two] = ["one", "two"].map((name) => [
    element(group, "path", { class: `lab-tint lab-${name}` }), element(group, "path", { fill: `url(#${id}-${name})` }),
  ]);
  const both = element(group, "path", { fill: `url(#${id}-one)`, "clip-path": `url(#${id}-overlap)` });
  one[0].setAttribute("data-part", `${id}-class-1`);
  two[0].setAttribute("data-part", `${id}-class-2`);
  return (first, second) => {
    for (const part of [...one, both]) part.setAttribute("d", first);
    for (const part of [...two, overlap]) part.setAttribute("d", second);
  };
}

// A point of each region in its middle, for its name; null where the region is too small to carry one, or bent
// so that its middle lies outside. `samples`: [theta1, theta2, x, y] all over the picture.
export function middles(samples, margin, enough) {
  const found = samples.map(([theta1, theta2, x, y]) => ({ x, y, is: region(theta1, theta2, margin) }));
  return [0, 1, 2].map((name) => {
    const own = found.filter(({ is }) => is === name);
    if (own.length < enough * samples.length) return null;
    const [x, y] = ["x", "y"].map((axis) => own.reduce((sum, point) => sum + point[axis], 0) / own.length);
    const away = (point) => Math.hypot(point.x - x, point.y - y);
    const nearest = found.reduce((best, point) => (away(point) < away(best) ? point : best));
    return nearest.is === name ? [x, y] : null;
  });
}

export function regionNames(group) {
  const made = ["margin", "class 1", "class 2"].map((name) => element(group, "text", { class: "lab-name" }, name));
  return (places, turned) =>
    made.forEach((text, i) => {
      show(text, places[i]);
      if (places[i]) text.setAttribute("transform", `translate(${places[i]}) rotate(${i ? 0 : turned})`);
    });
}

// The handle: a dot with a wide invisible rim for fingers, reached by Tab.
export function handle(svg, label) {
  const group = element(svg, "g", {
    class: "lab-probe", tabindex: 0, role: "slider", "aria-label": label, "aria-valuemin": 0, "aria-valuemax": 180,
  });
  element(group, "circle", { r: 26, class: "lab-grip" });
  element(group, "circle", { r: 13, class: "lab-focus" });
  element(group, "circle", { r: 8, class: "lab-knob" });
  return group;
}

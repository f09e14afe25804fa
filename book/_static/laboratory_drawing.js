// The two large pictures of the boundary laboratory: each function makes one SVG and returns how to redraw it.
import { PI, anglesOf, boundary, probeOf, region, shadowOf, targetCosine } from "./laboratory_formulas.js";
import {
  DEGREE, clamp, element, handle, middles, path, patterns, range, regionLayers, regionNames, set, show,
} from "./laboratory_svg.js";

const STEPS = 360; // points of a curve

// (1) The plane of the two angles.
export function makePlane(svg) {
  const [left, top, side] = [52, 10, 370];
  const x = (theta) => left + (theta / PI) * side;
  const y = (theta) => top + side - (theta / PI) * side;
  set(svg, { viewBox: "0 0 440 434" });
  const defs = patterns(svg, "plane");
  const frame = { x: left, y: top, width: side, height: side };
  element(element(defs, "clipPath", { id: "plane-frame" }), "rect", frame);
  element(svg, "rect", { ...frame, class: "lab-tint lab-band" });
  element(svg, "rect", { ...frame, fill: "url(#plane-band)" });
  const inside = element(svg, "g", { "clip-path": "url(#plane-frame)" });
  const regions = regionLayers(inside, defs, "plane");
  element(inside, "path", { d: path([[x(0), y(0)], [x(PI), y(PI)]]), class: "lab-line lab-plain" });
  const lines = ["one", "two"].map((name, i) =>
    element(inside, "path", { class: `lab-line lab-${name}`, "data-part": `plane-boundary-${i + 1}` }));
  const veil = element(inside, "path", { class: "lab-veil", "fill-rule": "evenodd" });
  const rim = element(inside, "path", { class: "lab-line lab-rim" });
  element(svg, "rect", { ...frame, class: "lab-frame" });
  for (const degrees of [0, 45, 90, 135, 180]) {
    const at = degrees * DEGREE;
    element(svg, "path", { d: `M${x(at)},${top + side}v5M${left},${y(at)}h-5`, class: "lab-tick" });
    element(svg, "text", { x: x(at), y: top + side + 19, class: "lab-mid" }, `${degrees}°`);
    element(svg, "text", { x: left - 8, y: y(at) + 4, class: "lab-end" }, `${degrees}°`);
  }
  element(svg, "text", { x: left + side / 2, y: 428, class: "lab-mid lab-axis" }, "θ₁, angle to centre 1");
  const upright = `translate(12,${top + side / 2}) rotate(-90)`;
  element(svg, "text", { class: "lab-mid lab-axis", transform: upright }, "θ₂, angle to centre 2");
  const names = regionNames(svg);
  const shift = element(svg, "path", { class: "lab-line lab-shift", "data-part": "plane-shift" });
  const tip = element(svg, "path", { class: "lab-tip" });
  const ghost = element(svg, "circle", { r: 6.5, class: "lab-ghost", "data-part": "plane-ghost" });
  const probe = handle(svg, "Probe in the plane of the two angles");

  function drawBoundaries(margin) {
    const curve = range(STEPS, 0, PI).map((theta) => {
      const other = boundary(theta, margin);
      return { theta, other: other ?? (targetCosine(theta, margin) < -1 ? PI : 0), met: other !== null };
    });
    const area = [[0, PI], ...curve.map(({ theta, other }) => [theta, other]), [PI, PI]];
    const line = curve.filter(({ met }, i) => met || curve[i - 1]?.met || curve[i + 1]?.met);
    regions(path(area.map(([a, b]) => [x(a), y(b)])) + "Z", path(area.map(([a, b]) => [x(b), y(a)])) + "Z");
    // A curve with a gap (where the margin cannot be met) is several strokes.
    const strokes = (point) => line.map((at, i) => {
      const joined = i > 0 && at.theta - line[i - 1].theta < (1.5 * PI) / STEPS && (at.met || line[i - 1].met);
      return (joined ? "L" : "M") + point(at).map((value) => value.toFixed(1)).join(",");
    }).join("");
    lines[0].setAttribute("d", strokes(({ theta, other }) => [x(theta), y(other)]));
    lines[1].setAttribute("d", strokes(({ theta, other }) => [x(other), y(theta)]));
  }

  function drawProbe({ margin, theta1, theta2, words }) {
    const cosine = targetCosine(theta1, margin);
    const seen = Math.acos(clamp(cosine, -1, 1));
    const end = cosine < -1 ? x(PI) + 8 : x(seen);
    const far = Math.abs(end - x(theta1)) > 12;
    show(shift, far);
    show(tip, far);
    show(ghost, far && cosine >= -1);
    const [way, stop] = [Math.sign(end - x(theta1)), end - Math.sign(end - x(theta1)) * 7];
    shift.setAttribute("d", `M${x(theta1).toFixed(1)},${y(theta2).toFixed(1)}H${stop.toFixed(1)}`);
    tip.setAttribute("d", `M${stop},${y(theta2)}l${-way * 8},-4.5v9Z`);
    set(ghost, { cx: x(seen).toFixed(1), cy: y(theta2).toFixed(1) });
    set(probe, {
      transform: `translate(${x(theta1).toFixed(1)},${y(theta2).toFixed(1)})`,
      "aria-valuenow": Math.round(theta1 / DEGREE), "aria-valuetext": words,
    });
  }

  return {
    probe,
    at: (px, py) => [((px - left) / side) * PI, ((top + side - py) / side) * PI],
    draw(view) {
      const { margin, between } = view;
      drawBoundaries(margin);
      const outline = (corners) => path(corners.map(([a, b]) => [x(a), y(b)])) + "Z";
      const reached = outline([[0, between], [between, 0], [PI, PI - between], [PI - between, PI]]);
      rim.setAttribute("d", reached);
      veil.setAttribute("d", outline([[0, 0], [PI, 0], [PI, PI], [0, PI]]) + reached);
      const differences = range(24, -between, between);
      const samples = range(24, between, 2 * PI - between).flatMap((sum) => differences.map((difference) => {
        const [a, b] = [(sum + difference) / 2, (sum - difference) / 2];
        return [a, b, x(a), y(b)];
      }));
      names(middles(samples, margin, 0.09), -45);
      drawProbe(view);
    },
  };
}

// (2) The sphere seen from above: the rim is the circle in the plane of the two centres.
export function makeDisc(svg) {
  const [cx, cy, radius] = [220, 217, 172];
  set(svg, { viewBox: "0 0 440 434" });
  const place = ([along, across], r = radius) => [cx - across * r, cy - along * r];
  const onRim = (angle, r) => place([Math.cos(angle), Math.sin(angle)], r);
  const defs = patterns(svg, "disc");
  element(element(defs, "clipPath", { id: "disc-frame" }), "circle", { cx, cy, r: radius });
  const whole = { cx, cy, r: radius };
  element(svg, "circle", { ...whole, class: "lab-tint lab-band" });
  element(svg, "circle", { ...whole, fill: "url(#disc-band)" });
  const inside = element(svg, "g", { "clip-path": "url(#disc-frame)" });
  const regions = regionLayers(inside, defs, "disc");
  element(inside, "path", { d: `M${cx},${cy - radius}V${cy + radius}`, class: "lab-line lab-plain" });
  const lines = ["one", "two"].map((name) => element(inside, "path", { class: `lab-line lab-${name}` }));
  element(svg, "circle", { ...whole, class: "lab-line lab-rim" });
  const arcs = element(svg, "g", { "data-part": "disc-ring" });
  const names = regionNames(svg);
  const angles = ["one", "two"].map((name) => element(svg, "path", { class: `lab-line lab-angle lab-${name}` }));
  const angleNames = ["θ₁", "θ₂"].map((name) => element(svg, "text", { class: "lab-mid lab-halo" }, name));
  const centres = ["one", "two"].map((name) => [
    element(svg, "path", { class: `lab-centre lab-${name}` }), element(svg, "path", { class: `lab-head lab-${name}` }),
  ]);
  const centreNames = ["w₁", "w₂"].map((name) => element(svg, "text", { class: "lab-mid lab-name" }, name));
  const arrow = element(svg, "path", { class: "lab-arrow", "data-part": "disc-arrow" });
  const probe = handle(svg, "Probe embedding on the sphere");

  // The rim in pieces of one region each.
  function ring(margin, between) {
    const at = (angle) => region(...anglesOf(angle, 0, between), margin);
    const stops = range(720, -PI, PI);
    const cuts = [-PI];
    for (let i = 1; i < stops.length; i++) {
      let [low, high] = [stops[i - 1], stops[i]];
      const [before, after] = [at(low), at(high)];
      if (before === after) continue;
      for (let k = 0; k < 20; k++) {
        const half = (low + high) / 2;
        if (at(half) === before) low = half;
        else high = half;
      }
      cuts.push(low);
    }
    cuts.push(PI);
    return cuts.slice(1).map((end, i) => ({ from: cuts[i], to: end, is: at((cuts[i] + end) / 2) }));
  }

  function drawRing(margin, between) {
    arcs.replaceChildren();
    for (const { from, to, is } of ring(margin, between)) {
      const large = to - from > PI ? 1 : 0;
      const [inner, outer] = [radius + 5, radius + 17];
      const [a, b, c, d] = [onRim(from, outer), onRim(to, outer), onRim(to, inner), onRim(from, inner)];
      const data = `M${a}A${outer},${outer} 0 ${large} 0 ${b}L${c}A${inner},${inner} 0 ${large} 1 ${d}Z`;
      element(arcs, "path", { d: data, class: `lab-arc ${["lab-band", "lab-one", "lab-two", "lab-both"][is]}` });
      if (is === 0 || is === 3) element(arcs, "path", { d: data, fill: "url(#disc-band)" });
    }
  }

  function drawRegions(margin, between) {
    const curve = range(STEPS, 0, PI).map((theta) => [Math.cos(theta), targetCosine(theta, margin)]);
    const area = [[1, -30], ...curve, [-1, -30]]; // all cosines of centre 2 below the curve, far past the disc
    const first = (points) => path(points.map(([a, b]) => place(shadowOf(a, b, between))));
    const second = (points) => path(points.map(([a, b]) => place(shadowOf(b, a, between))));
    regions(first(area) + "Z", second(area) + "Z");
    lines[0].setAttribute("d", first(curve));
    lines[1].setAttribute("d", second(curve));
  }

  function drawCentres(between) {
    [between / 2, -between / 2].forEach((angle, i) => {
      const [tip, base] = [onRim(angle, radius), onRim(angle, radius - 15)];
      const [sx, sy] = [(-(tip[1] - base[1]) / 15) * 6, ((tip[0] - base[0]) / 15) * 6];
      centres[i][0].setAttribute("d", path([[cx, cy], base]));
      centres[i][1].setAttribute("d", path([tip, [base[0] + sx, base[1] + sy], [base[0] - sx, base[1] - sy]]) + "Z");
      const [tx, ty] = onRim(angle, radius + 34);
      set(centreNames[i], { x: tx, y: ty + 5 });
    });
  }

  function drawProbe({ between, direction, tilt, theta1, words }) {
    const at = place([Math.cos(tilt) * Math.cos(direction), Math.cos(tilt) * Math.sin(direction)]);
    arrow.setAttribute("d", path([[cx, cy], at]));
    set(probe, {
      transform: `translate(${at.map((value) => value.toFixed(1))})`,
      "aria-valuenow": Math.round(theta1 / DEGREE), "aria-valuetext": words,
    });
    [between / 2, -between / 2].forEach((centre, i) => {
      const turn = Math.atan2(Math.sin(direction - centre), Math.cos(direction - centre));
      const r = [58, 82][i];
      const planar = tilt < DEGREE / 2; // out of the plane the angles cannot be drawn in it
      show(angles[i], planar);
      show(angleNames[i], planar && Math.abs(turn) > 9 * DEGREE);
      angles[i].setAttribute("d", `M${onRim(centre, r)}A${r},${r} 0 0 ${turn > 0 ? 0 : 1} ${onRim(direction, r)}`);
      const [tx, ty] = onRim(centre + turn / 2, r + 12);
      set(angleNames[i], { x: tx, y: ty + 4 });
    });
  }

  return {
    probe,
    at: (px, py) => [(cy - py) / radius, (cx - px) / radius],
    draw(view) {
      const { margin, between } = view;
      drawRegions(margin, between);
      drawRing(margin, between);
      drawCentres(between);
      const grid = range(30, -1, 1);
      const shadows = grid.flatMap((along) => grid.map((across) => [along, across]));
      const samples = shadows.filter((shadow) => Math.hypot(...shadow) < 1).map((shadow) => {
        const { direction, tilt } = probeOf(...shadow);
        return [...anglesOf(direction, tilt, between), ...place(shadow)];
      });
      // Below the middle no centre is in the way; a region that does not reach down there has its name further up.
      const low = middles(samples.filter((sample) => sample[3] > cy + 0.25 * radius), margin, 0.15);
      names(middles(samples, margin, 0.05).map((place, i) => low[i] ?? place), 0);
      drawProbe(view);
    },
  };
}

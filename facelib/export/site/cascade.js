// MTCNN (Zhang et al. 2016): three networks in a row, each looking at fewer candidates and more closely.
// facelib/detect/mtcnn.py for one picture: propose (P-Net over a pyramid) -> refine (R-Net) -> output (O-Net).
import { cellWindow, nms, pixelBox, refine, square } from "./boxes.js";
import { integralImage, pyramidScales, resample } from "./pyramid.js";

/** @typedef {import("./boxes.js").Candidate} Candidate */
/** @typedef {(data: Float32Array, dims: number[]) => Promise<{data: Float32Array, dims: number[]}[]>} Network */

/**
 * @typedef {object} Cascade
 * @property {Network} pnet
 * @property {Network} rnet
 * @property {Network} onet
 * @property {{min_face: number, factor: number, thresholds: number[]}} settings as of facelib.MTCNN
 */

const CHUNK = 256; // candidates that go through R-Net or O-Net at once: bounds the memory a crowd needs
const f32 = Math.fround;

/**
 * All faces of one picture.
 * @param {Cascade} cascade
 * @param {{data: Uint8ClampedArray, width: number, height: number}} picture RGBA
 * @param {(stage: number) => unknown} [tell] called, and waited for, when a stage begins
 * @returns {Promise<{faces: Candidate[], stages: {name: string, count: number, ms: number}[]}>} best score first
 */
export async function detect(cascade, picture, tell = () => {}) {
  const steps = [
    ["P-Net", () => propose(cascade, integral)],
    ["R-Net", () => second(cascade, integral, candidates)],
    ["O-Net", () => third(cascade, integral, candidates)],
  ];
  const stages = [];
  let start = performance.now();
  const integral = integralImage(picture); // its time counts as the first stage's
  let candidates = [];
  for (const [name, step] of steps) {
    const before = performance.now();
    await tell(stages.length);
    start += performance.now() - before; // what the caller did meanwhile is none of ours
    candidates = await step();
    const now = performance.now();
    stages.push({ name, count: candidates.length, ms: now - start });
    start = now;
  }
  const area = ({ box }) => (box[2] - box[0]) * (box[3] - box[1]);
  return { faces: candidates.sort((a, b) => b.score - a.score || area(b) - area(a)), stages };
}

// First stage: P-Net over the whole pyramid.
async function propose({ pnet, settings }, integral) {
  const { width, height } = integral;
  const found = [];
  for (const scale of pyramidScales(height, width, settings.min_face, settings.factor)) {
    const [rows, columns] = [Math.trunc(height * scale + 1), Math.trunc(width * scale + 1)];
    const pixels = resample(integral, [[0, 0, width, height]], rows, columns);
    const [probability, offsets] = await pnet(pixels, [1, 3, rows, columns]);
    found.push(...nms(aboveThreshold(probability, offsets, scale, settings.thresholds[0]), 0.5));
  }
  return nms(found, 0.7).map((candidate) => ({
    ...candidate,
    box: square(refine(candidate.box, candidate.offsets, 0)),
  }));
}

function aboveThreshold(probability, offsets, scale, threshold) {
  const [columns, cells] = [probability.dims[2], probability.data.length];
  const found = [];
  for (let cell = 0; cell < cells; cell++) {
    if (probability.data[cell] < f32(threshold)) continue;
    found.push({
      box: cellWindow(Math.floor(cell / columns), cell % columns, scale),
      score: probability.data[cell],
      offsets: [0, 1, 2, 3].map((i) => offsets.data[i * cells + cell]),
    });
  }
  return found;
}

// Second stage: R-Net looks at every proposal at 24 x 24.
async function second({ rnet, settings }, integral, candidates) {
  const seen = await look(rnet, 24, integral, candidates);
  const passed = seen.filter(({ score }) => score > f32(settings.thresholds[1]));
  return nms(passed, 0.7).map((candidate) => ({
    ...candidate,
    box: square(refine(candidate.box, candidate.offsets)),
  }));
}

// Third stage: O-Net decides at 48 x 48 and places the landmarks.
async function third({ onet, settings }, integral, candidates) {
  const seen = await look(onet, 48, integral, candidates);
  const passed = seen.filter(({ score }) => score > f32(settings.thresholds[2]));
  const refined = passed.map((candidate) => ({
    ...candidate,
    box: refine(candidate.box, candidate.offsets),
    landmarks: placed(candidate.points, candidate.box),
  }));
  return nms(refined, 0.7, "min");
}

// Fractions of the window, before it is refined -> pixels counted from 0.
function placed(points, [x1, y1, x2, y2]) {
  const sides = [f32(f32(x2 - x1) + 1), f32(f32(y2 - y1) + 1)];
  return points.map((point) =>
    point.map((fraction, i) => f32(f32([x1, y1][i] + f32(fraction * sides[i])) - 1)),
  );
}

/**
 * Crop every candidate, bring it to the network's size and ask the network.
 * Candidates wholly outside the picture are dropped. The rest come back with the network's answers.
 */
async function look(network, size, integral, candidates) {
  const seen = candidates
    .map((candidate) => ({ ...candidate, pixels: pixelBox(candidate.box, integral.height, integral.width) }))
    .filter(({ pixels: [x1, y1, x2, y2] }) => x2 > x1 && y2 > y1);
  const answered = [];
  for (let from = 0; from < seen.length; from += CHUNK) {
    const part = seen.slice(from, from + CHUNK);
    const crops = resample(integral, part.map(({ pixels }) => pixels), size, size);
    const [score, offsets, points] = await network(crops, [part.length, 3, size, size]);
    part.forEach(({ box }, k) => {
      const answer = { box, score: score.data[k], offsets: [...offsets.data.subarray(4 * k, 4 * k + 4)] };
      if (points) answer.points = pairs(points.data.subarray(10 * k, 10 * k + 10));
      answered.push(answer);
    });
  }
  return answered;
}

const pairs = (values) => [0, 2, 4, 6, 8].map((i) => [values[i], values[i + 1]]);

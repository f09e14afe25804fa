// The whole path of a face: picture -> detect -> align -> embed -> compare. What page.js shows and the tests call.
import * as alignment from "./alignment.js";
import * as cascade from "./cascade.js";
import { cosine, preprocess, unit } from "./embedder.js";
import { decode, shrunk } from "./picture.js";
import { load } from "./runtime.js";

export { cosine, decode };

/** @typedef {import("./picture.js").Picture} Picture */

let loading;

/**
 * Load runtime and networks once; later calls wait for the same. After a failure the next call tries again.
 * @param {(text: string) => void} [tell] says what is being loaded
 * @returns {Promise<{manifest: object, networks: object}>}
 */
export function ready(tell) {
  loading ??= load(tell).catch((error) => {
    loading = undefined;
    throw error;
  });
  return loading;
}

// One at a time: two cascades side by side would only falsify each other's times.
let last = Promise.resolve();

function inTurn(work) {
  const mine = last.then(work);
  last = mine.catch(() => {});
  return mine;
}

/**
 * All faces of a picture, best score first. A large picture is shrunk first; boxes and landmarks are scaled back.
 * @param {Picture} picture
 * @param {(stage: number) => unknown} [tell] called when a stage of the cascade begins
 * @returns {Promise<{faces: object[], stages: object[], seen: number[]}>} seen: width and height that the cascade saw
 */
export function detect(picture, tell) {
  return inTurn(async () => {
    const { manifest, networks } = await ready();
    const small = shrunk(picture, manifest.longest_side);
    const { faces, stages } = await cascade.detect({ ...networks, settings: manifest.detector }, small, tell);
    const factors = [picture.width / small.width, picture.height / small.height];
    return { faces: faces.map((face) => enlarged(face, factors)), stages, seen: [small.width, small.height] };
  });
}

function enlarged(face, factors) {
  if (factors[0] === 1 && factors[1] === 1) return face;
  const place = (value, i) => (value + 0.5) * factors[i % 2] - 0.5; // pixel centres, not corners, are counted
  return { ...face, box: face.box.map(place), landmarks: face.landmarks.map((point) => point.map(place)) };
}

/**
 * The crop in which a face stands as the template wants it.
 * @param {Picture} picture
 * @param {number[][]} landmarks
 * @returns {Promise<Picture>}
 */
export async function align(picture, landmarks) {
  const { manifest } = await ready();
  return alignment.align(picture, landmarks, manifest.template, manifest.crop);
}

/**
 * The embedding of a crop, of length 1, and how long it took.
 * @param {Picture} crop
 * @returns {Promise<{embedding: Float32Array, ms: number}>}
 */
export function embed(crop) {
  return inTurn(async () => {
    const { manifest, networks } = await ready();
    const { size } = manifest.preprocess;
    const start = performance.now(); // not before: it may have waited for its turn
    const [vector] = await networks.embedder(preprocess(crop, manifest.preprocess), [1, 3, size, size]);
    return { embedding: unit(vector.data), ms: performance.now() - start };
  });
}

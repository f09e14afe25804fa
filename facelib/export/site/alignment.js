// Five landmarks -> a similarity transform -> a crop in which eyes, nose and mouth stand alike: facelib/alignment.py.

const EDGE = "all in one point, or so mirrored that no rotation brings them to the template";

/**
 * Similarity transform that best takes landmarks to the template: z -> a z + b in complex numbers, least squares.
 * @param {number[][]} landmarks points (x, y) in pixels
 * @param {number[][]} template where they should go, for a crop of 112 pixels
 * @param {number} size side of the crop
 * @returns {{a: number[], b: number[]}} real and imaginary part of each
 * @throws {Error} when the landmarks leave no scale above 0
 */
export function estimateSimilarity(landmarks, template, size = 112) {
  const target = template.map((point) => point.map((value) => (value * size) / 112));
  const [from, to] = [mean(landmarks), mean(target)];
  let [variance, spread, real, imaginary] = [0, 0, 0, 0];
  landmarks.forEach((point, k) => {
    const p = [point[0] - from[0], point[1] - from[1]];
    const q = [target[k][0] - to[0], target[k][1] - to[1]];
    variance += p[0] ** 2 + p[1] ** 2;
    spread += q[0] ** 2 + q[1] ** 2;
    real += p[0] * q[0] + p[1] * q[1]; // conj(p) q
    imaginary += p[0] * q[1] - p[1] * q[0];
  });
  // What rounding in float32 pixels can fake grows with the position. Written so that NaN fails too.
  const enough = variance > (1e-6 * (Math.hypot(...from) + 1)) ** 2;
  if (!(enough && Math.hypot(real, imaginary) > 1e-9 * Math.sqrt(variance * spread))) {
    throw new Error(`landmarks: ${EDGE}`);
  }
  const a = [real / variance, imaginary / variance];
  const b = [to[0] - a[0] * from[0] + a[1] * from[1], to[1] - a[1] * from[0] - a[0] * from[1]];
  return { a, b };
}

const mean = (points) => [0, 1].map((i) => points.reduce((sum, point) => sum + point[i], 0) / points.length);

/**
 * A crop in which the landmarks stand where the template wants them; bilinear, black beyond the picture's edge.
 *
 * OpenCV 5 interpolates between exact positions, and so does this; OpenCV 4 rounds them to 1/32 pixel, which
 * moves a pixel by three grey levels at most.
 * @param {{data: Uint8ClampedArray, width: number, height: number}} picture RGBA
 * @param {number[][]} landmarks
 * @param {number[][]} template
 * @param {number} size
 * @returns {{data: Uint8ClampedArray, width: number, height: number}} RGBA, size x size
 */
export function align(picture, landmarks, template, size = 112) {
  const { a, b } = estimateSimilarity(landmarks, template, size);
  const length = a[0] ** 2 + a[1] ** 2;
  const data = new Uint8ClampedArray(4 * size * size);
  for (let y = 0, at = 0; y < size; y++) {
    for (let x = 0; x < size; x++, at += 4) {
      const [u, v] = [x - b[0], y - b[1]]; // the way back: z = conj(a) (w - b) / |a|^2
      sample(picture, (a[0] * u + a[1] * v) / length, (a[0] * v - a[1] * u) / length, data, at);
    }
  }
  return { data, width: size, height: size };
}

// One bilinear look-up of three colours, written to data[at...]; Uint8ClampedArray rounds halves to even, as OpenCV.
function sample({ data, width, height }, x, y, out, at) {
  const [left, top] = [Math.floor(x), Math.floor(y)];
  const [right, down] = [x - left, y - top]; // the fractions
  const shares = [(1 - right) * (1 - down), right * (1 - down), (1 - right) * down, right * down];
  const sums = [0, 0, 0];
  for (let k = 0; k < 4; k++) {
    const [px, py] = [left + (k & 1), top + (k >> 1)];
    if (px < 0 || py < 0 || px >= width || py >= height) continue;
    const from = 4 * (py * width + px);
    for (let c = 0; c < 3; c++) sums[c] += shares[k] * data[from + c];
  }
  for (let c = 0; c < 3; c++) out[at + c] = sums[c];
  out[at + 3] = 255;
}

// The same picture at many sizes, and any part of it at a fixed size: facelib/detect/pyramid.py, line by line.
// Numbers that Python keeps in float32 are rounded to float32 here too (Math.fround), so that a box falls alike.

/**
 * Scales at which a face of `minFace` pixels and every larger one passes through 12 pixels.
 * @param {number} height
 * @param {number} width
 * @param {number} minFace
 * @param {number} factor each scale is so many times the last, between 0 and 1
 * @returns {number[]}
 */
export function pyramidScales(height, width, minFace, factor) {
  const scales = [];
  let scale = 12 / minFace;
  for (let shorter = Math.min(height, width) * scale; shorter >= 12; shorter *= factor) {
    scales.push(scale);
    scale *= factor;
  }
  return scales;
}

/**
 * S[y, x, c], the sum of the picture above and left of (x, y): any rectangle's sum is four look-ups.
 *
 * A sum may pass 2**31 and wrap; differences of two sums are right all the same, modulo 2**32.
 * @param {{data: Uint8ClampedArray, width: number, height: number}} picture RGBA
 * @returns {{sums: Int32Array, width: number, height: number}} sums (height + 1, width + 1, 3)
 */
export function integralImage({ data, width, height }) {
  const across = 3 * (width + 1);
  const sums = new Int32Array((height + 1) * across);
  for (let y = 0; y < height; y++) {
    let [red, green, blue] = [0, 0, 0];
    let from = 4 * y * width;
    let to = (y + 1) * across + 3;
    for (let x = 0; x < width; x++, from += 4, to += 3) {
      red += data[from];
      green += data[from + 1];
      blue += data[from + 2];
      sums[to] = sums[to - across] + red;
      sums[to + 1] = sums[to + 1 - across] + green;
      sums[to + 2] = sums[to + 2 - across] + blue;
    }
  }
  return { sums, width, height };
}

/**
 * Every box of the picture as a crop of rows x columns, normalised as the networks want it.
 *
 * Output pixel i of s averages the input pixels floor(i n / s) to ceil((i + 1) n / s), n being the box's side.
 * @param {{sums: Int32Array, width: number}} integral
 * @param {number[][]} boxes K whole-pixel boxes x1, y1, x2, y2 within the picture, ends excluded, none empty
 * @param {number} rows
 * @param {number} columns
 * @returns {Float32Array} (K, 3, rows, columns)
 */
export function resample({ sums, width }, boxes, rows, columns) {
  const across = 3 * (width + 1);
  const plane = rows * columns;
  const pixels = new Float32Array(boxes.length * 3 * plane);
  let at = 0; // of the red pixel; green and blue lie one and two planes on
  for (const [x1, y1, x2, y2] of boxes) {
    const [left, right] = bins(x1, x2, columns);
    const [top, bottom] = bins(y1, y2, rows);
    for (let i = 0; i < rows; i++) {
      const [above, below] = [top[i] * across, bottom[i] * across];
      for (let j = 0; j < columns; j++, at++) {
        const [west, east] = [3 * left[j], 3 * right[j]];
        const area = (bottom[i] - top[i]) * (right[j] - left[j]);
        for (let c = 0; c < 3; c++) {
          // | 0 brings a difference of wrapped sums back.
          const sum = (sums[below + east + c] - sums[above + east + c] - sums[below + west + c] + sums[above + west + c]) | 0;
          pixels[at + c * plane] = normalise(Math.fround(Math.fround(sum) / area));
        }
      }
    }
    at += 2 * plane;
  }
  return pixels;
}

/**
 * 0..255 -> about [-1, 1], the range the published weights were trained on.
 * @param {number} value
 * @returns {number}
 */
export function normalise(value) {
  return Math.fround(value - 127.5) / 128;
}

// First and last-plus-one input pixel of each of `count` bins over [start, stop).
function bins(start, stop, count) {
  const length = stop - start;
  const first = new Int32Array(count);
  const last = new Int32Array(count);
  for (let i = 0; i < count; i++) {
    first[i] = start + Math.floor((i * length) / count);
    last[i] = start + Math.ceil(((i + 1) * length) / count);
  }
  return [first, last];
}

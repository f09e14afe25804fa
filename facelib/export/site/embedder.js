// A crop -> what the network wants to see -> a vector of length 1: facelib/preprocess.py and facelib/embedder.py.

/**
 * RGBA crop -> normalised float tensor, y = (x / 255 - mean) / std for every colour.
 * @param {{data: Uint8ClampedArray, width: number, height: number}} crop
 * @param {{size: number, colour: string, mean: number[], std: number[]}} spec facelib.Preprocess, from the manifest
 * @returns {Float32Array} (3, size, size)
 */
export function preprocess(crop, { size, colour, mean, std }) {
  const { data } = crop.width === size && crop.height === size ? crop : shrink(crop, size);
  const plane = size * size;
  const pixels = new Float32Array(3 * plane);
  const f32 = Math.fround;
  for (let c = 0; c < 3; c++) {
    const channel = colour === "BGR" ? 2 - c : c;
    for (let i = 0; i < plane; i++) {
      pixels[c * plane + i] = f32(f32(data[4 * i + channel] / 255) - f32(mean[c])) / f32(std[c]);
    }
  }
  return pixels;
}

/**
 * A smaller copy in which each pixel is the mean of the area it covers, whole pixels or parts of them.
 * @param {{data: Uint8ClampedArray, width: number, height: number}} crop
 * @param {number} size at most the crop's
 * @returns {{data: Uint8ClampedArray, width: number, height: number}}
 */
export function shrink({ data, width, height }, size) {
  const out = new Uint8ClampedArray(4 * size * size);
  const [across, down] = [shares(width, size), shares(height, size)];
  for (let i = 0, at = 0; i < size; i++) {
    for (let j = 0; j < size; j++, at += 4) {
      for (let c = 0; c < 3; c++) {
        let sum = 0;
        for (const [y, tall] of down[i]) for (const [x, wide] of across[j]) sum += tall * wide * data[4 * (y * width + x) + c];
        out[at + c] = Math.floor(sum + 0.5 + 1e-9); // halves up, as OpenCV; the last term undoes rounding of the shares
      }
      out[at + 3] = 255;
    }
  }
  return { data: out, width: size, height: size };
}

// Of each of `count` bins over `length` pixels: [pixel, its share of the bin].
function shares(length, count) {
  const step = length / count;
  return Array.from({ length: count }, (_, i) => {
    const [start, stop] = [i * step, Math.min((i + 1) * step, length)];
    const found = [];
    for (let x = Math.floor(start); x < stop; x++) {
      const share = Math.min(x + 1, stop) - Math.max(x, start);
      if (share > 1e-9) found.push([x, share / step]);
    }
    return found;
  });
}

/**
 * The same direction at length 1.
 * @param {Float32Array} vector
 * @returns {Float32Array}
 */
export function unit(vector) {
  const length = Math.max(Math.hypot(...vector), 1e-12);
  return vector.map((value) => value / length);
}

/**
 * Cosine of the angle between two unit vectors: 1 for the same direction, 0 for nothing in common.
 * @param {Float32Array} a
 * @param {Float32Array} b
 * @returns {number}
 */
export function cosine(a, b) {
  return a.reduce((sum, value, i) => sum + value * b[i], 0);
}

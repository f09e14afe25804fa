// Arithmetic on candidate boxes: facelib/detect/boxes.py, line by line. A box is [x1, y1, x2, y2].
// The weights were trained with both corner pixels inside the box, so a side measures x2 - x1 + 1.

const f32 = Math.fround; // Python computes boxes in float32

/**
 * @typedef {object} Candidate A box on its way through the cascade.
 * @property {number[]} box
 * @property {number} score
 * @property {number[]} offsets the last network's wish to move the corners
 * @property {number[][]} [landmarks] five points (x, y) in pixels, from the last stage only
 */

const width = (box, corner) => f32(f32(box[2] - box[0]) + corner);
const height = (box, corner) => f32(f32(box[3] - box[1]) + corner);

/**
 * The window that a cell of P-Net's output looked at: the 12 x 12 pixels from (2 row, 2 column) of the scaled picture.
 * @param {number} row
 * @param {number} column
 * @param {number} scale
 * @returns {number[]} box in pixels of the original picture
 */
export function cellWindow(row, column, scale) {
  const [x, y, s] = [2 * column, 2 * row, f32(scale)];
  return [x + 1, y + 1, x + 12, y + 12].map((value) => Math.floor(f32(value / s)));
}

/**
 * Move each corner by its predicted offset, a fraction of the box's side.
 * @param {number[]} box
 * @param {number[]} offsets
 * @param {number} corner 1 where sides count both corner pixels; P-Net's offsets were trained without: 0
 * @returns {number[]}
 */
export function refine(box, offsets, corner = 1) {
  const sides = [width(box, corner), height(box, corner)];
  return box.map((value, i) => f32(value + f32(offsets[i] * sides[i % 2])));
}

/**
 * Grow the shorter side about the centre, so that a crop is not distorted.
 * @param {number[]} box
 * @returns {number[]}
 */
export function square(box) {
  const sides = [width(box, 0), height(box, 0)];
  const longest = Math.max(...sides);
  const corner = sides.map((side, i) => f32(box[i] + f32(f32(side - longest) / 2)));
  return [...corner, ...corner.map((value) => f32(value + longest))];
}

/**
 * Whole-pixel part of a box that lies inside the picture, ends excluded; empty (x2 <= x1 or y2 <= y1) if none does.
 * @param {number[]} box
 * @param {number} pictureHeight
 * @param {number} pictureWidth
 * @returns {number[]}
 */
export function pixelBox(box, pictureHeight, pictureWidth) {
  const [x1, y1, x2, y2] = box.map(Math.trunc);
  return [Math.max(x1 - 1, 0), Math.max(y1 - 1, 0), Math.min(x2, pictureWidth), Math.min(y2, pictureHeight)];
}

/**
 * Non-maximum suppression: keep the best, drop those that overlap it by more than `threshold`, repeat.
 * @param {Candidate[]} candidates
 * @param {number} threshold
 * @param {"union" | "min"} over intersection over union, or over the smaller of the two boxes
 * @returns {Candidate[]} best score first
 */
export function nms(candidates, threshold, over = "union") {
  const overlap = over === "union" ? overlapUnion : overlapMin;
  const limit = over === "union" ? threshold : f32(threshold);
  // Of equal scores the earlier comes first, or, over the smaller box, the later: as in Python.
  const order = over === "union" ? [...candidates] : [...candidates].reverse();
  order.sort((a, b) => b.score - a.score);
  const kept = [];
  for (const candidate of order) {
    if (kept.every((better) => overlap(better.box, candidate.box) <= limit)) kept.push(candidate);
  }
  return kept;
}

const side = (low, high) => Math.max(f32(high - low), 0);

// torchvision's: corners are points, not pixels.
function overlapUnion(a, b) {
  const shared = f32(
    side(Math.max(a[0], b[0]), Math.min(a[2], b[2])) * side(Math.max(a[1], b[1]), Math.min(a[3], b[3])),
  );
  if (shared === 0) return 0;
  const areas = [a, b].map((box) => f32(width(box, 0) * height(box, 0)));
  return f32(shared / f32(f32(areas[0] + areas[1]) - shared));
}

// Both corner pixels count.
function overlapMin(a, b) {
  const shared = [0, 1].map((i) => Math.max(f32(f32(Math.min(a[i + 2], b[i + 2]) - Math.max(a[i], b[i])) + 1), 0));
  const areas = [a, b].map((box) => f32(width(box, 1) * height(box, 1)));
  return f32(f32(shared[0] * shared[1]) / Math.min(...areas));
}

// Pictures in: whatever the file, the rest sees upright RGBA pixels without transparency.

/** @typedef {{data: Uint8ClampedArray, width: number, height: number}} Picture RGBA, row by row */

const MOST_PIXELS = 16_000_000; // what a canvas holds on every phone

/**
 * Pixels of a file. EXIF rotation is applied, transparency is laid over white, colour profiles are left out,
 * all as in facelib.load_image.
 * @param {Blob} blob
 * @returns {Promise<Picture & {original: number[]}>} original: width and height in the file
 * @throws {Error} with what to tell the reader
 */
export async function decode(blob) {
  if (blob.size === 0) throw new Error("the file is empty (0 bytes)");
  let bitmap;
  try {
    bitmap = await createImageBitmap(blob, { imageOrientation: "from-image", colorSpaceConversion: "none" });
  } catch {
    throw new Error("your browser cannot read it as a picture: damaged, or of a kind it does not know");
  }
  const { width, height } = bitmap;
  const scale = Math.min(1, Math.sqrt(MOST_PIXELS / (width * height)));
  const picture = pixelsOf(bitmap, Math.round(width * scale), Math.round(height * scale));
  bitmap.close();
  return { ...picture, original: [width, height] };
}

/**
 * A copy whose longer side has `longest` pixels, or the picture itself if it is no larger.
 * @param {Picture} picture
 * @param {number} longest
 * @returns {Picture}
 */
export function shrunk(picture, longest) {
  const scale = longest / Math.max(picture.width, picture.height);
  if (scale >= 1) return picture;
  return pixelsOf(canvasOf(picture), Math.round(picture.width * scale), Math.round(picture.height * scale));
}

/**
 * The picture as a canvas, to be drawn from.
 * @param {Picture} picture
 * @returns {HTMLCanvasElement}
 */
export function canvasOf({ data, width, height }) {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [width, height];
  canvas.getContext("2d").putImageData(new ImageData(data, width, height), 0, 0);
  return canvas;
}

/**
 * Pixels of anything that can be drawn.
 * @param {CanvasImageSource} source
 * @param {number} width
 * @param {number} height
 * @returns {Picture}
 */
export function pixelsOf(source, width, height) {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [Math.max(width, 1), Math.max(height, 1)];
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.imageSmoothingQuality = "high";
  context.fillStyle = "white";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(source, 0, 0, canvas.width, canvas.height);
  return { data: context.getImageData(0, 0, canvas.width, canvas.height).data, width: canvas.width, height: canvas.height };
}

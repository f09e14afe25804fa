// What is drawn over a picture: boxes, scores, landmarks. Line widths follow the size at which the picture is shown.
import { canvasOf } from "./picture.js";

const CHOSEN = "#ffb000";
const OTHER = "#58c4c4";

/**
 * The picture with its faces.
 * @param {HTMLCanvasElement} canvas
 * @param {import("./picture.js").Picture} picture
 * @param {object[]} faces
 * @param {number} chosen index of the face that is compared, -1 for none
 */
export function drawFaces(canvas, picture, faces, chosen) {
  [canvas.width, canvas.height] = [picture.width, picture.height];
  const context = canvas.getContext("2d");
  context.drawImage(canvasOf(picture), 0, 0);
  const unit = picture.width / Math.max(canvas.clientWidth, 1); // one pixel of the screen
  faces.forEach((face, i) => i !== chosen && drawFace(context, face, unit, OTHER, 2));
  if (faces[chosen]) drawFace(context, faces[chosen], unit, CHOSEN, 3);
}

function drawFace(context, { box: [x1, y1, x2, y2], score, landmarks }, unit, colour, weight) {
  const radius = Math.max(1.6 * unit, (x2 - x1) / 60);
  context.lineWidth = (weight + 2) * unit; // a dark rim, so that it is seen on any background
  context.strokeStyle = "rgb(0 0 0 / 0.55)";
  context.strokeRect(x1, y1, x2 - x1, y2 - y1);
  context.lineWidth = weight * unit;
  context.strokeStyle = colour;
  context.strokeRect(x1, y1, x2 - x1, y2 - y1);
  for (const [x, y] of landmarks) {
    context.beginPath();
    context.arc(x, y, radius, 0, 2 * Math.PI);
    context.lineWidth = unit / 2;
    context.strokeStyle = "black";
    context.fillStyle = colour;
    context.fill();
    context.stroke();
  }
  drawScore(context, score, x1, y1, unit, colour);
}

function drawScore(context, score, x, y, unit, colour) {
  const [text, high] = [score.toFixed(3), 14 * unit];
  context.font = `600 ${11.5 * unit}px system-ui, sans-serif`;
  const wide = context.measureText(text).width + 6 * unit;
  const left = Math.min(Math.max(x - unit, 0), context.canvas.width - wide);
  const top = Math.max(y - high, 0);
  context.fillStyle = colour;
  context.fillRect(left, top, wide, high);
  context.fillStyle = "black";
  context.textBaseline = "middle";
  context.fillText(text, left + 3 * unit, top + high / 2 + 0.5 * unit);
}

/**
 * Index of the face whose box holds a point, the smallest box first; -1 for none.
 * @param {object[]} faces
 * @param {number} x in pixels of the picture
 * @param {number} y
 * @returns {number}
 */
export function faceAt(faces, x, y) {
  const area = ({ box }) => (box[2] - box[0]) * (box[3] - box[1]);
  const inside = ({ box: [x1, y1, x2, y2] }) => x >= x1 && x <= x2 && y >= y1 && y <= y2;
  const found = faces.filter(inside).sort((a, b) => area(a) - area(b));
  return faces.indexOf(found[0]);
}

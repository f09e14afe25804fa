// One place for a picture: takes it from wherever it comes, finds its faces, shows them, keeps the chosen one's embedding.
import * as camera from "./camera.js";
import { drawFaces, faceAt } from "./drawing.js";
import { addressOf } from "./markup.js";
import { canvasOf, pixelsOf } from "./picture.js";
import * as pipeline from "./pipeline.js";

const frame = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
const milliseconds = (value) => (value < 10 ? `${value.toFixed(1)} ms` : `${value.toFixed(0)} ms`);
const counted = (n, what) => `${n} ${what}${n === 1 ? "" : "s"}`;

/**
 * Bring a panel to life.
 * @param {HTMLElement} root
 * @param {() => void} changed called when the embedding is another one, or gone
 * @returns {{embedding: Float32Array | null, take: (blob: Blob, name: string) => Promise<void>, root: HTMLElement}}
 */
export function makePanel(root, changed) {
  const one = (selector) => root.querySelector(selector);
  const panel = { root, embedding: null, take };
  let shown = null; // {picture, faces, stages, chosen}
  let turn = 0; // a picture that comes while another is worked on replaces it

  function say(text, bad = false) {
    one(".fl-note").textContent = text;
    root.classList.toggle("fl-bad", bad);
  }

  function clear() {
    shown = null;
    panel.embedding = null;
    root.classList.remove("fl-has");
    one(".fl-faces").replaceChildren();
    for (const cell of root.querySelectorAll("td")) cell.textContent = "";
    const crop = one(".fl-crop");
    crop.getContext("2d").clearRect(0, 0, crop.width, crop.height);
    crop.setAttribute("aria-label", "No crop yet");
    changed();
  }

  async function take(blob, name) {
    await attempt(name, async () => {
      say(`Reading ${name} …`);
      return pipeline.decode(blob);
    });
  }

  // Whatever goes wrong is said in the panel, and the page goes on.
  async function attempt(name, read) {
    const mine = ++turn;
    const current = () => mine === turn;
    root.setAttribute("aria-busy", "true");
    try {
      clear();
      const picture = await read();
      if (current()) await work(picture, name, current);
    } catch (error) {
      if (current()) say(`${name}: ${error.message}.`, true);
    } finally {
      if (current()) root.removeAttribute("aria-busy");
    }
  }

  async function work(picture, name, current) {
    show(picture, [], -1, `${name}, ${picture.width} by ${picture.height} pixels`);
    await pipeline.ready((text) => current() && say(text));
    const { faces, stages, seen } = await pipeline.detect(picture, async (stage) => {
      if (current()) say(`${name}: ${["P-Net", "R-Net", "O-Net"][stage]} is looking …`);
      await frame();
    });
    if (!current()) return;
    stages.forEach(({ name: stage, count, ms }) => fill(stage, String(count), milliseconds(ms)));
    shown = { picture, faces, name, remark: sizeRemark(picture, seen) };
    listFaces(faces);
    if (faces.length) return choose(0);
    show(picture, [], -1, `${name}: no face found`);
    say(`${name}: no face found.${shown.remark}`, true);
  }

  function sizeRemark({ original, width, height }, seen) {
    const [wide, high] = original ?? [width, height];
    if (seen[0] === wide) return "";
    return ` The picture has ${wide} × ${high} pixels; the detector saw it at ${seen[0]} × ${seen[1]}.`;
  }

  function fill(stage, count, time) {
    const [left, right] = one(`[data-stage="${stage}"]`).querySelectorAll("td");
    [left.textContent, right.textContent] = [count, time];
  }

  function show(picture, faces, chosen, label) {
    root.classList.add("fl-has");
    const canvas = one(".fl-stage canvas");
    drawFaces(canvas, picture, faces, chosen);
    canvas.setAttribute("aria-label", label);
  }

  function listFaces(faces) {
    const buttons = faces.map((face, i) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = `face ${i + 1}`;
      button.title = `score ${face.score.toFixed(3)}`;
      button.addEventListener("click", () => choose(i));
      return button;
    });
    one(".fl-faces").replaceChildren(...(faces.length > 1 ? buttons : []));
  }

  async function choose(index) {
    const mine = shown;
    const { picture, faces, name, remark } = mine;
    mine.chosen = index;
    const stale = () => shown !== mine || mine.chosen !== index; // another face or picture has been chosen meanwhile
    [...one(".fl-faces").children].forEach((button, i) => button.setAttribute("aria-pressed", String(i === index)));
    show(picture, faces, index, `${name}: ${counted(faces.length, "face")}, face ${index + 1} chosen`);
    try {
      const start = performance.now();
      const crop = await pipeline.align(picture, faces[index].landmarks);
      const aligned = performance.now() - start;
      const { embedding, ms } = await pipeline.embed(crop);
      if (stale()) return;
      fill("align", "", milliseconds(aligned));
      fill("embed", "", milliseconds(ms));
      one(".fl-crop").getContext("2d").drawImage(canvasOf(crop), 0, 0, 112, 112);
      one(".fl-crop").setAttribute("aria-label", `Face ${index + 1} of ${name}, aligned`);
      panel.embedding = embedding;
      const which = faces.length > 1 ? ` Face ${index + 1} is compared; choose another by a click.` : "";
      say(`${name}: ${counted(faces.length, "face")} found.${which}${remark}`);
    } catch (error) {
      if (stale()) return;
      panel.embedding = null;
      say(`${name}: face ${index + 1} cannot be aligned: ${error.message}.`, true);
    }
    changed();
  }

  // ---- where pictures come from

  for (const button of root.querySelectorAll("[data-sample]")) {
    button.addEventListener("click", () =>
      attempt(button.title, async () => pipeline.decode(await (await fetch(addressOf(button.dataset.sample))).blob())),
    );
  }

  one("input[type=file]").addEventListener("change", (event) => {
    const [file] = event.target.files;
    if (file) take(file, file.name);
    event.target.value = ""; // the same file may be chosen again
  });

  root.addEventListener("dragover", (event) => {
    event.preventDefault();
    root.classList.add("fl-over");
  });
  root.addEventListener("dragleave", () => root.classList.remove("fl-over"));
  root.addEventListener("drop", (event) => {
    event.preventDefault();
    root.classList.remove("fl-over");
    const [file] = event.dataTransfer.files;
    if (file) take(file, file.name);
    else say("That was no file. Save the picture first, then drop the file.", true);
  });

  one(".fl-stage canvas").addEventListener("click", (event) => {
    if (!shown) return;
    const { width, clientWidth } = event.currentTarget;
    const index = faceAt(shown.faces, (event.offsetX * width) / clientWidth, (event.offsetY * width) / clientWidth);
    if (index >= 0) choose(index);
  });

  useCamera(root, one, say, (picture) => attempt("camera", async () => picture));
  const label = () => one(".fl-stage canvas").getAttribute("aria-label");
  new ResizeObserver(() => shown && show(shown.picture, shown.faces, shown.chosen ?? -1, label())).observe(root);
  return panel;
}

function useCamera(root, one, say, taken) {
  const [box, video] = [one(".fl-camera"), one("video")];
  let stop = null;
  const close = () => {
    stop?.();
    stop = null;
    box.hidden = true;
  };
  one("[data-camera]").addEventListener("click", async () => {
    try {
      close();
      stop = await camera.open(video);
      box.hidden = false;
      one("[data-take]").focus();
    } catch (error) {
      say(`Camera: ${error.message}.`, true);
    }
  });
  one("[data-take]").addEventListener("click", () => {
    const picture = pixelsOf(video, video.videoWidth, video.videoHeight);
    close();
    taken(picture);
  });
  one("[data-close]").addEventListener("click", close);
  window.addEventListener("pagehide", close);
}

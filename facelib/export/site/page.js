// The page: puts its elements in place, two panels for pictures, and compares what they hold.
import { MARKUP } from "./markup.js";
import { makePanel } from "./panel.js";
import * as pipeline from "./pipeline.js";

const root = document.getElementById("pipeline");
root.innerHTML = MARKUP;
root.hidden = false;
document.documentElement.classList.add("fl-ready");

const one = (selector) => root.querySelector(selector);
const panels = [...root.querySelectorAll(".fl-panel")].map((element) => makePanel(element, compare));
const slider = one(".fl-threshold input");
const minus = (text) => text.replace("-", "−");
let cosine = null;

async function compare() {
  const [a, b] = panels.map((panel) => panel.embedding);
  cosine = a && b ? pipeline.cosine(a, b) : null;
  one('[data-value="cosine"]').textContent = cosine === null ? "–" : minus(cosine.toFixed(3));
  if (a || b) await useRecord();
  judge();
}

// The threshold with which the slider begins, and what is known of it, once the manifest is here.
let known = false;

async function useRecord() {
  if (known) return;
  known = true;
  const { manifest } = await pipeline.ready();
  const { threshold, model } = manifest;
  const about = one('[data-value="record"]');
  about.textContent = `Network: ${model}. `;
  if (!threshold) {
    about.textContent += "Its record names no threshold, so the page gives the cosine and no verdict.";
    return;
  }
  slider.value = threshold.cosine;
  one(".fl-threshold").hidden = false;
  const rate = `${Number((100 * threshold.far).toPrecision(3))} %`;
  about.textContent +=
    `The slider begins at ${minus(threshold.cosine.toFixed(2))}, where by the network's record ${rate} of pairs of ` +
    `different people pass for one (${threshold.on}).`;
}

function judge() {
  const limit = Number(slider.value);
  const verdict = one(".fl-verdict");
  one('[data-value="threshold"]').textContent = minus(limit.toFixed(2));
  slider.setAttribute("aria-valuetext", minus(limit.toFixed(2)));
  slider.style.setProperty("--filled", `${50 * (limit + 1)}%`);
  one(".fl-scale").style.setProperty("--cosine", `${50 * ((cosine ?? 0) + 1)}%`);
  one(".fl-mark").hidden = cosine === null;
  delete root.dataset.verdict;
  if (cosine === null) {
    verdict.textContent = "Choose two pictures to compare.";
  } else if (one(".fl-threshold").hidden) {
    verdict.textContent = `Cosine ${minus(cosine.toFixed(3))}: the nearer to 1, the more alike.`;
  } else {
    const same = cosine >= limit;
    root.dataset.verdict = same ? "same" : "different";
    verdict.textContent = same ? "Taken for the same person." : "Taken for two people.";
  }
}

slider.addEventListener("input", judge);
judge();

// A pasted picture goes to the panel that was used last; at first to the one without a picture.
let used = null;
for (const panel of panels) {
  for (const type of ["focusin", "pointerdown"]) panel.root.addEventListener(type, () => (used = panel));
}

document.addEventListener("paste", (event) => {
  const file = [...event.clipboardData.files].find(({ type }) => type.startsWith("image/"));
  if (!file) return;
  event.preventDefault();
  const free = panels.find((panel) => panel.embedding === null);
  (used ?? free ?? panels[0]).take(file, "pasted picture");
});

// A picture dropped beside a panel must not take the page's place.
for (const type of ["dragover", "drop"]) window.addEventListener(type, (event) => event.preventDefault());

/** What the tests and the reader's console call. */
window.facelib = pipeline;

// The page's elements, as text: index.html and the book put the same ones into their own frame.

const here = new URL(".", import.meta.url).href;

/** Pictures that come with the page: [file, label]. */
export const SAMPLES = [
  ...[1, 2, 3, 4, 5, 6].flatMap((person) => ["a", "b"].map((shot) => [`p${person}${shot}`, `person ${person}, ${shot}`])),
  ["group", "group of twelve"],
];

/** @param {string} name of a sample */
export const addressOf = (name) => `${here}samples/${name}.jpg`;

const sample = ([name, label]) => `
  <button type="button" data-sample="${name}" title="${label}"><img src="${addressOf(name)}" alt="${label}" width="56" height="56"></button>`;

const panel = (letter) => `
  <section class="fl-panel" data-panel="${letter}" aria-label="Picture ${letter}">
    <div class="fl-title" role="heading" aria-level="2">Picture ${letter}</div>
    <div class="fl-samples" role="group" aria-label="Rendered people for picture ${letter}">${SAMPLES.map(sample).join("")}
    </div>
    <div class="fl-sources">
      <label class="fl-button"><input type="file" accept="image/*" aria-label="Choose a file for picture ${letter}">Choose a file</label>
      <button type="button" class="fl-button" data-camera>Camera</button>
      <span>or drop one here, or paste it</span>
    </div>
    <div class="fl-camera" hidden>
      <video muted playsinline aria-label="Camera"></video>
      <button type="button" class="fl-button" data-take>Take the picture</button>
      <button type="button" class="fl-button" data-close>Close</button>
    </div>
    <div class="fl-stage"><canvas role="img" aria-label="No picture yet" width="4" height="3"></canvas></div>
    <p class="fl-note" role="status">No picture yet.</p>
    <div class="fl-faces" role="group" aria-label="Faces of picture ${letter}"></div>
    <div class="fl-found">
      <figure><canvas class="fl-crop" role="img" aria-label="No crop yet" width="112" height="112"></canvas>
        <figcaption>aligned, 112 × 112</figcaption></figure>
      <table><thead><tr><th scope="col">stage</th><th scope="col">left after it</th><th scope="col">time</th></tr></thead>
        <tbody>${["P-Net", "R-Net", "O-Net", "align", "embed"].map(row).join("")}</tbody></table>
    </div>
  </section>`;

function row(name) {
  return `<tr data-stage="${name}"><th scope="row">${name}</th><td></td><td></td></tr>`;
}

export const MARKUP = `
  <p class="fl-promise"><b>Everything stays on this computer.</b> No picture leaves it; the page sends nothing anywhere.
    The weights that come with facelib learned from rendered people who do not exist: they are for learning, and not for
    identifying anybody. The first picture loads the networks, about 10 MB.</p>
  <div class="fl-panels">${panel("A")}${panel("B")}</div>
  <section class="fl-result" aria-label="Comparison">
    <p class="fl-cosine">cosine <output data-value="cosine">–</output></p>
    <p class="fl-verdict" role="status">Choose two pictures to compare.</p>
    <div class="fl-threshold" hidden><span>threshold <output data-value="threshold"></output></span>
      <span class="fl-scale" aria-hidden="true"><i class="fl-mark"></i></span>
      <input type="range" min="-1" max="1" step="0.01" aria-label="threshold"></div>
    <p class="fl-source" data-value="record"></p>
  </section>`;

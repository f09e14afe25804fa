// A printed page has nothing to click: open every folded card before printing and fold them again afterwards.
let opened = [];
window.addEventListener("beforeprint", () => {
  opened = [...document.querySelectorAll("details:not([open])")];
  for (const card of opened) card.open = true;
});
window.addEventListener("afterprint", () => {
  for (const card of opened) card.open = false;
  opened = [];
});

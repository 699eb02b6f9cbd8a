// The larger view: a picture of a gallery, its path to copy, and the others by arrow keys. A page
// puts its own buttons into [data-view-actions] and listens to the dialog's "picture" events; the
// detail of these is what is shown: src, path, and where known full, about, source and figure.
const dialog = document.querySelector("dialog.view");
const part = (name) => dialog.querySelector(`[data-view-${name}]`);
// Larger than this many times its own size, a picture is only blurred.
const MOST_ZOOM = 3, FEWEST_PIXELS = 256, ICON_PIXELS = 64;

let pictures = [];
let place = 0;

// Opens the view with one of these pictures; a map or a page may call it with its own.
export function enlarge(list, start = 0) {
  pictures = list;
  show(start);
  if (!dialog.open) dialog.showModal();
}

function read(figure) {
  const frame = figure.querySelector("[data-enlarge]");
  const { path, caption: about } = figure.dataset;
  const source = figure.closest("[data-source]")?.dataset.source;
  return { figure, path, about, source, src: frame.querySelector("img").src, full: frame.href };
}

function show(number) {
  place = number;
  const picture = pictures[place];
  part("path").textContent = picture.path;
  part("about").textContent = picture.about ?? "";
  part("place").textContent = pictures.length > 1
    ? `${picture.about ? "· " : ""}${place + 1} of ${pictures.length}` : "";
  part("told").textContent = "";
  for (const button of dialog.querySelectorAll("[data-view-step]"))
    // A disabled button would lose the focus.
    button.ariaDisabled = String(!pictures[place + Number(button.dataset.viewStep)]);
  load(picture);
  dialog.dispatchEvent(new CustomEvent("picture", { detail: picture }));
}

// Shows what is there at once, and the larger picture as soon as it has come.
function load(picture) {
  const image = part("image");
  image.alt = picture.path;
  image.src = picture.src;
  if (!picture.full) return;
  const full = Object.assign(new Image(), { src: picture.full });
  full.addEventListener("load", () => {
    if (pictures[place] === picture) image.src = full.src;
  });
}

function fit({ currentTarget: image }) {
  const side = Math.max(image.naturalWidth, image.naturalHeight);
  const most = `${Math.max(MOST_ZOOM * side, FEWEST_PIXELS)}px`;
  Object.assign(image.style, { maxWidth: `min(100%, ${most})`, maxHeight: `min(100%, ${most})` });
  image.classList.toggle("icon", side <= ICON_PIXELS);
}

function step(by) {
  if (pictures[place + by]) show(place + by);
}

async function copy() {
  const { path, source } = pictures[place];
  const text = source ? `${source.replace(/\/$/, "")}/${path}` : path;
  try {
    await navigator.clipboard.writeText(text);
    tell("Copied");
  } catch {
    // Without https, or in a frame: whoever reads can still copy what is selected.
    getSelection().selectAllChildren(part("path"));
    tell("Press Ctrl+C to copy");
  }
}

function tell(text) {
  part("told").textContent = text;
  const button = part("copy");
  button.textContent = text;
  setTimeout(() => { button.textContent = "Copy path"; }, 2000);
}

if (dialog) {
  document.addEventListener("click", (event) => {
    const frame = event.target.closest("[data-enlarge]");
    // With these keys, a browser opens the link elsewhere.
    if (!frame || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    event.preventDefault();
    const figure = frame.closest("figure");
    const others = [...(figure.closest(".gallery") ?? figure).querySelectorAll("figure:has([data-enlarge])")];
    const figures = others.length ? others : [figure];
    enlarge(figures.map(read), figures.indexOf(figure));
  });
  document.addEventListener("enlarge", ({ detail }) => enlarge([detail]));
  dialog.addEventListener("click", ({ target }) => {
    const button = target.closest("[data-view-step]");
    if (button) step(Number(button.dataset.viewStep));
    if (target === dialog || target.closest("[data-view-close]")) dialog.close();
  });
  dialog.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    // In a field, they move in its text.
    if (by && !event.target.closest("input, textarea, select")) step(by);
  });
  dialog.addEventListener("close", () => pictures[place].figure?.querySelector("[data-enlarge]").focus());
  part("copy").addEventListener("click", copy);
  part("image").addEventListener("load", fit);
}

// Searches by a picture of the reader's own: made small, sent, then the page of what is like it.
import { read } from "./request.js";

const SIDE_PIXELS = 512;
const QUALITY = 0.92;
// A file of so many bytes is sent as it is, so that a copy of an image of the job is known as one.
const SMALL_BYTES = 256 * 1024;
const MOST_BYTES = 4 * 1024 * 1024;

export function preparePicture(form) {
  if (!form || form.dataset.ready) return;
  form.dataset.ready = "yes";
  form.addEventListener("submit", (event) => event.preventDefault());
  form.picture.addEventListener("change", () => search(form, form.picture.files[0]));
  for (const name of ["dragenter", "dragover"])
    form.addEventListener(name, (event) => mark(event, form, true));
  form.addEventListener("dragleave", (event) => mark(event, form, form.contains(event.relatedTarget)));
  form.addEventListener("drop", (event) => {
    mark(event, form, false);
    search(form, event.dataTransfer.files[0]);
  });
}

function mark(event, form, isOver) {
  event.preventDefault();
  form.classList.toggle("over", isOver);
}

async function search(form, file) {
  if (!file) return;
  say(form, "Looking for images like it …", "hint");
  form.picture.disabled = true;
  try {
    const body = await shrink(file);
    const answer = await fetch(form.dataset.post, {
      method: "POST",
      headers: { "Content-Type": "application/octet-stream" },
      body,
    });
    location.assign((await read(answer)).address);
  } catch (problem) {
    say(form, problem.message, "error");
  }
  form.picture.disabled = false;
  // So that the same file can be chosen again.
  form.picture.value = "";
}

// Returns what to send of a picture: upright, on white where it is transparent, as workers see it.
async function shrink(file) {
  if (file.size <= SMALL_BYTES) return file;
  let bitmap;
  try {
    bitmap = await createImageBitmap(file);
  } catch {
    // A browser does not read all that workers do.
    if (file.size <= MOST_BYTES) return file;
    throw new Error("This browser cannot read the picture, and it is too large to send: make a smaller one of it, as JPEG or PNG.");
  }
  const scale = Math.min(1, SIDE_PIXELS / Math.max(bitmap.width, bitmap.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(bitmap.width * scale));
  canvas.height = Math.max(1, Math.round(bitmap.height * scale));
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.fillStyle = "#fff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", QUALITY));
}

function say(form, text, kind) {
  const place = form.querySelector("[role=status]");
  place.textContent = text;
  place.className = kind;
}

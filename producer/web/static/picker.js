// The dialog in which a folder is chosen on the server: its folders, and those it is in.
import { send } from "./request.js";

const count = (n, noun) => `${n.toLocaleString("en")} ${noun}${n === 1 ? "" : "s"}`;

export function preparePicker(dialog, opener, field) {
  const part = (name) => dialog.querySelector(`[data-part=${name}]`);
  const use = dialog.querySelector("[data-use]");
  let shown = "";
  let asked = null;

  const open = async (path) => {
    asked?.abort();
    const question = new AbortController();
    asked = question;
    dialog.setAttribute("aria-busy", "true");
    try {
      show(await ask(path, question));
      return true;
    } catch (problem) {
      if (question === asked) tell(problem.message);
      return false;
    } finally {
      if (question === asked) dialog.removeAttribute("aria-busy");
    }
  };

  const tell = (text) => {
    part("problem").textContent = text;
    part("problem").hidden = !text;
  };

  const show = (found) => {
    tell("");
    shown = found.path;
    part("parents").replaceChildren(...found.parents.map(makeCrumb));
    part("contents").textContent = describe(found);
    part("folders").replaceChildren(...found.folders.map(makeFolder));
    part("folders").scrollTop = 0;
    use.disabled = !found.path;
    (part("folders").querySelector("button:not(:disabled)") ?? use).focus();
  };

  dialog.addEventListener("click", ({ target }) => {
    const button = target.closest("[data-path]");
    if (button) open(button.dataset.path);
    if (target.closest("[data-close]")) dialog.close();
    if (target.closest("[data-use]")) take(dialog, field, shown);
  });
  dialog.addEventListener("keydown", (event) => moveByArrows(event, part("folders")));
  dialog.addEventListener("close", () => asked?.abort());
  opener.addEventListener("click", async () => {
    dialog.showModal();
    const typed = field.value.trim();
    // What is typed may not be there, or not be listed: then one begins at the beginning.
    if (!(typed && (await open(typed)))) await open("");
  });
}

async function ask(path, question) {
  const query = path ? `?path=${encodeURIComponent(path)}` : "";
  for (;;) {
    try {
      return await send(`/api/v1/folders${query}`, undefined, question.signal);
    } catch (problem) {
      if (problem.status !== 429) throw problem;
      await new Promise((go) => setTimeout(go, 1000 * Math.max(problem.wait, 1)));
      question.signal.throwIfAborted();
    }
  }
}

function take(dialog, field, path) {
  dialog.close();
  field.value = path;
  field.dispatchEvent(new Event("input", { bubbles: true }));
  field.focus();
}

function describe(found) {
  if (!found.path) return "Folders in which images may be read:";
  const images = `${count(found.images, "image")} here`;
  const folders = found.folders.length ? `${count(found.folders.length, "folder")}` : "no folders";
  const more = found.has_more ? " There are more than are shown: type the path of any other." : "";
  return `${images}, ${folders}.${more}`;
}

function makeCrumb(parent, index, all) {
  const item = document.createElement("li");
  const button = makeButton(parent.name, parent.path);
  if (index === all.length - 1) button.setAttribute("aria-current", "true");
  item.append(button);
  return item;
}

function makeFolder(folder) {
  const item = document.createElement("li");
  const button = makeButton(folder.name, folder.path);
  const note = document.createElement("small");
  note.textContent = describeFolder(folder);
  button.disabled = !folder.path || !folder.is_readable;
  button.append(note);
  item.append(button);
  return item;
}

function describeFolder(folder) {
  if (!folder.is_readable) return "cannot be read by the server";
  if (!folder.path) return "its name is not UTF-8: choose the folder it is in";
  if (folder.images === null) return "";
  const plus = folder.has_more ? "+" : "";
  const words = [];
  if (folder.images) words.push(`${folder.images.toLocaleString("en")}${plus} image${folder.images === 1 ? "" : "s"}`);
  if (folder.folders) words.push(`${folder.folders.toLocaleString("en")}${plus} folder${folder.folders === 1 ? "" : "s"}`);
  return words.join(", ") || (plus ? "" : "no images");
}

function makeButton(name, path) {
  const button = document.createElement("button");
  button.type = "button";
  if (path) button.dataset.path = path;
  const text = document.createElement("bdi");
  text.textContent = name;
  button.title = name;
  button.append(text);
  return button;
}

function moveByArrows(event, list) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step || !list.contains(document.activeElement)) return;
  event.preventDefault();
  const buttons = [...list.querySelectorAll("button:not(:disabled)")];
  const next = buttons.indexOf(document.activeElement) + step;
  buttons[Math.min(Math.max(next, 0), buttons.length - 1)].focus();
}

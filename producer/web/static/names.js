// Names clusters: one in its place, or several that are selected, which one name makes a group.
// What the last change replaced can be brought back.
import { send } from "./request.js";

// By label, the names before the last change.
let before = null;
let told = "";
let last = null;

export function prepareNames(section) {
  if (!section || section.dataset.ready) return;
  section.dataset.ready = "yes";
  const chosen = read(section);
  for (const box of boxes(section)) box.checked = chosen.has(box.dataset.select);
  show(section);
  tell(section);
  section.addEventListener("click", (event) => act(section, event));
  section.addEventListener("submit", (event) => {
    event.preventDefault();
    const form = event.target;
    const labels = form.id === "selection" ? [...read(section)] : form.dataset.labels.split(" ");
    give(section, labels, form.elements.name.value.trim(), form);
  });
  section.addEventListener("keydown", ({ key, target }) => {
    if (key === "Escape" && target.closest(".rename")) cancel(target.closest(".rename"));
  });
}

function act(section, event) {
  const { target, shiftKey } = event;
  const button = target.closest("button");
  if (target.dataset.select) select(section, target, shiftKey);
  else if (!button) return;
  else if ("rename" in button.dataset) rename(section, button);
  else if ("cancel" in button.dataset) cancel(button.form);
  else if ("give" in button.dataset) give(section, button.dataset.labels.split(" "), button.dataset.give);
  else if ("undo" in button.dataset) bringBack(section);
  else if ("clear" in button.dataset) choose(section, () => false);
  else if ("selectAll" in button.dataset) {
    const isAll = boxes(section).every((box) => box.checked);
    choose(section, () => !isAll);
    if (isAll) write(section, new Set());
  }
}

const boxes = (section) => [...section.querySelectorAll("[data-select]")];
const key = (section) => `selected-${section.dataset.job}`;

// The clusters that are selected, also those on other pages of the job.
function read(section) {
  return new Set(JSON.parse(sessionStorage.getItem(key(section)) ?? "[]"));
}

function write(section, chosen) {
  sessionStorage.setItem(key(section), JSON.stringify([...chosen]));
  show(section);
}

// With the shift key, also selects what lies between this box and the one before.
function select(section, box, isRange) {
  const all = boxes(section);
  const [from, to] = [all.indexOf(last), all.indexOf(box)].sort((a, b) => a - b);
  const some = isRange && from >= 0 ? all.slice(from, to + 1) : [box];
  for (const each of some) each.checked = box.checked;
  last = box;
  keep(section);
}

function choose(section, isChosen) {
  for (const box of boxes(section)) box.checked = isChosen(box);
  if (!isChosen()) write(section, new Set());
  keep(section);
}

function keep(section) {
  const chosen = read(section);
  for (const { checked, dataset } of boxes(section))
    if (checked) chosen.add(dataset.select);
    else chosen.delete(dataset.select);
  write(section, chosen);
}

function show(section) {
  const bar = section.querySelector("#selection");
  if (!bar) return;
  const { size } = read(section);
  const elsewhere = size - boxes(section).filter((box) => box.checked).length;
  bar.hidden = size === 0;
  bar.querySelector("[data-part=selected]").textContent =
    `${size} cluster${size === 1 ? "" : "s"} selected${elsewhere ? `, ${elsewhere} on other pages` : ""}`;
  bar.querySelector("[data-part=give]").textContent = size === 1 ? "Name" : "Merge";
  bar.querySelector("label").firstChild.data = size === 1 ? "Name " : "One name for all of them ";
}

function rename(section, button) {
  const form = section.querySelector("#rename-form").content.firstElementChild.cloneNode(true);
  form.dataset.labels = button.dataset.rename;
  form.elements.name.value = button.dataset.name;
  button.hidden = true;
  button.after(form);
  form.elements.name.focus();
  form.elements.name.select();
}

function cancel(form) {
  const button = form.previousElementSibling;
  form.remove();
  button.hidden = false;
  button.focus();
}

// Gives clusters a name, and shows what has become of it; a refusal is told beside the field.
async function give(section, labels, name, form = null) {
  const names = Object.fromEntries(labels.map((label) => [label, name]));
  try {
    if (form && !name && form.id === "selection") throw new Error("Type a name for these clusters.");
    const old = await ask(section.dataset.names);
    await send(section.dataset.names, names);
    before = Object.fromEntries(labels.map((label) => [label, old[label] ?? ""]));
  } catch (problem) {
    return refuse(section, form, problem.message);
  }
  told = describe(labels, name);
  sessionStorage.removeItem(key(section));
  await renew(section, labels[0]);
}

async function bringBack(section) {
  const names = before;
  try {
    await send(section.dataset.names, names);
  } catch (problem) {
    return refuse(section, null, problem.message);
  }
  before = null;
  told = "The names are as they were before.";
  await renew(section, Object.keys(names)[0]);
}

async function ask(path) {
  const answer = await fetch(path);
  const content = await answer.json();
  if (!answer.ok) throw new Error(content.error);
  return content;
}

function refuse(section, form, text) {
  if (form) {
    form.querySelector(".error").textContent = text;
    form.elements.name.setAttribute("aria-invalid", "true");
    form.elements.name.focus();
  } else {
    told = text;
    tell(section);
  }
}

function describe(labels, name) {
  const one = labels.length === 1;
  const which = one ? `Cluster ${labels[0]}` : `Clusters ${labels.slice(0, -1).join(", ")} and ${labels.at(-1)}`;
  return name ? `${which} ${one ? "is" : "are"} ${name} now.` : `${which} ${one ? "has" : "have"} no name now.`;
}

// Replaces the section with the present one, without reloading the page; the focus stays in it.
async function renew(section, label) {
  const answer = await fetch(location.href);
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const fresh = page.getElementById(section.id);
  if (!answer.ok || !fresh) return location.reload();
  document.title = page.title;
  for (const part of fresh.querySelectorAll("[data-script-only]")) part.hidden = false;
  section.replaceWith(fresh);
  last = null;
  prepareNames(fresh);
  const heading = fresh.querySelector(`#cluster-${label}, h1`);
  const place = heading?.closest(".group")?.querySelector("h3") ?? heading;
  place?.setAttribute("tabindex", "-1");
  place?.focus();
}

function tell(section) {
  const place = section.querySelector(".told");
  place.hidden = !told;
  place.querySelector("[data-part=told]").textContent = told;
  place.querySelector("[data-undo]").hidden = !before;
  if (told) document.querySelector("#announcement").textContent = told;
  told = "";
}

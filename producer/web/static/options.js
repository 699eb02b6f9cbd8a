// The options of a job as fields of the form; what is null is chosen by Shoal.
const NUMBERS = ["image_size", "components", "random_state", "batch_size"];
const CHECKS = ["cache", "force", "renumber", "keep_model"];
const EXACTLY = "exactly";

// Makes fields follow each other: cards and names of features, a number and its choice.
export function linkFields(form) {
  const chosen = form.features.value;
  form.addEventListener("input", ({ target }) => {
    if (target.name === "features") form.combined.value = "";
    if (target === form.combined) check(form.features, target.value.trim() ? null : chosen);
    if (target === form.clusters) check(form.level, EXACTLY);
    if (target === form.recipe && target.value) {
      fill(form, JSON.parse(target.selectedOptions[0].dataset.values));
    }
    if (target.value === EXACTLY) form.clusters.value ||= form.clusters.placeholder;
    followAlgorithm(form);
  });
}

export function fill(form, values) {
  for (const [name, value] of Object.entries(values)) {
    if (CHECKS.includes(name)) form[name].checked = value;
    else if (name === "features") fillFeatures(form, value);
    else if (name === "level") check(form.level, value ?? form.level.value);
    else if (name === "clusters") fillClusters(form, value);
    else if (name === "source") fillSource(form.source, value);
    else if (name === "exclude") form.exclude.value = value.join(", ");
    else if (name in form.elements) form[name].value = value ?? "";
  }
  followAlgorithm(form);
}

function fillFeatures(form, value) {
  check(form.features, value);
  form.combined.value = form.features.value === value ? "" : value;
}

function fillClusters(form, value) {
  const isChosen = value === null || value === "auto";
  form.clusters.value = isChosen ? "" : value;
  check(form.level, isChosen ? "" : EXACTLY);
}

// Unlike what the list of radio buttons does itself, this unchecks all where none has the value.
function check(radios, value) {
  for (const radio of radios) radio.checked = radio.value === value;
}

function followAlgorithm(form) {
  const findsOwn = form.algorithm.value === "hdbscan";
  for (const field of [...form.level, form.clusters]) field.disabled = findsOwn;
  form.querySelector("[data-for=hdbscan]").hidden = !findsOwn;
}

export function read(form) {
  const isExact = form.level.value === EXACTLY;
  const values = {
    source: readSource(form.source),
    exclude: form.exclude.value.split(",").map((pattern) => pattern.trim()).filter(Boolean),
    column: form.column.value.trim() || null,
    features: form.combined.value.trim() || form.features.value || null,
    clusters: "auto",
    level: null,
    algorithm: form.algorithm.value,
  };
  if (form.algorithm.value !== "hdbscan") {
    if (isExact) values.clusters = readNumber(form.clusters);
    else values.level = form.level.value || null;
  }
  for (const name of NUMBERS) values[name] = readNumber(form[name]);
  for (const name of CHECKS) values[name] = form[name].checked;
  return values;
}

// Several folders or files of an earlier job are one text in the field, until somebody changes it.
function fillSource(field, value) {
  field.value = Array.isArray(value) ? value.join(", ") : value;
  field.dataset.shown = field.value;
  field.dataset.given = JSON.stringify(value);
}

function readSource(field) {
  const text = field.value.trim();
  return text && field.dataset.shown === text ? JSON.parse(field.dataset.given) : text;
}

// A browser gives no value of what is no number: the server says what it expected.
function readNumber(field) {
  if (field.value === "") return field.validity.badInput ? "no number" : null;
  return Number(field.value);
}

// The form for a new job: an estimate while it is filled in, then the job.
import { followWithEstimate, say, sayProblem } from "./estimate.js";
import { focusFault } from "./faults.js";
import { fill, linkFields, read } from "./options.js";
import { preparePicker } from "./picker.js";
import { send } from "./request.js";

export function prepareForm(form) {
  if (!form || form.dataset.ready) return;
  form.dataset.ready = "yes";
  linkFields(form);
  const before = form.dataset.values && JSON.parse(form.dataset.values);
  if (before) fill(form, before);
  preparePicker(document.querySelector("#picker"), form.querySelector("[data-pick]"), form.source);
  for (const button of form.querySelectorAll("[data-folder]")) {
    button.addEventListener("click", () => choose(form.source, button.dataset.folder));
  }
  if ("canRecluster" in form.dataset) form.addEventListener("input", () => offerClusters(form, before));
  const estimate = followWithEstimate(form);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    estimate.stop();
    submit(form, event.submitter?.value === "recluster" ? before : null);
  });
}

// Puts a folder into the field as if it had been typed.
function choose(field, folder) {
  field.value = folder;
  field.dispatchEvent(new Event("input", { bubbles: true }));
  field.focus();
}

async function submit(form, before) {
  const buttons = form.querySelectorAll("button[type=submit]");
  const place = form.querySelector("#answer");
  for (const button of buttons) button.disabled = true;
  say(place, "Submitting …");
  try {
    const values = read(form);
    const path = before ? `/api/v1/jobs/${form.dataset.job}/recluster` : "/api/v1/jobs";
    const job = await send(path, before ? otherClusters(form, values, before) : values);
    location.assign(`/jobs/${job.job_id}`);
  } catch (problem) {
    for (const button of buttons) button.disabled = false;
    if (sayProblem(form, place, problem)) focusFault(form, problem);
  }
}

// Clusters alone are found in seconds, if nothing else of the job is to change.
function offerClusters(form, before) {
  const isOffered = !form.force.checked && differOnlyInClusters(form, read(form), before);
  for (const part of form.querySelectorAll("[data-part=recluster]")) part.hidden = !isOffered;
  const submit = form.querySelector("button[value=submit]");
  submit.textContent = isOffered ? "Submit as a new job" : "Submit";
  submit.classList.toggle("primary", !isOffered);
}

function differOnlyInClusters(form, values, before) {
  const alone = JSON.parse(form.dataset.clustersAlone);
  const changed = Object.keys(values).filter((name) => !isSame(values[name], before[name]));
  return changed.length > 0 && changed.every((name) => alone.includes(name));
}

// Also of lists.
function isSame(value, other) {
  return JSON.stringify(value) === JSON.stringify(other);
}

function otherClusters(form, values, before) {
  const alone = JSON.parse(form.dataset.clustersAlone).filter((name) => name in values);
  // What was not changed is as in that job, whatever a new one would have.
  const kept = ["components"].filter((name) => values[name] === before[name]);
  return Object.fromEntries(alone.filter((name) => !kept.includes(name)).map((name) => [name, values[name]]));
}

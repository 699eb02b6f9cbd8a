// The form for a new job: first an estimate of what it would need, then the job.
import { send } from "./request.js";

const NUMBERS = ["image_size", "components", "random_state", "batch_size"];

export function prepareForm(form) {
  if (!form || form.dataset.ready) return;
  form.dataset.ready = "yes";
  // After a change, the estimate is not one of the form's values any more.
  form.addEventListener("input", () => { form.what[1].disabled = true; });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    ask(form, event.submitter?.value === "submit");
  });
}

async function ask(form, isFinal) {
  const buttons = [...form.what];
  const answer = form.querySelector("#answer");
  for (const button of buttons) button.disabled = true;
  say(answer, isFinal ? "Submitting …" : "Checking the folder …", "hint");
  try {
    const found = await send(isFinal ? "/api/v1/jobs" : "/api/v1/estimate", read(form));
    if (isFinal) location.assign(`/jobs/${found.job_id}`);
    else say(answer, describe(found), "estimate");
    buttons[1].disabled = isFinal;
  } catch (problem) {
    say(answer, problem.message, "error");
  }
  buttons[0].disabled = false;
}

function read(form) {
  const values = {
    source: form.source.value.trim(),
    algorithm: form.algorithm.value,
    cache: form.cache.checked,
    force: form.force.checked,
    renumber: form.renumber.checked,
    keep_model: form.keep_model.checked,
  };
  const features = form.features.value.trim();
  if (features) values.features = features;
  if (form.recipe.value) values.recipe = form.recipe.value;
  if (form.level.value) values.level = form.level.value;
  const clusters = form.clusters.value.trim();
  if (clusters) values.clusters = clusters === "auto" ? clusters : Number(clusters);
  for (const name of NUMBERS) if (form[name].value !== "") values[name] = Number(form[name].value);
  return values;
}

function describe(found) {
  const parts = [`${found.images.toLocaleString("en")} images in ${found.request.source}.`, found.message];
  if (found.lack) parts.push(found.lack);
  if (found.left_out) parts.push(found.left_out);
  return parts.join(" ");
}

function say(place, text, kind) {
  place.textContent = text;
  place.className = `wide ${kind}`;
}

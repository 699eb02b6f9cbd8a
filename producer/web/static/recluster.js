// The form that clusters the images of one cluster again: it leads to the new job.
import { send } from "./request.js";

export function prepareRecluster(form) {
  if (!form || form.dataset.ready) return;
  form.dataset.ready = "yes";
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("button");
    const clusters = form.clusters.value === "" ? "auto" : Number(form.clusters.value);
    button.disabled = true;
    try {
      const job = await send(form.dataset.path, { cluster: Number(form.dataset.cluster), clusters });
      location.assign(`/jobs/${job.job_id}`);
    } catch (problem) {
      form.querySelector("[role=status]").textContent = problem.message;
      button.disabled = false;
    }
  });
}

// Starts what brings files to other places or back, and follows it until it has ended.
import { send } from "./request.js";

const POLL_MILLISECONDS = 500;
let timer = 0;

// Follows the run that the page shows, if one is at work; `refresh` renews the page at its end.
export function followRun(refresh) {
  clearTimeout(timer);
  const place = document.querySelector("#run[data-run=running]");
  if (place) timer = setTimeout(() => look(place, refresh), POLL_MILLISECONDS);
}

async function look(place, refresh) {
  try {
    const answer = await fetch(place.dataset.poll);
    const run = await answer.json();
    if (!answer.ok || run.state !== "running") {
      await refresh("");
      document.querySelector("#announcement").textContent =
        run.state === "done" ? "Done." : (run.error ?? "");
      return;
    }
    show(place, run);
  } catch {
    // The server may be back soon; then the page says what can be done.
  }
  followRun(refresh);
}

function show(place, { seen, total }) {
  const bar = place.querySelector("progress");
  if (!total) return;
  bar.max = total;
  bar.value = seen;
  const counts = `${seen.toLocaleString("en")} of ${total.toLocaleString("en")} files`;
  place.querySelector("[data-part=run-counts]").textContent = counts;
}

// Starts what a button says; what is refused is told beside it.
export async function startRun(button, refresh) {
  const error = document.querySelector("[data-part=run-error]") ?? button.parentElement;
  button.disabled = true;
  try {
    const run = await send(button.dataset.runPost, JSON.parse(button.dataset.body));
    const address = new URL(location.href);
    // What is undone may be another directory than that of the form.
    address.searchParams.set("directory", run.directory);
    history.replaceState(null, "", address);
    await refresh("");
  } catch (problem) {
    button.disabled = false;
    error.textContent = problem.message;
  }
}

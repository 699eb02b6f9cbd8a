// Starts a page: shows the parts that need JavaScript, follows jobs, sends requests of buttons.
import { announce } from "./announce.js";
import "./components/view.js";
import { follow } from "./live.js";
import { prepareMap } from "./map.js";
import { prepareNames } from "./names.js";
import { followRun, startRun } from "./organizing.js";
import { preparePicture } from "./picture.js";
import { repeat } from "./repeat.js";
import { prepareForm } from "./submission.js";
import { prepareRecluster } from "./recluster.js";
import { send } from "./request.js";
import { prepareView } from "./similar.js";
import "./copy.js";
import "./foreseen.js";

const MOST_TRIES = 4;

let stop = () => {};

export function start() {
  for (const part of document.querySelectorAll("[data-script-only]")) part.hidden = false;
  prepareMap();
  prepareForm(document.querySelector("#submit"));
  prepareNames(document.querySelector("[data-names]"));
  followRun(refresh);
  preparePicture(document.querySelector("#picture"));
  prepareRecluster(document.querySelector("#recluster"));
  prepareView(document.querySelector("dialog.view"));
  stop();
  const live = document.querySelector("[data-events]:not([data-still])");
  const repeated = document.querySelector("[data-refresh-seconds]");
  stop = live ? follow(live, refresh) : repeat(repeated, refresh);
}

// Replaces the page's content with the present one, without reloading the page.
async function refresh(state) {
  try {
    const answer = await fetch(location.href);
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (!answer.ok) return false;
    document.title = fresh.title;
    // A form keeps what was typed into it, its focus and its dialog: only the jobs are replaced.
    const changing = document.querySelector("#submit") && fresh.querySelector("#jobs") ? "#jobs" : "#main";
    const old = document.querySelector(changing);
    const focused = old.contains(document.activeElement) && describeFocus(document.activeElement);
    old.replaceWith(fresh.querySelector(changing));
    // Keyboard users stay where they were, or at least in the content that changed.
    if (focused) (document.querySelector(focused) ?? document.querySelector("#main")).focus();
    start();
    if (state) announce(`The job is ${state}.`);
    return true;
  } catch {
    return false;
  }
}

// Returns a selector of what has the focus, by what is the same in a fresh page.
function describeFocus(element) {
  const name = ["id", "href", "data-post", "aria-label"].find((name) => element.hasAttribute(name));
  return name ? `#main [${name}="${CSS.escape(element.getAttribute(name))}"]` : "#main";
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-post]");
  if (!button) return;
  button.disabled = true;
  try {
    const status = await send(button.dataset.post, JSON.parse(button.dataset.body ?? "{}"));
    await refresh(status.state);
  } catch (problem) {
    button.disabled = false;
    announce(problem.message);
    showProblem(button.parentElement, problem.message);
  }
});

document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-run-post]");
  if (button) startRun(button, refresh);
});

// An image that is not there yet, as the server has many to decode, is asked for again.
document.addEventListener("error", ({ target: image }) => {
  const tries = Number(image.dataset?.tries ?? 0);
  if (!image.closest?.(".gallery") || tries >= MOST_TRIES) return;
  image.dataset.tries = tries + 1;
  setTimeout(() => { image.src = image.getAttribute("src"); }, 2000 * 2 ** tries);
}, true);

function showProblem(place, text) {
  const shown = place.querySelector(".error") ?? place.appendChild(document.createElement("p"));
  shown.className = "error";
  shown.textContent = text;
}

start();

// The estimate, which follows the form: the newest question alone is answered.
import { clearFaults, showFault } from "./faults.js";
import { read } from "./options.js";
import { send } from "./request.js";

const PAUSE_MILLISECONDS = 500;
const count = (n, noun) => `${n.toLocaleString("en")} ${noun}${n === 1 ? "" : "s"}`;

export function followWithEstimate(form) {
  const place = form.querySelector("#answer");
  let timer = 0;
  let asked = null;
  let shownFor = "";

  const ask = async () => {
    asked?.abort();
    const question = new AbortController();
    asked = question;
    const values = read(form);
    if (!values.source) return say(place, "Choose a folder to see what the job would need.");
    place.setAttribute("aria-busy", "true");
    if (values.source !== shownFor) say(place, "Looking through the folder …");
    try {
      const found = await send("/api/v1/estimate", values, question.signal);
      if (question !== asked) return;
      shownFor = values.source;
      clearFaults(form);
      show(place, found);
    } catch (problem) {
      if (question !== asked) return;
      // Others are at it, or this page was: nobody need know.
      if (problem.status === 429) return later(1000 * Math.max(problem.wait, 1));
      shownFor = "";
      sayProblem(form, place, problem);
    }
    place.removeAttribute("aria-busy");
  };

  const later = (milliseconds) => {
    clearTimeout(timer);
    timer = setTimeout(ask, milliseconds);
  };

  form.addEventListener("input", () => {
    asked?.abort();
    later(PAUSE_MILLISECONDS);
  });
  if (form.source.value) ask();
  return { stop: () => { clearTimeout(timer); asked?.abort(); asked = null; } };
}

function show(place, found) {
  const time = describeTime(found.seconds);
  const lines = [[count(found.images, "image") + (time && `, ${time}`), "total"]];
  for (const line of [found.left_out, found.lack]) if (line) lines.push([line, ""]);
  lines.push([found.message, "hint"]);
  place.replaceChildren(...lines.map(([text, kind]) => makeLine(text, kind)));
}

function describeTime(seconds) {
  if (seconds === null) return "";
  if (seconds < 50) return "less than a minute";
  const minutes = Math.max(Math.round(seconds / 60), 1);
  return `about ${minutes < 100 ? count(minutes, "minute") : count(Math.round(minutes / 60), "hour")}, going by the last job`;
}

// What is about one field is said there; returns whether it is.
export function sayProblem(form, place, problem) {
  const isShown = showFault(form, problem);
  say(place, isShown ? "Something above has to be changed first." : problem.message, isShown ? "hint" : "error");
  return isShown;
}

export function say(place, text, kind = "hint") {
  place.replaceChildren(makeLine(text, kind));
  place.removeAttribute("aria-busy");
}

function makeLine(text, kind) {
  const line = document.createElement("p");
  line.textContent = text;
  line.className = kind;
  return line;
}

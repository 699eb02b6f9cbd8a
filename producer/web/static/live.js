// Follows the statuses of jobs: by server-sent events, or by polling if there are none.
import { announce } from "./announce.js";
import { isAway, noteAnswer, noteSilence } from "./answers.js";
import { describeChange, showStatus } from "./status.js";

const POLL_MILLISECONDS = 2000;
// Failing again and again, and in a page that nobody sees, it asks less often.
const RARE_MILLISECONDS = 10000;
const HIDDEN_MILLISECONDS = 30000;
// A stream says something every 5 s: one that is silent for longer belongs to a frozen server.
const SILENT_MILLISECONDS = 12000;

// Updates the numbers in `place`, and calls `refresh` if more of the page changes. Returns a
// function that stops it.
export function follow(place, refresh) {
  let source = null;
  let timer = 0;
  let ended = false;
  let tries = 0;
  let known = [];
  let refreshing = false;
  let contactAt = Date.now();

  const end = () => {
    ended = true;
    source?.close();
    clearTimeout(timer);
    clearInterval(watch);
    document.removeEventListener("visibilitychange", look);
  };

  const show = async (statuses) => {
    tries = 0;
    noteAnswer(isAway() ? describeChange(known, statuses) : "");
    known = statuses;
    if (ended || refreshing || !statuses.map((status) => showStatus(place, status)).some(Boolean)) return;
    source?.close();
    refreshing = true;
    const isDone = await refresh(statuses.length === 1 ? statuses[0].state : "");
    refreshing = false;
    if (!isDone) later();
  };

  const poll = async () => {
    contactAt = Date.now();
    try {
      const answer = await fetch(place.dataset.poll, { signal: AbortSignal.timeout(RARE_MILLISECONDS) });
      // The page then is the login, or says that the job has expired.
      if ([401, 404].includes(answer.status)) return location.reload();
      const found = await answer.json();
      if (!answer.ok) {
        noteSilence(found.error);
        return later();
      }
      await show(Array.isArray(found) ? found : [found]);
      if (!ended && !timer) listen();
    } catch {
      noteSilence();
      later();
    }
  };

  const later = () => {
    if (ended) return;
    clearTimeout(timer);
    tries += 1;
    const pause = Math.min(POLL_MILLISECONDS * tries, RARE_MILLISECONDS);
    timer = setTimeout(() => { timer = 0; poll(); }, document.hidden ? HIDDEN_MILLISECONDS : pause);
  };

  const listen = () => {
    source?.close();
    // A browser has six connections per server: hidden pages poll instead of keeping one.
    if (!("EventSource" in window) || document.hidden) return later();
    source = new EventSource(place.dataset.events);
    const on = (name, react) => source.addEventListener(name, (event) => {
      contactAt = Date.now();
      react(event.data ? JSON.parse(event.data) : null);
    });
    on("status", (status) => show([status]));
    on("jobs", show);
    on("workers", showWorkers);
    on("away", ({ error }) => noteSilence(error));
    on("gone", () => { end(); refresh(""); });
    source.addEventListener("error", () => { source.close(); later(); });
  };

  const look = () => {
    source?.close();
    clearTimeout(timer);
    timer = 0;
    poll();
  };

  const watch = setInterval(() => {
    if (document.hidden || timer || Date.now() - contactAt < SILENT_MILLISECONDS) return;
    source?.close();
    noteSilence();
    look();
  }, 1000);

  document.addEventListener("visibilitychange", look);
  listen();
  return end;
}

// Says that no worker runs while there is work, and when there was one.
function showWorkers({ running, heard_at: heardAt, lack }) {
  const notice = document.querySelector("[data-part=idle]");
  if (!notice) return;
  const what = lack && lack[0].toUpperCase() + lack.slice(1);
  if (notice.hidden && !running) announce(`${what}.`);
  if (!running) notice.querySelector("[data-part=lack]").textContent = what;
  notice.hidden = running;
  const at = heardAt && new Date(heardAt * 1000).toLocaleTimeString("en-GB");
  notice.querySelector("[data-part=last-sign]").textContent = at ? ` (last sign of life at ${at})` : "";
}

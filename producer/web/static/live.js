// Follows the statuses of jobs: by server-sent events, or by polling if there are none.
const POLL_MILLISECONDS = 2000;
const count = (n) => n.toLocaleString("en");
const FINAL = ["finished", "failed", "cancelled"];

// Updates the numbers in `place`, and calls `refresh` if more of the page changes. Returns a
// function that stops it.
export function follow(place, refresh) {
  let source = null;
  let timer = 0;
  let ended = false;

  const end = () => {
    ended = true;
    source?.close();
    clearTimeout(timer);
    document.removeEventListener("visibilitychange", look);
  };

  const show = async (statuses) => {
    away(place, false);
    if (ended || !statuses.map((status) => showStatus(place, status)).some(Boolean)) return;
    end();
    if (!(await refresh(statuses.length === 1 ? statuses[0].state : ""))) later();
  };

  const poll = async () => {
    try {
      const answer = await fetch(place.dataset.poll);
      // The page then is the login, or says that the job has expired.
      if ([401, 404].includes(answer.status)) return location.reload();
      if (!answer.ok) {
        away(place, true, (await answer.json()).error);
        return later();
      }
      const found = await answer.json();
      await show(Array.isArray(found) ? found : [found]);
      if (!ended) listen();
    } catch {
      away(place, true);
      later();
    }
  };

  const later = () => {
    ended = false;
    clearTimeout(timer);
    timer = setTimeout(poll, POLL_MILLISECONDS);
  };

  const listen = () => {
    // A browser has six connections per server: hidden pages poll instead of keeping one.
    if (!("EventSource" in window) || document.hidden) return later();
    source = new EventSource(place.dataset.events);
    source.addEventListener("status", (event) => show([JSON.parse(event.data)]));
    source.addEventListener("jobs", (event) => show(JSON.parse(event.data)));
    source.addEventListener("away", (event) => away(place, true, JSON.parse(event.data).error));
    source.addEventListener("gone", () => { end(); refresh(""); });
    source.addEventListener("error", () => {
      source.close();
      if (!ended) later();
    });
  };

  const look = () => {
    source?.close();
    poll();
  };

  document.addEventListener("visibilitychange", look);
  listen();
  return end;
}

function away(place, isAway, why = "The server or its Redis does not answer; trying again.") {
  const note = place.querySelector("[data-part=away]");
  if (!note) return;
  note.hidden = !isAway;
  if (isAway) note.textContent = why;
}

// Shows a status; returns whether the whole page must be refreshed instead.
function showStatus(place, status) {
  const card = place.dataset.job ? place : place.querySelector(`[data-job="${status.job_id}"]`);
  if (!card) return true;
  const isOver = FINAL.includes(status.state);
  if (card.dataset.state !== status.state && (isOver || FINAL.includes(card.dataset.state))) return true;
  if (isOver) return false;
  card.dataset.state = status.state;
  if (status.state !== "queued") document.querySelector("[data-part=idle]")?.remove();
  write(card, "state", status.state).className = `state ${status.state}`;
  write(card, "counts", describe(status.images));
  write(card, "rate", status.images_per_second ? `· ${count(Math.round(status.images_per_second))} images/s` : "");
  write(card, "eta", status.eta_seconds === null ? "" : `· ${count(Math.ceil(status.eta_seconds))} s left`);
  card.querySelector("[data-part=progress]").value = status.progress;
  return false;
}

function write(card, part, text) {
  const place = card.querySelector(`[data-part=${part}]`);
  if (place && place.textContent !== text) place.textContent = text;
  return place;
}

function describe(images) {
  const failed = images.failed ? `, ${count(images.failed)} failed` : "";
  return `${count(images.loaded + images.failed)} of ${count(images.total)} images${failed}`;
}

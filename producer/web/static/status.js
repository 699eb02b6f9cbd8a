// Shows statuses of jobs in the places that a page has for them.
const FINAL = ["finished", "failed", "cancelled"];
const count = (n) => n.toLocaleString("en");
const done = (status) => status.images.loaded + status.images.failed;

// Shows a status; returns whether the whole page must be refreshed instead.
export function showStatus(place, status) {
  const card = place.dataset.job ? place : place.querySelector(`[data-job="${status.job_id}"]`);
  if (!card) return true;
  const isOver = FINAL.includes(status.state);
  if (card.dataset.state !== status.state && (isOver || FINAL.includes(card.dataset.state))) return true;
  if (isOver) return false;
  card.dataset.state = status.state;
  write(card, "state", status.state).className = `state ${status.state}`;
  write(card, "counts", describe(status.images));
  write(card, "rate", status.images_per_second ? `· ${count(Math.round(status.images_per_second))} images/s` : "");
  write(card, "eta", status.eta_seconds === null ? "" : `· ${count(Math.ceil(status.eta_seconds))} s left`);
  card.querySelector("[data-part=progress]").value = status.progress;
  return false;
}

// Says in a sentence what became of jobs between two looks.
export function describeChange(before, now) {
  if (!before.length) return "";
  const known = new Map(before.map((status) => [status.job_id, status]));
  const told = now.map((status) => describeJob(known.get(status.job_id), status)).filter(Boolean);
  if (!told.length) return "Nothing has changed meanwhile.";
  if (told.length > 1) return `Meanwhile, ${told.length} jobs went on.`;
  return `Meanwhile: ${told[0]}.`;
}

function describeJob(before, now) {
  if (!before) return "a new job";
  const images = done(now) - done(before);
  const parts = images > 0 ? [`${count(images)} more images`] : [];
  if (before.state !== now.state) parts.push(`the job is ${now.state}`);
  return parts.join(", ");
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

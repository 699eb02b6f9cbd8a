// Tells how long the server, or what is behind it, has not answered; and then what happened
// meanwhile. There is one notice on the page, and it is announced once, not every second.
import { announce } from "./announce.js";

const SHOWN_MILLISECONDS = 15000;
const NO_ANSWER = "The server does not answer.";

let heardAt = Date.now();
let reason = "";
let timer = 0;

export const isAway = () => reason !== "";

// Notes good news; `meanwhile` says what had happened before it came.
export function noteAnswer(meanwhile = "") {
  const seconds = (Date.now() - heardAt) / 1000;
  heardAt = Date.now();
  if (!isAway()) return;
  reason = "";
  clearInterval(timer);
  const text = `It answers again, after ${describe(seconds)}. ${meanwhile}`.trim();
  show(text);
  announce(text);
  timer = setTimeout(() => show(""), SHOWN_MILLISECONDS);
}

// Notes that no answer has come, or one that says who does not answer.
export function noteSilence(why = NO_ANSWER) {
  if (!isAway()) {
    clearTimeout(timer);
    timer = setInterval(tell, 1000);
    announce(`${why} Trying again.`);
  }
  reason = why;
  tell();
}

function tell() {
  const since = new Date(heardAt).toLocaleTimeString("en-GB");
  show(`${reason} No news for ${describe((Date.now() - heardAt) / 1000)} (since ${since}); trying again.`);
}

function show(text) {
  const notice = document.querySelector("#away");
  notice.textContent = text;
  notice.hidden = !text;
}

function describe(seconds) {
  if (seconds < 120) return `${Math.round(seconds)} s`;
  return seconds < 7200 ? `${Math.floor(seconds / 60)} min` : `${Math.floor(seconds / 3600)} h`;
}

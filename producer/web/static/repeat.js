// Refreshes a page every few seconds, while somebody sees it.
import { noteAnswer, noteSilence } from "./answers.js";

// Calls `refresh` for `place`, if there is one; returns a function that stops it.
export function repeat(place, refresh) {
  let ended = !place;

  const wait = () => setTimeout(tick, 1000 * place.dataset.refreshSeconds);

  const tick = async () => {
    if (ended) return;
    if (document.hidden) return wait();
    // A refreshed page begins to wait by itself.
    if (await refresh("")) noteAnswer();
    else {
      noteSilence();
      wait();
    }
  };

  if (place) wait();
  return () => { ended = true; };
}

// The map of a job: on its own page, or fetched from there and put in the place of its picture.
import { showMap } from "./components/map/map.js";

// Starts the map of this page, or fetches it once its place is nearly in view.
export function prepareMap() {
  const map = document.querySelector(".map[data-sheets]:not([data-ready])");
  if (map) start(map);
  const place = document.querySelector("[data-map]");
  if (!place) return;
  const observer = new IntersectionObserver((entries) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    observer.disconnect();
    load(place);
  }, { rootMargin: "400px" });
  observer.observe(place);
}

async function load(place) {
  try {
    const answer = await fetch(place.dataset.map, { priority: "high" });
    const map = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector(".map");
    if (!map || !place.isConnected) return;
    // Where it is now has a heading of its own.
    map.querySelector("h2").remove();
    map.removeAttribute("aria-labelledby");
    place.replaceWith(map);
    start(map);
  } catch {
    // The server is away: its picture stays.
  }
}

function start(map) {
  const { paths, sheets, images } = map.dataset;
  showMap(map, JSON.parse(map.querySelector("[data-item]").textContent), {
    names: async () => (await fetch(paths)).json(),
    sheet: async (batch) => new Uint8Array(await (await fetch(`${sheets}${batch}`)).arrayBuffer()),
    picture: (number) => `${images}${number}/thumbnail`,
    full: (number) => `${images}${number}/preview`,
  });
}

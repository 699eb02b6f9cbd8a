// Puts the map over its picture once it has loaded. The map is a frame with a sandboxed origin: all
// it can do here is send a message that it is ready.
export function frameMap(place) {
  if (!place || place.querySelector("iframe")) return;
  const frame = document.createElement("iframe");
  frame.sandbox = "allow-scripts";
  frame.title = place.dataset.title;
  frame.loading = "lazy";
  frame.src = place.dataset.map;
  window.addEventListener("message", (event) => {
    if (event.source === frame.contentWindow) place.classList.add("ready");
  });
  place.classList.add("framed");
  place.append(frame);
}

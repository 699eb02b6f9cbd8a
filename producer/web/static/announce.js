// Tells those who hear the page what has changed, once.
export function announce(text) {
  document.querySelector("#announcement").textContent = text;
}

// Puts what can be done with an image into the larger view: the links that stand below its picture,
// or, where there are none and for the map, that to similar images.
export function prepareView(dialog) {
  if (!dialog || dialog.dataset.ready) return;
  dialog.dataset.ready = "yes";
  const actions = dialog.querySelector("[data-view-actions]");
  dialog.addEventListener("picture", ({ detail }) => {
    for (const old of actions.querySelectorAll("a")) old.remove();
    actions.append(...find(detail));
  });
}

function find({ figure, number = figure?.dataset.number }) {
  const acts = figure?.parentElement.querySelectorAll(".acts a, .likeness a") ?? [];
  if (acts.length) return [...acts].map((link) => link.cloneNode(true));
  const similar = document.querySelector("[data-similar]")?.dataset.similar;
  if (!similar || number === undefined) return [];
  const link = document.createElement("a");
  link.href = `${similar}?image=${encodeURIComponent(number)}`;
  link.textContent = "Similar";
  return [link];
}

// The legend of a map: each cluster is shown or hidden by its button, or alone.

// Follows the legend's buttons; `changed` is called with a number for each layer: 1 if it is shown.
export function followLegend(root, changed) {
  const buttons = [...root.querySelectorAll("[data-layer]")];
  const isOn = (button) => button.ariaPressed === "true";
  const set = (choose) => {
    for (const button of buttons) button.ariaPressed = String(choose(button));
    changed(Uint8Array.from(buttons, isOn));
  };
  // Alone; if it is alone already, with all others again.
  const isolate = (one) => {
    const isAlone = buttons.every((button) => isOn(button) === (button === one));
    set((button) => isAlone || button === one);
  };
  buttons.sort((a, b) => a.dataset.layer - b.dataset.layer);
  for (const button of buttons) {
    // The second click of two must not hide what the first has shown.
    button.addEventListener("click", ({ detail }) => {
      if (detail < 2) set((other) => isOn(other) !== (other === button));
      else if (detail === 2) set((other) => other === button);
    });
    button.nextElementSibling?.addEventListener("click", () => isolate(button));
  }
  root.querySelector("[data-all]").addEventListener("click", () => {
    const areAll = buttons.every(isOn);
    set(() => !areAll);
  });
  changed(Uint8Array.from(buttons, isOn));
}

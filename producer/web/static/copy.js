// Buttons that copy the text of the element they name.
document.addEventListener("click", async ({ target }) => {
  const button = target.closest?.("button[data-copy]");
  if (!button) return;
  const place = document.querySelector(button.dataset.copy);
  const told = button.parentElement.querySelector("[role=status]");
  try {
    await navigator.clipboard.writeText(place.textContent);
    told.textContent = "Copied.";
  } catch {
    // Without https there is no clipboard: whoever reads copies what is selected.
    getSelection().selectAllChildren(place);
    told.textContent = "Selected: press Ctrl+C to copy.";
  }
});

// Hides what was foreseen, and the button that does it, while the form says something else.
import { announce } from "./announce.js";

document.addEventListener("input", ({ target }) => {
  const form = target.closest?.("form[data-foresees]");
  if (!form) return;
  const isOther = [...form.elements].some(isChanged);
  for (const part of document.querySelectorAll("[data-foreseen]")) part.hidden = isOther;
  const notice = document.querySelector("[data-part=other-choice]");
  if (isOther && notice.hidden) announce(notice.textContent);
  notice.hidden = !isOther;
});

function isChanged(field) {
  if (field.options) return ![...field.options].every((one) => one.selected === one.defaultSelected);
  if (["radio", "checkbox"].includes(field.type)) return field.checked !== field.defaultChecked;
  return field.type !== "submit" && field.value !== field.defaultValue;
}

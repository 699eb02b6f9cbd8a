// What is wrong with a field stands below it; whatever else is wrong, in the answer's place.
export function showFault(form, problem) {
  clearFaults(form);
  const place = form.querySelector(`[data-fault="${CSS.escape(problem.option ?? "")}"]`);
  if (!place) return false;
  place.textContent = problem.message;
  const hidden = place.closest("details.more");
  if (hidden) hidden.open = true;
  for (const field of findFields(form, problem.option)) field.setAttribute("aria-invalid", "true");
  return true;
}

export function clearFaults(form) {
  for (const place of form.querySelectorAll("[data-fault]")) place.textContent = "";
  for (const field of form.querySelectorAll("[aria-invalid]")) field.removeAttribute("aria-invalid");
}

// Puts the focus where something has to be changed.
export function focusFault(form, problem) {
  findFields(form, problem.option)[0]?.focus();
}

function findFields(form, option) {
  const found = form.elements[option];
  if (!found) return [];
  return found instanceof RadioNodeList ? [...found].filter((field) => field.checked) : [found];
}

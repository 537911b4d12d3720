// Buttons that copy a field of the page. Without this script they stay hidden, and the field can be copied by hand.
"use strict";
const show = (root) => {
  for (const button of root.querySelectorAll("[data-copy]")) button.hidden = false;
};
show(document);
document.addEventListener("htmx:load", (event) => show(event.detail.elt));
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const field = document.getElementById(button.dataset.copy);
  field.select();
  if (navigator.clipboard) await navigator.clipboard.writeText(field.value);
  else document.execCommand("copy"); // plain http has no clipboard of the newer kind
  button.lastChild.textContent = "Copied";
});

// Small comforts. Every page works without this file.
"use strict";

// A form that was sent is not sent twice by an impatient second click (the server would not buy twice anyway).
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.dataset.sent) {
    event.preventDefault();
    return;
  }
  if (form.method === "post" && !form.dataset.again) {
    form.dataset.sent = "yes";
    form.setAttribute("aria-busy", "true");
  }
});

// Back from the next page: the form may be sent again.
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) {
    delete form.dataset.sent;
    form.removeAttribute("aria-busy");
  }
});

// The purchase form is sent to the address that has its choices: a refused form stands under it.
document.addEventListener("htmx:replacedInHistory", (event) => {
  for (const form of document.querySelectorAll("form.purchase")) form.setAttribute("action", event.detail.path);
});

// A price on its way answers the choices it was asked with. What was changed meanwhile is put back after it: the change
// asks for the next price, and must not find the older value in its field.
const CHOICES = "form.purchase :is(input, select)[id]";
const asked = new Map();
let changed = [];
const valueOf = (field) => (["radio", "checkbox"].includes(field.type) ? field.checked : field.value);

document.addEventListener("htmx:beforeSend", () => {
  asked.clear();
  for (const field of document.querySelectorAll(CHOICES)) asked.set(field.id, valueOf(field));
});
document.addEventListener("htmx:beforeSwap", () => {
  changed = [...document.querySelectorAll(CHOICES)]
    .map((field) => [field.id, valueOf(field)])
    .filter(([id, value]) => asked.has(id) && asked.get(id) !== value);
});
document.addEventListener("htmx:afterSwap", () => {
  for (const [id, value] of changed) {
    const field = document.getElementById(id);
    if (field) field[typeof value === "boolean" ? "checked" : "value"] = value;
  }
  changed = [];
});

// What was unfolded stays so when its part of the page comes anew. A menu folds when something else is pressed.
let unfolded = [];
document.addEventListener("htmx:beforeSwap", () => {
  unfolded = [...document.querySelectorAll("details[id][open]")].map((part) => part.id);
});
document.addEventListener("htmx:afterSwap", () => {
  for (const id of unfolded) document.getElementById(id)?.setAttribute("open", "");
});
function foldMenus(besides) {
  for (const menu of document.querySelectorAll("details.drop[open]")) if (menu !== besides) menu.removeAttribute("open");
}
document.addEventListener("click", (event) => foldMenus(event.target.closest("details.drop")));
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") foldMenus(null);
});

// Copy buttons are made here, so that nobody sees one that cannot work.
function offerCopying(root) {
  if (!navigator.clipboard) return;
  for (const place of root.querySelectorAll("[data-copy]")) {
    if (place.nextElementSibling && place.nextElementSibling.classList.contains("copy")) continue;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy";
    button.textContent = place.dataset.copy;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(place.textContent.trim());
      button.textContent = "✓ " + place.dataset.copy;
    });
    place.after(button);
  }
}
document.addEventListener("DOMContentLoaded", () => offerCopying(document));
document.addEventListener("htmx:afterSettle", (event) => offerCopying(event.target.parentElement || document));

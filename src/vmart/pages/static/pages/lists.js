// Lists whose rows can be ticked: a box for all of them, how many there are, and what is ticked stays so when the list
// comes anew. Without this file the buttons below a list act on what is ticked all the same.
const boxes = () => [...document.querySelectorAll("input.pick[name=id]")];

function counted() {
  const bar = document.getElementById("chosen");
  if (!bar) return;
  const ticked = boxes().filter((box) => box.checked).length;
  bar.dataset.count = ticked;
  bar.querySelector(".number").textContent = ticked;
  const all = document.getElementById("pick-all");
  if (!all) return;
  all.checked = ticked > 0 && ticked === boxes().length;
  all.indeterminate = ticked > 0 && !all.checked;
}

function offerAll() {
  const head = document.querySelector("table.picks thead th");
  if (!head || document.getElementById("pick-all")) return counted();
  const all = document.createElement("input");
  all.type = "checkbox";
  all.className = "form-check-input pick";
  all.id = "pick-all";
  all.setAttribute("aria-label", document.querySelector("table.picks").dataset.all);
  all.addEventListener("change", () => {
    for (const box of boxes()) box.checked = all.checked;
    counted();
  });
  head.prepend(all);
  counted();
}

document.addEventListener("change", (event) => {
  if (event.target.matches?.("input.pick[name=id]")) counted();
});

let ticked = [];
document.addEventListener("htmx:beforeSwap", () => {
  ticked = boxes()
    .filter((box) => box.checked)
    .map((box) => box.value);
});
document.addEventListener("htmx:afterSwap", () => {
  for (const box of boxes()) box.checked = ticked.includes(box.value);
  offerAll();
});
window.addEventListener("pageshow", counted); // back from the next page, the browser has ticked them again
offerAll();

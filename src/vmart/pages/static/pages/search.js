// The search dialog. Without this file its link leads to the search page.
const dialog = document.getElementById("search");
const opener = document.getElementById("search-open");

if (dialog) {
  const word = document.getElementById("search-word");
  const found = document.getElementById("search-found");
  const mac = /Mac|iP(hone|ad|od)/.test(navigator.platform);
  const hits = () => [...found.querySelectorAll("a")];

  if (mac) opener.querySelector("kbd").textContent = "⌘K";

  function open() {
    if (!dialog.open) dialog.showModal();
    word.select();
  }

  // Between the field and the hits, round and round.
  function step(by) {
    const places = [word, ...hits()];
    const at = Math.max(places.indexOf(document.activeElement), 0);
    places[(at + by + places.length) % places.length].focus();
  }

  // Focus stays in the dialog: after the last comes the first.
  function keepInside(event) {
    const places = [word, document.getElementById("search-close"), ...hits()];
    const end = event.shiftKey ? places[0] : places.at(-1);
    if (document.activeElement !== end) return;
    event.preventDefault();
    (event.shiftKey ? places.at(-1) : places[0]).focus();
  }

  opener.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    open();
  });
  document.getElementById("search-close").addEventListener("click", () => dialog.close());
  document.addEventListener("keydown", (event) => {
    if (event.key?.toLowerCase() !== "k" || !(mac ? event.metaKey : event.ctrlKey) || event.altKey || event.shiftKey) return;
    event.preventDefault();
    open();
  });
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
  });
  dialog.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    if (event.key === "Escape") {
      event.preventDefault(); // it would empty the field first
      dialog.close();
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      step(event.key === "ArrowDown" ? 1 : -1);
    } else if (event.key === "Tab") {
      keepInside(event);
    } else if (event.key === "Enter" && event.target === word && shows(word.value)) {
      event.preventDefault();
      hits()[0].click();
    }
  });

  // Whether what is shown was found for this word, and there is something.
  function shows(typed) {
    const shown = found.querySelector("[data-word]");
    return shown?.dataset.word === typed.trim() && hits().length > 0;
  }

  found.addEventListener("htmx:afterSwap", () => {
    document.getElementById("search-said").textContent = found.querySelector("[data-said]")?.dataset.said ?? "";
  });
}

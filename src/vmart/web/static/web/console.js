// A machine's console: a terminal on this page, and a websocket to the gateway of consoles.
"use strict";

(() => {
  const place = document.getElementById("console");
  if (!place) return;
  // The page's policy takes style sheets with its nonce only. The terminal makes some, and writes colours of its own
  // into attributes: both are given a way that the policy knows.
  const nonce = document.currentScript.nonce;
  const make = document.createElement.bind(document);
  document.createElement = (name, options) => {
    const made = make(name, options);
    if (String(name).toLowerCase() === "style") made.nonce = nonce;
    return made;
  };
  const setAttribute = Element.prototype.setAttribute;
  Element.prototype.setAttribute = function set(name, value) {
    if (name === "style") this.style.cssText = value;
    else setAttribute.call(this, name, value);
  };

  const state = document.getElementById("console-state");
  const again = document.getElementById("console-again");
  const screen = document.getElementById("console-screen");
  const PIECE = 8192; // of what is pasted
  const said = place.dataset;
  const terminal = new Terminal({
    cursorBlink: !matchMedia("(prefers-reduced-motion: reduce)").matches,
    fontFamily: getComputedStyle(document.documentElement).getPropertyValue("--mono"),
    fontSize: 14,
    scrollback: 5000,
    screenReaderMode: true,
    theme: colours(),
  });
  const fit = new FitAddon.FitAddon();
  terminal.loadAddon(fit);
  terminal.open(screen);
  terminal.textarea.setAttribute("aria-label", said.label);
  fit.fit();

  function colours() {
    const style = getComputedStyle(screen);
    return { background: style.backgroundColor, foreground: style.color, cursor: style.color };
  }

  const encoder = new TextEncoder();
  let line = null;
  let known = false; // whether the gateway has the ticket, which comes first

  function show(text) {
    state.textContent = text;
  }

  function ended(text) {
    line = null;
    show(text);
    again.hidden = !said.ticket;
    place.classList.remove("open");
    if (!again.hidden && document.activeElement === terminal.textarea) again.focus();
  }

  function isOpen() {
    return known && line !== null && line.readyState === WebSocket.OPEN;
  }

  function size() {
    return { columns: terminal.cols, rows: terminal.rows };
  }

  // The ticket of this page's owner is asked for; that of an address stands behind its #, which no server sees.
  async function ticket() {
    if (!said.ticket) {
      const held = location.hash.slice(1);
      history.replaceState(null, "", location.pathname);
      return held ? { ticket: held } : { refused: said.noTicket };
    }
    const answer = await fetch(said.ticket, { method: "POST", headers: { "X-CSRFToken": said.csrf } });
    return answer.headers.get("Content-Type")?.startsWith("application/json") ? answer.json() : { refused: said.lost };
  }

  async function connect() {
    again.hidden = true;
    show(said.opening);
    let got;
    try {
      got = await ticket();
    } catch {
      got = { refused: said.lost };
    }
    if (got.refused) {
      ended(got.refused);
      return;
    }
    const socket = new WebSocket(said.gateway);
    socket.binaryType = "arraybuffer";
    line = socket;
    known = false;
    let why = said.noGateway;
    socket.addEventListener("open", () => {
      why = said.lost;
      fit.fit();
      socket.send(JSON.stringify({ ticket: got.ticket, language: document.documentElement.lang, ...size() }));
      known = true;
    });
    socket.addEventListener("message", (event) => {
      if (typeof event.data !== "string") {
        terminal.write(new Uint8Array(event.data));
        return;
      }
      const told = JSON.parse(event.data);
      if (told.end) why = told.end;
      if (told.open) {
        show(said.open);
        place.classList.add("open");
        terminal.focus();
      }
    });
    socket.addEventListener("close", () => {
      if (line === socket) ended(why);
    });
  }

  function send(text) {
    if (!isOpen()) return;
    const bytes = typeof text === "string" ? encoder.encode(text) : text;
    for (let at = 0; at < bytes.length; at += PIECE) line.send(bytes.subarray(at, at + PIECE));
  }

  terminal.onData(send);
  terminal.onBinary((text) => send(Uint8Array.from(text, (character) => character.charCodeAt(0))));
  terminal.onResize(() => {
    if (isOpen()) line.send(JSON.stringify(size()));
  });
  terminal.attachCustomKeyEventHandler((event) => {
    if (event.type !== "keydown" || !event.ctrlKey || !event.shiftKey) return true;
    if (event.code === "KeyC" && terminal.hasSelection()) {
      event.preventDefault();
      navigator.clipboard?.writeText(terminal.getSelection());
      return false;
    }
    if (event.code === "KeyV") return false; // the browser pastes, and the terminal takes it
    if (event.code === "Enter") {
      event.preventDefault();
      terminal.textarea.blur();
      (again.hidden ? document.getElementById("content") : again).focus();
      return false;
    }
    return true;
  });
  again.addEventListener("click", () => {
    terminal.reset();
    connect();
  });
  let fitting = 0;
  new ResizeObserver(() => {
    clearTimeout(fitting);
    fitting = setTimeout(() => fit.fit(), 100);
  }).observe(screen);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    terminal.options.theme = colours();
  });
  window.addEventListener("pagehide", () => line?.close());
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) ended(said.lost);
  });
  connect();
})();

// Passkeys: what the browser has to be asked for. A form with data-passkey is sent with what it answers.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const named = !/^[\d.]+$|:/.test(location.hostname); // a passkey is of a name, never of an IP address
  const able = named && window.isSecureContext && window.webauthnJSON.supported();
  for (const form of document.querySelectorAll("form[data-passkey]")) {
    form.querySelector("button").hidden = !able;
    form.querySelector("[data-passkeys-need]").hidden = able;
    form.addEventListener("submit", (event) => ask(event, form));
  }
});

// As the page has them; the page on which one signs in asks for them when they are wanted.
async function optionsOf(form) {
  const given = document.getElementById("passkey-options");
  if (given) return JSON.parse(given.textContent);
  const answer = await fetch(form.action, { headers: { Accept: "application/json" } });
  return answer.json();
}

// Who signs in with it alone is known by it, and shows that he is its owner.
function alone(options, form) {
  const wanted = form.elements.passwordless && form.elements.passwordless.checked;
  const selection = options.publicKey.authenticatorSelection;
  selection.residentKey = wanted ? "required" : "discouraged";
  selection.requireResidentKey = Boolean(wanted);
  if (wanted) selection.userVerification = "required";
  return options;
}

async function ask(event, form) {
  event.preventDefault();
  const error = form.querySelector("[data-passkey-error]");
  error.hidden = true;
  try {
    const options = await optionsOf(form);
    const answer = form.dataset.passkey === "create"
      ? await window.webauthnJSON.create(alone(options.creation_options, form))
      : await window.webauthnJSON.get(options.request_options);
    form.elements.credential.value = JSON.stringify(answer);
    form.submit();
  } catch {
    error.hidden = false;
  }
}

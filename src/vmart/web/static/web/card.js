// The card provider's own element: the card's number never passes the shop. Served only where Stripe is on.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const form = document.getElementById("card-form");
  const message = document.getElementById("card-error");
  if (!form || !window.Stripe) return;
  const stripe = window.Stripe(form.dataset.key);
  const elements = stripe.elements({ clientSecret: form.dataset.secret });
  elements.create("payment").mount("#card-element");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    message.hidden = true;
    const answer = await stripe.confirmPayment({
      elements,
      confirmParams: { return_url: form.dataset.return },
      redirect: "if_required",
    });
    if (answer.error) {
      message.textContent = answer.error.message;
      message.hidden = false;
    } else {
      window.location.reload();
    }
  });
});

"""What localstripe leaves out, as Stripe's API reference describes the exchanges: idempotency keys that are
honoured (400 for other parameters), answers that are lost after the work was done, 5xx, a card tried again.
"""

import json
import threading
import urllib.parse
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


class ReferenceStripe:
    """A server of PaymentIntents and their refunds; ``requests`` has (method, path, idempotency key) of each call."""

    def __init__(self) -> None:
        self.intents: dict[str, dict[str, Any]] = {}
        self.refunds: dict[str, dict[str, Any]] = {}
        self.refund_status = "succeeded"  # of the next ones
        self.requests: list[tuple[str, str, str]] = []
        self.lose_answers = 0  # of the next calls: done, and the connection cut
        self.fail_with: int | None = None  # HTTP status of every call: nothing done
        self.before_answer: Callable[[str], None] = lambda _path: None
        self._by_key: dict[str, tuple[str, int, dict[str, Any]]] = {}
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    # -- what the customer does ----------------------------------------------------------------

    def pay(self, reference: str | None = None) -> dict[str, Any]:
        """The customer confirms with a card that pays."""
        intent = self._one(reference)
        assert intent["status"] == "requires_payment_method", intent["status"]
        intent |= {"status": "succeeded", "amount_received": intent["amount"], "last_payment_error": None}
        return intent

    def decline(self, reference: str | None = None) -> dict[str, Any]:
        """The customer's card is declined; another may be tried."""
        intent = self._one(reference)
        intent["last_payment_error"] = {"code": "card_declined", "message": "Your card was declined."}
        return intent

    def refund_by_hand(self, amount: int, reference: str | None = None) -> dict[str, Any]:
        """The merchant gives back on Stripe's own page."""
        intent = self._one(reference)
        return self._refund({"payment_intent": intent["id"], "amount": str(amount)})[1]

    def refund_fails(self, reference: str | None = None) -> dict[str, Any]:
        """The bank sends back what was given back."""
        refund = self.refunds[reference] if reference else next(iter(self.refunds.values()))
        refund |= {"status": "failed", "failure_reason": "expired_or_canceled_card"}
        return refund

    def _one(self, reference: str | None) -> dict[str, Any]:
        return self.intents[reference] if reference else next(iter(self.intents.values()))

    # -- the API -------------------------------------------------------------------------------

    def _answer(self, method: str, path: str, parameters: dict[str, str], key: str) -> tuple[int, dict[str, Any]]:
        with self._lock:
            if self.fail_with is not None:
                return self.fail_with, {"error": {"type": "api_error", "message": "An error happened."}}
            if not key:
                return self._do(method, path, parameters)
            asked = json.dumps([path, parameters], sort_keys=True)
            if key not in self._by_key:
                self._by_key[key] = (asked, *self._do(method, path, parameters))
            known, status, answer = self._by_key[key]
            if known != asked:
                return 400, {"error": {"type": "idempotency_error", "message": "Keys for idempotent requests …"}}
            return status, json.loads(json.dumps(answer))

    def _do(self, method: str, path: str, parameters: dict[str, str]) -> tuple[int, dict[str, Any]]:
        noun, *words = path.strip("/").split("/")[1:]
        do = self._do_refunds if noun == "refunds" else self._do_intents
        return do(method, path, words, parameters)

    def _do_intents(
        self, method: str, path: str, words: list[str], parameters: dict[str, str]
    ) -> tuple[int, dict[str, Any]]:
        if method == "POST" and not words:
            if int(parameters["amount"]) < 50:
                return 400, _invalid("amount_too_small", "Amount must be at least ¥0.50 cny.")
            number = f"pi_{len(self.intents) + 1:024d}"
            self.intents[number] = {
                "id": number, "object": "payment_intent", "amount": int(parameters["amount"]), "amount_received": 0,
                "currency": parameters["currency"], "status": "requires_payment_method", "last_payment_error": None,
                "client_secret": f"{number}_secret_x",
                "metadata": {
                    name: parameters.get(f"metadata[{name}]", "") for name in ("vmart_payment", "vmart_deployment")
                },
            }  # fmt: skip
            return 200, dict(self.intents[number])
        if not words:
            return _listed(self.intents, path, parameters)
        intent = self.intents.get(words[0])
        if intent is None:
            return 404, _invalid("resource_missing", f"No such payment_intent: '{words[0]}'")
        if words[1:] == ["cancel"]:
            if intent["status"] != "requires_payment_method":
                return 400, _invalid("payment_intent_unexpected_state", "You cannot cancel this PaymentIntent …")
            intent["status"] = "canceled"
        return 200, dict(intent)

    def _do_refunds(
        self, method: str, path: str, words: list[str], parameters: dict[str, str]
    ) -> tuple[int, dict[str, Any]]:
        if method == "POST":
            return self._refund(parameters)
        if not words:
            of = parameters.get("payment_intent")
            return _listed(
                {n: r for n, r in self.refunds.items() if of in (None, r["payment_intent"])}, path, parameters
            )
        refund = self.refunds.get(words[0])
        return (200, dict(refund)) if refund else (404, _invalid("resource_missing", f"No such refund: '{words[0]}'"))

    def _refund(self, parameters: dict[str, str]) -> tuple[int, dict[str, Any]]:
        intent, amount = self.intents[parameters["payment_intent"]], int(parameters["amount"])
        given = sum(
            one["amount"] for one in self.refunds.values()
            if one["payment_intent"] == intent["id"] and one["status"] not in ("failed", "canceled")
        )  # fmt: skip
        if given + amount > intent["amount_received"]:
            return 400, _invalid("charge_already_refunded", "Refund amount is greater than unrefunded amount …")
        number = f"re_{len(self.refunds) + 1:024d}"
        metadata = {name: parameters.get(f"metadata[{name}]", "") for name in ("vmart_refund", "vmart_deployment")}
        self.refunds[number] = {
            "id": number, "object": "refund", "amount": amount, "currency": intent["currency"],
            "payment_intent": intent["id"], "charge": "ch_1", "status": self.refund_status,
            "metadata": {name: value for name, value in metadata.items() if value},
        }  # fmt: skip
        return 200, dict(self.refunds[number])

    def forget_keys(self) -> None:
        """A day has passed since they were used."""
        self._by_key.clear()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def _serve(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                path, _, query = self.path.partition("?")
                parameters = dict(urllib.parse.parse_qsl(self.rfile.read(length).decode() or query))
                key = self.headers.get("Idempotency-Key", "")
                endpoint.requests.append((self.command, self.path, key))
                status, answer = endpoint._answer(self.command, path, parameters, key)
                endpoint.before_answer(self.path)
                if endpoint.lose_answers:
                    endpoint.lose_answers -= 1
                    self.close_connection = True
                    return
                body = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = _serve  # noqa: N815  names of the base class

            def log_message(self, *_: object) -> None:
                pass

        return Handler


def _listed(of: dict[str, dict[str, Any]], path: str, parameters: dict[str, str]) -> tuple[int, dict[str, Any]]:
    """A page of them, newest first."""
    after, most = parameters.get("starting_after", ""), int(parameters["limit"])
    rest = [number for number in sorted(of, reverse=True) if not after or number < after]
    data = [dict(of[number]) for number in rest[:most]]
    return 200, {"object": "list", "url": path, "has_more": len(rest) > most, "data": data}


def _invalid(code: str, message: str) -> dict[str, Any]:
    return {"error": {"type": "invalid_request_error", "code": code, "message": message}}

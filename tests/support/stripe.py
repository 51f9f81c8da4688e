"""A small server that answers as Stripe does: the shapes of its public reference, and what a test wants of them."""

import json
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs

KEY, WEBHOOK_SECRET = "sk_test_argosy", "whsec_argosy"


class Account:
    """What Stripe knows of one account; `trouble` has the answers that come first, as (status, headers)."""

    def __init__(self) -> None:
        self.intents: dict[str, dict[str, Any]] = {}
        self.refunds: dict[str, dict[str, Any]] = {}
        self.kept: dict[str, tuple[int, dict[str, Any]]] = {}
        self.calls: list[tuple[str, str, str | None]] = []
        self.trouble: list[tuple[int, dict[str, str]]] = []
        self.charged = 0
        self.url = ""

    def answer(self, method: str, path: str, form: dict[str, str], key: str | None) -> tuple[int, dict[str, Any]]:
        """Answer a call; with a key that was used, as the first time."""
        self.calls.append((method, path, key))
        if key is not None and key in self.kept:
            return self.kept[key]
        found = self._answer(method, path.removeprefix("/v1/").split("/"), form)
        if key is not None:
            self.kept[key] = found
        return found

    def _answer(self, method: str, parts: list[str], form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        match method, parts:
            case "POST", ["payment_intents"]:
                return 200, self._make(form)
            case "POST", ["payment_intents", name, "confirm"]:
                return self._confirm(self.intents[name])
            case "POST", ["payment_intents", name, "cancel"]:
                return self._cancel(self.intents[name])
            case "GET", ["payment_intents", name]:
                return 200, self.intents[name]
            case "POST", ["refunds"]:
                return 200, self._refund(form["payment_intent"])
            case "GET", ["refunds", name]:
                return 200, self.refunds[name]
            case _:
                return 404, {"error": {"type": "invalid_request_error", "message": "Unrecognized request URL"}}

    def _make(self, form: dict[str, str]) -> dict[str, Any]:
        intent = {
            "id": f"pi_{secrets.token_hex(6)}",
            "object": "payment_intent",
            "amount": int(form["amount"]),
            "currency": form["currency"],
            "status": "requires_confirmation",
            "payment_method": form["payment_method"],
            "last_payment_error": None,
            "next_action": None,
            "metadata": {name: form[f"metadata[{name}]"] for name in ("payment_id", "order_id")},
        }
        self.intents[str(intent["id"])] = intent
        return intent

    def _confirm(self, intent: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        method = intent["payment_method"]
        if method == "pm_card_chargeDeclinedInsufficientFunds":
            error = {
                "type": "card_error",
                "code": "card_declined",
                "decline_code": "insufficient_funds",
                "message": "Your card has insufficient funds.",
            }
            intent |= {"status": "requires_payment_method", "last_payment_error": error, "payment_method": None}
            return 402, {"error": {**error, "payment_intent": intent}}
        if method == "pm_card_threeDSecure2Required":
            redirect = {"url": "https://hooks.stripe.example/3d", "return_url": "https://hub.example.org/"}
            intent |= {
                "status": "requires_action",
                "next_action": {"type": "redirect_to_url", "redirect_to_url": redirect},
            }
            return 200, intent
        if intent["status"] == "succeeded":
            error = {"type": "invalid_request_error", "code": "payment_intent_unexpected_state", "message": "No."}
            return 400, {"error": {**error, "payment_intent": intent}}
        intent["status"] = "succeeded"
        self.charged += 1
        return 200, intent

    def _cancel(self, intent: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if intent["status"] == "succeeded":
            error = {"type": "invalid_request_error", "code": "payment_intent_unexpected_state", "message": "No."}
            return 400, {"error": {**error, "payment_intent": intent}}
        intent["status"] = "canceled"
        return 200, intent

    def _refund(self, name: str) -> dict[str, Any]:
        intent = self.intents[name]
        refund = {
            "id": f"re_{secrets.token_hex(6)}",
            "object": "refund",
            "amount": intent["amount"],
            "currency": intent["currency"],
            "payment_intent": name,
            "status": "pending",
        }
        self.refunds[str(refund["id"])] = refund
        return dict(refund)


class _Handler(BaseHTTPRequestHandler):
    account: ClassVar[Account]
    protocol_version = "HTTP/1.1"

    def _respond(self) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        form = {name: values[0] for name, values in parse_qs(content).items()}
        lost: dict[str, str] = {}
        status, body = 401, {"error": {"type": "invalid_request_error", "message": "Invalid API Key provided"}}
        if self.headers.get("Authorization", "").startswith("Basic "):
            trouble = self.account.trouble.pop(0) if self.account.trouble else None
            if trouble is not None and trouble[0] != 0:
                status, lost = trouble
                body = {"error": {"type": "api_error", "message": "Something went wrong."}}
            else:
                key = self.headers.get("Idempotency-Key")
                status, body = self.account.answer(self.command, self.path, form, key)
                if trouble is not None:  # it was done, and nobody hears of it
                    self.close_connection = True
                    return
        sent = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(sent)), **lost}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(sent)

    do_GET = do_POST = _respond  # noqa: N815 - the base class's names

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def stripe() -> Iterator[Account]:
    """Run the server; return its account."""
    account = Account()
    handler = type("Handler", (_Handler,), {"account": account})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    account.url = f"http://127.0.0.1:{server.server_address[1]}"
    running = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    running.start()
    try:
        yield account
    finally:
        server.shutdown()
        server.server_close()
        running.join()

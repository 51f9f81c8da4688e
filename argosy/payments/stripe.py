"""Stripe as the provider: payment intents and refunds over its HTTP API, and its signed webhooks.

Calls that make something carry an Idempotency-Key from the payment's id. Stripe keeps what a key was answered, failures
too, so a confirmation that is tried again has a key of its own; the intent itself is charged once at most.
"""

import base64
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import quote, urlencode
from uuid import UUID

from pydantic import SecretStr

from argosy.kit.clock import now
from argosy.kit.outgoing import Outgoing, RemoteFailed, TargetRefused
from argosy.payments.provider import (
    CANCELLED,
    Charge,
    Intent,
    IntentStatus,
    Notice,
    ProviderRefused,
    ProviderUnavailable,
    Refund,
    RefundStatus,
)
from argosy.payments.signatures import verify

T = TypeVar("T")
NAME = "stripe"
HEADER = "Stripe-Signature"
METHOD = re.compile(r"pm_\w{1,200}", re.ASCII)
# Digits that Stripe counts more (or fewer) of a currency than ISO 4217, for compatibility with its past.
SHIFTED = {"ISK": 2, "UGX": 2, "MGA": -2}
STATUSES = {
    "requires_confirmation": IntentStatus.CREATED,
    "requires_action": IntentStatus.PROCESSING,
    "processing": IntentStatus.PROCESSING,
    "requires_capture": IntentStatus.PROCESSING,
    "succeeded": IntentStatus.SUCCEEDED,
    "canceled": IntentStatus.FAILED,
}
REFUND_STATUSES = {
    "succeeded": RefundStatus.SUCCEEDED,
    "failed": RefundStatus.FAILED,
    "canceled": RefundStatus.FAILED,
}
# Not about what was asked: the key is wrong, another call is at it, there are too many.
LATER = frozenset({401, 403, 409, 429})
OK, SERVER_ERROR = 200, 500


class StripeProvider:
    """Stripe's API, as one account uses it."""

    name = NAME

    def __init__(
        self,
        outgoing: Outgoing,
        *,
        url: str,
        key: SecretStr,
        webhook_secrets: Sequence[SecretStr],
        tolerance: float,
        return_url: str | None,
    ) -> None:
        self._outgoing = outgoing
        self._url = url.rstrip("/")
        self._key = key
        self._webhook_secrets = webhook_secrets
        self._tolerance = tolerance
        self._return_url = return_url

    def method(self, asked: str | None) -> str:
        """Return the method to use."""
        if asked is None or not METHOD.fullmatch(asked):
            raise ValueError("must be the id of a payment method at Stripe, pm_…")
        return asked

    async def create(self, charge: Charge) -> Intent:
        """Make an intent, once for each payment."""
        form = {
            "amount": str(_shifted(charge.amount, charge.currency)),
            "currency": charge.currency.lower(),
            "payment_method": charge.method,
            "automatic_payment_methods[enabled]": "true",
            "metadata[payment_id]": str(charge.payment_id),
            "metadata[order_id]": str(charge.order_id),
        }
        if self._return_url is None:
            form["automatic_payment_methods[allow_redirects]"] = "never"
        return await self._call(_intent, "POST", "payment_intents", form, f"{charge.payment_id}-create")

    async def confirm(self, reference: str, charge: Charge) -> Intent:
        """Have an intent charged."""
        form = {"payment_method": charge.method}
        if self._return_url is not None:
            form["return_url"] = self._return_url
        key = f"{charge.payment_id}-confirm-{charge.attempt}"
        return await self._call(_intent, "POST", f"payment_intents/{quote(reference, safe='')}/confirm", form, key)

    async def retrieve(self, reference: str) -> Intent:
        """Return an intent as it is."""
        return await self._call(_intent, "GET", f"payment_intents/{quote(reference, safe='')}")

    async def cancel(self, reference: str) -> Intent:
        """Cancel an intent; one that cannot be any more is returned as it is."""
        return await self._call(_intent, "POST", f"payment_intents/{quote(reference, safe='')}/cancel")

    async def refund(self, reference: str, key: str) -> Refund:
        """Give all of a charge back."""
        return await self._call(_refund, "POST", "refunds", {"payment_intent": reference}, key)

    async def retrieve_refund(self, reference: str) -> Refund:
        """Return a refund as it is."""
        return await self._call(_refund, "GET", f"refunds/{quote(reference, safe='')}")

    def read(self, headers: Mapping[str, str], body: bytes) -> Notice:
        """Return what a webhook tells."""
        secrets = [secret.get_secret_value().encode() for secret in self._webhook_secrets]
        verify(secrets, headers.get(HEADER), body, at=now().timestamp(), tolerance=self._tolerance)
        event = json.loads(body)
        return Notice(event["id"], event["type"], _about(event["data"]["object"]))

    async def _call(
        self,
        read: Callable[[dict[str, Any]], T],
        method: str,
        path: str,
        form: Mapping[str, str] | None = None,
        key: str | None = None,
    ) -> T:
        secret = base64.b64encode(f"{self._key.get_secret_value()}:".encode()).decode()
        headers = {"Authorization": f"Basic {secret}", "Content-Type": "application/x-www-form-urlencoded"}
        if key is not None:
            headers["Idempotency-Key"] = key
        try:
            content = urlencode(form or {}).encode()
            answer = await self._outgoing.request(method, f"{self._url}/v1/{path}", headers=headers, content=content)
        except (RemoteFailed, TargetRefused) as error:
            raise ProviderUnavailable(f"Stripe was not reached: {error}") from error
        if answer.status >= SERVER_ERROR or answer.status in LATER:
            raise ProviderUnavailable(f"Stripe answered {answer.status}", _seconds(answer.headers.get("retry-after")))
        try:
            found = json.loads(answer.content)
            return read(found if answer.status == OK else _of_refusal(found["error"]))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ProviderUnavailable(f"Stripe's answer with {answer.status} cannot be read") from error


def _of_refusal(error: dict[str, Any]) -> dict[str, Any]:
    """Return the intent that a refusal is about, which says more; raises `ProviderRefused` when there is none."""
    intent: dict[str, Any] | None = error.get("payment_intent")
    if intent is not None:
        return intent
    raise ProviderRefused(error.get("decline_code") or error.get("code") or error["type"], error.get("message") or "")


def _about(told: dict[str, Any]) -> Intent | Refund | None:
    match told["object"]:
        case "payment_intent":
            return _intent(told)
        case "refund" if told.get("payment_intent"):
            return _refund(told)
        case _:
            return None


def _intent(told: dict[str, Any]) -> Intent:
    failure = told.get("last_payment_error") or {}
    status = STATUSES.get(told["status"])
    if status is None:  # it waits for a method: for its first, or for another after it was declined
        status = IntentStatus.FAILED if failure else IntentStatus.CREATED
    code = failure.get("decline_code") or failure.get("code") or failure.get("type")
    cancelled = told["status"] == "canceled"
    currency = told["currency"].upper()
    return Intent(
        reference=told["id"],
        status=status,
        amount=_unshifted(told["amount"], currency),
        currency=currency,
        payment_id=_uuid((told.get("metadata") or {}).get("payment_id")),
        code=CANCELLED if cancelled else code,
        message="The charge was cancelled." if cancelled else failure.get("message"),
        action_url=((told.get("next_action") or {}).get("redirect_to_url") or {}).get("url"),
    )


def _refund(told: dict[str, Any]) -> Refund:
    currency = told["currency"].upper()
    failed = told["status"] in {"failed", "canceled"}
    return Refund(
        reference=told["id"],
        intent=told["payment_intent"],
        status=REFUND_STATUSES.get(told["status"], RefundStatus.PENDING),
        amount=_unshifted(told["amount"], currency),
        currency=currency,
        code=(told.get("failure_reason") or "refund_failed") if failed else None,
    )


def _shifted(amount: int, currency: str) -> int:
    digits = SHIFTED.get(currency, 0)
    if digits >= 0:
        return int(amount * 10**digits)
    whole, rest = divmod(amount, 10**-digits)
    if rest:
        raise ProviderRefused("amount_too_fine", f"Stripe takes whole {currency} only")
    return int(whole)


def _unshifted(amount: int, currency: str) -> int:
    digits = SHIFTED.get(currency, 0)
    return int(amount // 10**digits if digits >= 0 else amount * 10**-digits)


def _uuid(text: str | None) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        return None


def _seconds(header: str | None) -> float | None:
    return float(header) if header and header.isdigit() else None

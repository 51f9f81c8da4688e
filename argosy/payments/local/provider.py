"""A payment provider on this machine, for development, tests and demonstrations: it moves no money.

In all else it is like a real one. What it is asked is written to its books before it answers; a confirmed charge is
`processing`, and what became of it is told by a signed webhook over HTTP, sent by `argosy.payments.local.bank`.
"""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID

from argosy.kit.clock import now
from argosy.kit.crypto import KeyRing
from argosy.kit.db.session import Database, WriteSession
from argosy.kit.ids import new_id
from argosy.payments.local.methods import METHODS, USUAL
from argosy.payments.local.models import LocalIntent, LocalRefund, LocalWebhook
from argosy.payments.local.repository import IntentRepository, RefundRepository, WebhookRepository
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
from argosy.settings import PaymentsSettings

PURPOSE = "payments.local"
SIGNAL = "payments.local"
HEADER = "Argosy-Signature"
NAME = "local"
REFUNDED = "refund.updated"
KEEP = timedelta(days=30)


class LocalProvider:
    """The desk of the provider: what may be asked of it."""

    name = NAME

    def __init__(self, database: Database, keys: KeyRing, settings: PaymentsSettings) -> None:
        self._database = database
        self._secret = keys.key(PURPOSE)
        self._delay = settings.local_delay
        self._tolerance = settings.tolerance

    def method(self, asked: str | None) -> str:
        """Return the method to use."""
        if asked is not None and asked not in METHODS:
            raise ValueError(f"must be one of {', '.join(METHODS)}")
        return asked or USUAL

    async def create(self, charge: Charge) -> Intent:
        """Make an intent, once for each payment."""
        async with self._database.write() as session:
            intents = IntentRepository(session)
            intent = await intents.of(charge.payment_id) or await intents.add(
                LocalIntent(
                    id=f"pi_{new_id().hex}",
                    payment_id=charge.payment_id,
                    amount=charge.amount,
                    currency=charge.currency,
                    method=charge.method,
                )
            )
            return intent_of(intent)

    async def confirm(self, reference: str, charge: Charge) -> Intent:
        """Charge an intent, in the way of its method."""
        method = METHODS[charge.method]
        async with self._database.write() as session:
            intent = await _locked(session, reference)
            if intent.status is not IntentStatus.CREATED:
                return intent_of(intent)
            intent.status = IntentStatus.PROCESSING if method.answers else IntentStatus.SUCCEEDED
            for told in method.told:
                failed = told.status is IntentStatus.FAILED
                session.add(
                    LocalWebhook(
                        id=f"evt_{new_id().hex}",
                        intent_id=intent.id,
                        kind=f"intent.{told.status}",
                        status=told.status,
                        code=method.code if failed else None,
                        message=method.message if failed else None,
                        times=told.times,
                        due_at=self._after(told.after),
                    )
                )
            session.wake(SIGNAL)
        if not method.answers:
            raise ProviderUnavailable("the answer was lost, as this method has it")
        return intent_of(intent)

    async def retrieve(self, reference: str) -> Intent:
        """Return an intent as it is."""
        async with self._database.read() as session:
            intent = await IntentRepository(session).get(reference)
        if intent is None:
            raise ProviderRefused("unknown_intent", "there is no such intent")
        return intent_of(intent)

    async def cancel(self, reference: str) -> Intent:
        """Cancel an intent that was not charged yet."""
        async with self._database.write() as session:
            intent = await _locked(session, reference)
            if intent.status in {IntentStatus.CREATED, IntentStatus.PROCESSING}:
                intent.status, intent.code, intent.message = IntentStatus.FAILED, CANCELLED, "The charge was cancelled."
            return intent_of(intent)

    async def refund(self, reference: str, key: str) -> Refund:
        """Give a charge back, once for each key; told by a webhook."""
        async with self._database.write() as session:
            intent = await _locked(session, reference)
            refunds = RefundRepository(session)
            refund = await refunds.of(key)
            if refund is None:
                if intent.status is not IntentStatus.SUCCEEDED:
                    raise ProviderRefused("not_charged", "the intent was not charged")
                refund = await refunds.add(LocalRefund(id=f"re_{new_id().hex}", key=key, intent_id=intent.id))
                self._tell_of(session, refund, METHODS[intent.method].refunds)
            return refund_of(refund, intent)

    async def retrieve_refund(self, reference: str) -> Refund:
        """Return a refund as it is."""
        async with self._database.read() as session:
            refund = await RefundRepository(session).get(reference)
            intent = await IntentRepository(session).get(refund.intent_id) if refund is not None else None
        if refund is None or intent is None:
            raise ProviderRefused("unknown_refund", "there is no such refund")
        return refund_of(refund, intent)

    def read(self, headers: Mapping[str, str], body: bytes) -> Notice:
        """Return what a webhook tells."""
        verify([self._secret], headers.get(HEADER), body, at=now().timestamp(), tolerance=self._tolerance)
        told = json.loads(body)
        about = told["data"]
        found = _refund(about) if told["type"] == REFUNDED else _intent(about)
        return Notice(told["id"], told["type"], found)

    def _tell_of(self, session: WriteSession, refund: LocalRefund, succeeds: bool) -> None:
        session.add(
            LocalWebhook(
                id=f"evt_{new_id().hex}",
                intent_id=refund.intent_id,
                refund_id=refund.id,
                kind=REFUNDED,
                status=RefundStatus.SUCCEEDED if succeeds else RefundStatus.FAILED,
                code=None if succeeds else "refund_refused",
                message=None if succeeds else "The bank did not take the money back.",
                due_at=self._after(1.0),
            )
        )
        session.wake(SIGNAL)

    def _after(self, times: float) -> datetime:
        return now() + timedelta(seconds=self._delay * times)


async def _locked(session: WriteSession, reference: str) -> LocalIntent:
    intent = await IntentRepository(session).lock(reference)
    if intent is None:
        raise ProviderRefused("unknown_intent", "there is no such intent")
    return intent


def intent_of(row: LocalIntent) -> Intent:
    """Return a charge as the provider tells of it."""
    return Intent(row.id, row.status, row.amount, row.currency, row.payment_id, row.code, row.message)


def refund_of(row: LocalRefund, intent: LocalIntent) -> Refund:
    """Return a refund as the provider tells of it."""
    return Refund(row.id, intent.id, row.status, intent.amount, intent.currency, row.code, row.message)


def _intent(about: dict[str, str]) -> Intent:
    return Intent(
        about["reference"],
        IntentStatus(about["status"]),
        int(about["amount"]),
        about["currency"],
        UUID(about["payment_id"]),
        about["code"],
        about["message"],
    )


def _refund(about: dict[str, str]) -> Refund:
    return Refund(
        about["reference"],
        about["intent"],
        RefundStatus(about["status"]),
        int(about["amount"]),
        about["currency"],
        about["code"],
        about["message"],
    )


async def forget_webhooks(session: WriteSession) -> None:
    """Forget messages that were delivered long ago."""
    await WebhookRepository(session).forget(now() - KEEP)

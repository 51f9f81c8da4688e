"""The back office of the local provider: at its time a charge is made or declined, and its webhook sent.

Both are in the books with their time, so whatever was accepted is confirmed, also when the server was killed meanwhile.
The webhook goes over HTTP to the server's own public route, signed anew each time, until it is taken.
"""

import asyncio
import json
import ssl
from collections.abc import Callable
from dataclasses import asdict
from datetime import timedelta

import httpx2

from argosy.kit.clock import now
from argosy.kit.crypto import KeyRing
from argosy.kit.db.session import Database, WriteSession
from argosy.kit.logs import get_logger
from argosy.kit.outgoing import system_trust
from argosy.payments.attending import attend
from argosy.payments.local.models import LocalWebhook
from argosy.payments.local.provider import HEADER, NAME, PURPOSE, SIGNAL, intent_of, refund_of
from argosy.payments.local.repository import IntentRepository, RefundRepository, WebhookRepository
from argosy.payments.provider import IntentStatus, RefundStatus
from argosy.payments.signatures import sign
from argosy.settings import NetworkSettings

SEND_SECONDS = 10.0
LEASE = timedelta(seconds=30)
MAX_BACKOFF = 3600.0
MOST_ATTEMPTS = 40  # over a day
PATH = f"/api/v1/payments/webhooks/{NAME}"
log = get_logger(__name__)


class LocalBank:
    """Does what the provider has accepted."""

    def __init__(
        self, database: Database, keys: KeyRing, address: Callable[[], str], tls: ssl.SSLContext | None
    ) -> None:
        self._database = database
        self._secret = keys.key(PURPOSE)
        self._address = address
        self._tls = tls
        self._client: httpx2.AsyncClient | None = None

    async def run(self) -> None:
        """Work until cancelled."""
        trusted = self._tls or system_trust()
        async with httpx2.AsyncClient(timeout=SEND_SECONDS, trust_env=False, verify=trusted) as self._client:
            await attend(self._database, SIGNAL, WebhookRepository, self._deliver)

    async def _deliver(self, webhook_id: str) -> None:
        body = await self._claim(webhook_id)
        if body is not None:
            await self._noted(webhook_id, taken=await self._send(body))

    async def _claim(self, webhook_id: str) -> bytes | None:
        """Let happen what a message tells, and return it."""
        async with self._database.write() as session:
            webhook = await WebhookRepository(session).lock(webhook_id)
            if webhook is None or webhook.due_at is None or webhook.due_at > now():
                return None
            webhook.attempts += 1
            webhook.due_at = now() + LEASE
            about = await _happen(session, webhook)
            if about is None:
                webhook.due_at = None
                return None
            told = {"id": webhook.id, "type": webhook.kind, "created": int(webhook.created_at.timestamp())}
            return json.dumps({**told, "data": about}, default=str).encode()

    async def _send(self, body: bytes) -> bool:
        assert self._client is not None  # noqa: S101 - it runs
        signature = sign(self._secret, body, int(now().timestamp()))
        headers = {"Content-Type": "application/json", HEADER: signature}
        try:
            async with asyncio.timeout(SEND_SECONDS):
                answer = await self._client.post(f"{self._address()}{PATH}", content=body, headers=headers)
        except (httpx2.HTTPError, OSError, TimeoutError) as error:
            log.warning("local_webhook_not_taken", error=repr(error))
            return False
        if not answer.is_success:
            log.warning("local_webhook_not_taken", status=answer.status_code)
        return answer.is_success

    async def _noted(self, webhook_id: str, *, taken: bool) -> None:
        async with self._database.write() as session:
            webhook = await WebhookRepository(session).lock(webhook_id)
            if webhook is None:
                return
            if taken:
                webhook.times, webhook.attempts = webhook.times - 1, 0
                webhook.due_at = now() if webhook.times > 0 else None
            elif webhook.attempts >= MOST_ATTEMPTS:
                webhook.due_at = None
            else:
                webhook.due_at = now() + timedelta(seconds=min(2.0 ** (webhook.attempts - 2), MAX_BACKOFF))


async def _happen(session: WriteSession, webhook: LocalWebhook) -> dict[str, object] | None:
    """Let a charge or a refund become what its message tells; None when something else has become of it."""
    intent = await IntentRepository(session).lock(webhook.intent_id)
    if intent is None:
        return None
    told = {"status": webhook.status, "code": webhook.code, "message": webhook.message}
    if webhook.refund_id is not None:
        refund = await RefundRepository(session).get(webhook.refund_id)
        if refund is None:
            return None
        if refund.status is RefundStatus.PENDING:
            refund.status, refund.code, refund.message = RefundStatus(webhook.status), webhook.code, webhook.message
        return {**asdict(refund_of(refund, intent)), **told}
    if intent.status is IntentStatus.PROCESSING:
        intent.status, intent.code, intent.message = IntentStatus(webhook.status), webhook.code, webhook.message
    cancelled = intent.status is IntentStatus.FAILED and webhook.status != IntentStatus.FAILED
    return None if cancelled else {**asdict(intent_of(intent)), **told}


def own_certificate(settings: NetworkSettings) -> ssl.SSLContext | None:
    """Return how to recognize this very server when it serves HTTPS: by its certificate, whatever its name."""
    if settings.tls_certificate is None:
        return None
    context = ssl.create_default_context(cafile=str(settings.tls_certificate))
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    if settings.tls_client_ca is not None and settings.tls_key is not None:
        context.load_cert_chain(settings.tls_certificate, settings.tls_key)
    return context

"""The audit log: every event of note becomes a link, which carries the hash of the one before it.

Links are made by the outbox's dispatcher, so an action and its entry cannot be parted by a crash, and no request waits
for a chain. Changing, removing or moving a link breaks every hash after it.
"""

import hashlib
import json
from collections.abc import AsyncIterator
from datetime import UTC
from uuid import UUID

from argosy.audit.models import PLATFORM, AuditEntry
from argosy.audit.repository import GENESIS, AuditRepository
from argosy.audit.schemas import AuditFilter, AuditRead, AuditVerification
from argosy.events.models import Event
from argosy.kit.clock import now
from argosy.kit.db.session import ReadSession, WriteSession
from argosy.kit.pagination import Listing, PageQuery
from argosy.kit.principal import Principal
from argosy.mail.service import MAIL_QUEUED
from argosy.organizations.service import OrganizationReader

UNRECORDED = frozenset({MAIL_QUEUED, "account.code_requested"})


async def append(session: WriteSession, event: Event) -> None:
    """Add an event to the chain of its organization, or the platform's."""
    if event.kind in UNRECORDED:
        return
    audit = AuditRepository(session)
    chain = event.organization_id or PLATFORM
    link = await audit.next_link(chain)
    entry = AuditEntry(
        id=event.id,
        organization_id=chain,
        sequence=link.sequence,
        at=event.created_at,
        action=event.kind,
        subject=event.subject,
        actor_kind=event.actor_kind,
        actor_id=event.actor_id,
        address=event.address,
        user_agent=event.user_agent,
        request_id=event.request_id,
        details=event.payload,
        previous_hash=link.hash,
    )
    entry.hash = digest(entry)
    link.hash = entry.hash
    await audit.add(entry)


def digest(entry: AuditEntry) -> str:
    """Return the SHA-256 over all that an entry says and the hash before it, as canonical JSON."""
    content = {
        "chain": str(entry.organization_id),
        "sequence": entry.sequence,
        "id": str(entry.id),
        "at": entry.at.astimezone(UTC).isoformat(),
        "action": entry.action,
        "subject": entry.subject,
        "actor": [entry.actor_kind, str(entry.actor_id) if entry.actor_id else None],
        "from": [entry.address, entry.user_agent, entry.request_id],
        "details": entry.details,
        "previous_hash": entry.previous_hash,
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


class AuditReader:
    """Answers what happened."""

    def __init__(self, session: ReadSession) -> None:
        self.audit = AuditRepository(session)
        self._organizations = OrganizationReader(session)

    async def chain_of(self, principal: Principal, org: str) -> UUID:
        """Return the chain of the caller's organization; raises `OrganizationNotFound`."""
        return (await self._organizations.get(principal, org)).id

    async def list(self, chain: UUID, query: PageQuery, sort: str, only: AuditFilter) -> Listing[AuditEntry]:
        """Return entries of a chain."""
        return await self.audit.page(self.audit.matching(chain, only), query, sort)

    async def verify(self, chain: UUID) -> AuditVerification:
        """Check every link of a chain against the one before it, and the last against the chain's head."""
        expected, sequence = GENESIS, 0
        async for entry in self.audit.in_order(chain):
            sequence += 1
            if entry.sequence != sequence or entry.previous_hash != expected or digest(entry) != entry.hash:
                return AuditVerification(intact=False, entries=sequence - 1, broken_at=sequence, head=expected)
            expected = entry.hash
        head = await self.audit.head(chain)
        whole = head is None or (head.sequence == sequence and head.hash == expected)
        return AuditVerification(
            intact=whole, entries=sequence, broken_at=None if whole else sequence + 1, head=expected
        )

    async def export(self, chain: UUID) -> AsyncIterator[bytes]:
        """Yield a chain as JSON lines, with the hashes, so that it can be verified elsewhere."""
        async for entry in self.audit.in_order(chain):
            yield AuditRead.model_validate(entry).model_dump_json().encode() + b"\n"


def exported_name() -> str:
    """Return the file name of an export made now."""
    return f"audit-{now():%Y%m%dT%H%M%SZ}.jsonl"

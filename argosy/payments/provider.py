"""The port to whatever moves the money.

A charge is an *intent* at the provider: made, which takes no money, then confirmed, which may. Whatever comes of it is
told by the provider, in an answer or later in a webhook; both say the same `Intent`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol
from uuid import UUID

CANCELLED = "cancelled"  # the code of an intent that failed because it was asked to


class IntentStatus(StrEnum):
    """What a provider says of a charge."""

    CREATED = "created"
    PROCESSING = "processing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class RefundStatus(StrEnum):
    """What a provider says of a refund."""

    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Charge:
    """Money that an order asks for; `attempt` counts how often the provider was called for it."""

    payment_id: UUID
    order_id: UUID
    amount: int
    currency: str
    method: str
    attempt: int = 1


@dataclass(frozen=True, slots=True)
class Intent:
    """A charge as the provider has it; `action_url` is where its payer has to go first."""

    reference: str
    status: IntentStatus
    amount: int
    currency: str
    payment_id: UUID | None = None
    code: str | None = None
    message: str | None = None
    action_url: str | None = None


@dataclass(frozen=True, slots=True)
class Refund:
    """All of a charge on its way back; `intent` is the charge's reference."""

    reference: str
    intent: str
    status: RefundStatus
    amount: int
    currency: str
    code: str | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True)
class Notice:
    """What a webhook tells, once its signature was found good; about nothing of ours if it tells of neither."""

    event_id: str
    kind: str
    about: Intent | Refund | None


class ProviderUnavailable(Exception):
    """The provider did not answer, or not now: what it did is unknown, and it is asked again."""

    def __init__(self, detail: str, retry_after: float | None = None) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class ProviderRefused(Exception):
    """The provider said no, and would again."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class Provider(Protocol):
    """Moves money. Every call raises `ProviderUnavailable` or `ProviderRefused`."""

    name: str

    def method(self, asked: str | None) -> str:
        """Return the payment method to use; raises `ValueError` for one that the provider does not know."""
        ...

    async def create(self, charge: Charge) -> Intent:
        """Make an intent, once for each payment."""
        ...

    async def confirm(self, reference: str, charge: Charge) -> Intent:
        """Have an intent charged; one that was confirmed before stays as it is."""
        ...

    async def retrieve(self, reference: str) -> Intent:
        """Return an intent as it is."""
        ...

    async def cancel(self, reference: str) -> Intent:
        """See to it that nothing is charged any more, and return what has become of the intent."""
        ...

    async def refund(self, reference: str, key: str) -> Refund:
        """Give all of a charge back, once for each key."""
        ...

    async def retrieve_refund(self, reference: str) -> Refund:
        """Return a refund as it is."""
        ...

    def read(self, headers: Mapping[str, str], body: bytes) -> Notice:
        """Return what a webhook tells; raises `SignatureRefused`, or what reading JSON of another shape raises."""
        ...

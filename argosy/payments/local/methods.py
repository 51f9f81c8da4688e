"""The test payment methods of the local provider: each is charged in its own way, as the test cards of a real one."""

from dataclasses import dataclass

from argosy.payments.provider import IntentStatus

LATE = 20.0  # times the usual delay


@dataclass(frozen=True, slots=True)
class Told:
    """A webhook to come: what it says, and after how many times the usual delay."""

    status: IntentStatus
    after: float = 1.0
    times: int = 1


@dataclass(frozen=True, slots=True)
class Method:
    """What becomes of a charge.

    `answers` is False when the answer to the confirmation is lost: the charge is made, and nothing tells of it.
    """

    told: tuple[Told, ...]
    code: str | None = None
    message: str | None = None
    answers: bool = True
    refunds: bool = True


_SUCCEEDED, _FAILED, _PROCESSING = IntentStatus.SUCCEEDED, IntentStatus.FAILED, IntentStatus.PROCESSING
USUAL = "approved"
METHODS: dict[str, Method] = {
    USUAL: Method((Told(_SUCCEEDED),)),
    "declined": Method((Told(_FAILED),), "card_declined", "The card was declined."),
    "insufficient_funds": Method((Told(_FAILED),), "insufficient_funds", "There is not enough money on the account."),
    "timeout": Method((), answers=False),
    "never": Method(()),
    "late": Method((Told(_SUCCEEDED, after=LATE),)),
    "twice": Method((Told(_SUCCEEDED, times=2),)),
    "out_of_order": Method((Told(_SUCCEEDED), Told(_PROCESSING, after=2.0))),
    "refund_refused": Method((Told(_SUCCEEDED),), refunds=False),
}

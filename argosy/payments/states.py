"""The states of a payment, and how it goes from one to another."""

from enum import StrEnum


class PaymentStatus(StrEnum):
    """Where a payment is."""

    REQUESTED = "requested"
    PROCESSING = "processing"
    CANCELLING = "cancelling"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    REFUNDING = "refunding"
    REFUNDED = "refunded"


PAYMENT_TRANSITIONS: dict[PaymentStatus, frozenset[PaymentStatus]] = {
    PaymentStatus.REQUESTED: frozenset(
        {PaymentStatus.PROCESSING, PaymentStatus.CANCELLING, PaymentStatus.SUCCEEDED, PaymentStatus.FAILED}
    ),
    PaymentStatus.PROCESSING: frozenset({PaymentStatus.CANCELLING, PaymentStatus.SUCCEEDED, PaymentStatus.FAILED}),
    PaymentStatus.CANCELLING: frozenset({PaymentStatus.SUCCEEDED, PaymentStatus.FAILED}),
    # A provider also tells of refunds that were not asked for here.
    PaymentStatus.SUCCEEDED: frozenset({PaymentStatus.REFUNDING, PaymentStatus.REFUNDED}),
    PaymentStatus.REFUNDING: frozenset({PaymentStatus.REFUNDED, PaymentStatus.SUCCEEDED}),
    PaymentStatus.FAILED: frozenset(),
    PaymentStatus.REFUNDED: frozenset(),
}
# Whose outcome is not known yet: the provider has to be asked, or to ask.
UNDER_WAY = frozenset({PaymentStatus.REQUESTED, PaymentStatus.PROCESSING, PaymentStatus.CANCELLING})

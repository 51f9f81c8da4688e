"""The states of an entitlement, and how it goes from one to another."""

from enum import StrEnum


class EntitlementStatus(StrEnum):
    """Whether an entitlement lets in."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    REVOKED = "revoked"
    EXPIRED = "expired"


# What has expired is active again when its vendor moves its end; what was revoked stays so.
ENTITLEMENT_TRANSITIONS: dict[EntitlementStatus, frozenset[EntitlementStatus]] = {
    EntitlementStatus.ACTIVE: frozenset(
        {EntitlementStatus.SUSPENDED, EntitlementStatus.REVOKED, EntitlementStatus.EXPIRED}
    ),
    EntitlementStatus.SUSPENDED: frozenset(
        {EntitlementStatus.ACTIVE, EntitlementStatus.REVOKED, EntitlementStatus.EXPIRED}
    ),
    EntitlementStatus.EXPIRED: frozenset({EntitlementStatus.ACTIVE, EntitlementStatus.REVOKED}),
    EntitlementStatus.REVOKED: frozenset(),
}

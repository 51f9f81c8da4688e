"""What can go wrong with entitlements."""

from argosy.kit.errors import Conflict, NotFound


class EntitlementNotFound(NotFound):
    """No such entitlement, or not for this caller."""

    type, title = "entitlement-not-found", "Entitlement not found"


class EntitlementStatusConflict(Conflict):
    """The entitlement's status does not allow this."""

    type, title = "entitlement-status-conflict", "The entitlement's status does not allow it"

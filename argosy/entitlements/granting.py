"""Making entitlements, and bringing them from one state to another."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import JsonValue

from argosy.entitlements.errors import EntitlementStatusConflict
from argosy.entitlements.models import Entitlement, EntitlementModel
from argosy.entitlements.repository import EntitlementRepository
from argosy.entitlements.states import ENTITLEMENT_TRANSITIONS, EntitlementStatus
from argosy.events.service import record
from argosy.kit import context
from argosy.kit.clock import now
from argosy.kit.db.session import WriteSession
from argosy.products.plans import Plan

HAPPENED = {
    EntitlementStatus.ACTIVE: "resumed",
    EntitlementStatus.SUSPENDED: "suspended",
    EntitlementStatus.REVOKED: "revoked",
    EntitlementStatus.EXPIRED: "expired",
}


class Granting:
    """Writes entitlements, for the system and for vendors: the rows are their customer's."""

    def __init__(self, session: WriteSession) -> None:
        self._session = session
        self._entitlements = EntitlementRepository(session)

    async def grant(self, row: Entitlement, product_id: UUID) -> Entitlement:
        """Add an entitlement over the models that a product has now."""
        offered = await self._entitlements.offered(product_id)
        row.models = [
            EntitlementModel(
                organization_id=row.organization_id, model_id=one.model_id, name=f"{slug}/{one.name}", alias=one.alias
            )
            for one, slug in offered
        ]
        async with self._session.act_in(row.organization_id):
            await self._entitlements.add(row)
        self.tell("granted", row)
        return row

    async def move(self, row: Entitlement, status: EntitlementStatus) -> None:
        """Bring an entitlement into another state, the one way there is; raises `EntitlementStatusConflict`."""
        if status not in ENTITLEMENT_TRANSITIONS[row.status]:
            raise EntitlementStatusConflict(
                f"it is {row.status}, and cannot be {status}", entitlement_status=row.status.value
            )
        async with self._session.act_in(row.organization_id):
            row.status = status
            await self._entitlements.flush()
        self.tell(HAPPENED[status], row)

    def tell(self, happened: str, row: Entitlement, **payload: JsonValue) -> None:
        """Record what happened: for the customer, and for the vendor, each without who it was of the other."""
        request = context.current()
        caller = request.principal if request else None
        for party in {row.organization_id: None, row.vendor_id: None}:
            event = record(
                self._session,
                f"entitlement.{happened}",
                str(row.id),
                party,
                customer=row.customer,
                vendor=row.vendor,
                product=row.product,
                **payload,
            )
            if caller is not None and caller.organization_id != party:
                event.actor_kind = event.actor_id = event.address = event.user_agent = event.request_id = None


def allowed(plan: Mapping[str, Any], quantity: int) -> dict[str, Any]:
    """Return the columns of what so many of a plan grant."""
    bought = Plan.model_validate(plan)
    return {
        "period": bought.period,
        "calls": bought.calls and bought.calls * quantity,
        "rows": bought.rows and bought.rows * quantity,
        "rate_per_second": bought.rate_per_second and bought.rate_per_second * quantity,
    }


def starting(starts_at: datetime | None = None) -> datetime:
    """Return when an entitlement begins."""
    return starts_at or now()

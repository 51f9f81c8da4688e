"""Decisions about entitlements."""

from datetime import datetime
from uuid import UUID

from argosy.entitlements.errors import EntitlementNotFound, EntitlementStatusConflict
from argosy.entitlements.granting import Granting, allowed, starting
from argosy.entitlements.ledger import Units
from argosy.entitlements.models import Entitlement
from argosy.entitlements.periods import Span, span
from argosy.entitlements.repository import EntitlementRepository
from argosy.entitlements.schemas import EntitlementCreate, EntitlementUpdate, status_of
from argosy.entitlements.states import EntitlementStatus
from argosy.kit.clock import now
from argosy.kit.db.session import ReadSession, WriteSession
from argosy.kit.errors import Forbidden, invalid
from argosy.kit.pagination import Listing, PageQuery
from argosy.kit.principal import Principal
from argosy.kit.sides import Side
from argosy.kit.web.etag import Precondition
from argosy.organizations.service import OrganizationReader
from argosy.products.service import ProductReader

CUSTOMERS, VENDORS = frozenset({"api_keys"}), frozenset({"status", "plan", "ends_at"})


class EntitlementReader:
    """Looks entitlements up, for their customers and their vendors."""

    def __init__(self, session: ReadSession) -> None:
        self.entitlements = EntitlementRepository(session)

    async def get(self, principal: Principal, entitlement_id: UUID) -> Entitlement:
        """Return what the caller's organization has or has granted; raises `EntitlementNotFound`."""
        readable = self.entitlements.readable_by(principal)
        row = await self.entitlements.one_or_none(readable.where(Entitlement.id == entitlement_id))
        if row is None:
            raise EntitlementNotFound
        return row

    async def used(self, row: Entitlement) -> tuple[Span, Units]:
        """Return the present period of an entitlement, and what was taken in it."""
        current = span(row.period, now())
        return current, Units(*await self.entitlements.taken(row.id, current.start))

    async def list(
        self, principal: Principal, side: Side, status: EntitlementStatus | None, query: PageQuery, sort: str
    ) -> Listing[Entitlement]:
        """Return what the caller's organization has, or has granted."""
        own = side is Side.CUSTOMER
        found = self.entitlements.writable_by(principal) if own else self.entitlements.granted_by(principal)
        if status is not None:
            found = found.where(Entitlement.status == status)
        return await self.entitlements.page(found, query, sort)


class EntitlementService(EntitlementReader):
    """Grants, changes and revokes."""

    def __init__(self, session: WriteSession) -> None:
        super().__init__(session)
        self._session = session
        self._granting = Granting(session)

    async def grant(self, principal: Principal, request: EntitlementCreate) -> Entitlement:
        """Grant one's own product without an order; raises `ProductNotFound`, `OrganizationNotFound`, `Forbidden`."""
        product = await ProductReader(self._session).get(principal, request.product_id)
        if product.organization_id != principal.organization_id:
            raise Forbidden("the product belongs to another organization")
        customer = await OrganizationReader(self._session).by_slug(request.organization)
        starts_at = starting(request.starts_at)
        _require_later(request.ends_at, starts_at)
        row = Entitlement(
            organization_id=customer.id,
            product_id=product.id,
            product=product.name,
            vendor_id=product.organization_id,
            vendor=product.organization.slug,
            customer=customer.slug,
            starts_at=starts_at,
            ends_at=request.ends_at,
            **allowed(product.plan, request.quantity),
        )
        return await self._granting.grant(row, product.id)

    async def update(
        self, principal: Principal, entitlement_id: UUID, request: EntitlementUpdate, precondition: Precondition
    ) -> Entitlement:
        """Change what is sent.

        Raises `EntitlementNotFound`, `Forbidden` for what is the other party's to say, `EntitlementStatusConflict`.
        """
        row = await self.get(principal, entitlement_id)
        sent = request.model_fields_set
        _require_party(principal, row, sent)
        precondition.check(row.revision)
        if row.status is EntitlementStatus.REVOKED:
            raise EntitlementStatusConflict("it is revoked", entitlement_status=row.status.value)
        await self._change(row, request, sent - {"status"})
        if "ends_at" in sent and row.status is EntitlementStatus.EXPIRED:
            await self._granting.move(row, EntitlementStatus.ACTIVE)
        if request.status is not None and request.status is not row.status:
            if status_of(row) is EntitlementStatus.EXPIRED:
                raise EntitlementStatusConflict("it has expired: give it another end", entitlement_status="expired")
            await self._granting.move(row, EntitlementStatus(request.status))
        return row

    async def revoke(self, principal: Principal, entitlement_id: UUID, precondition: Precondition) -> Entitlement:
        """End what one has granted, for good; raises what `update` does."""
        row = await self.get(principal, entitlement_id)
        _require_party(principal, row, VENDORS)
        precondition.check(row.revision)
        await self._granting.move(row, EntitlementStatus.REVOKED)
        return row

    async def _change(self, row: Entitlement, request: EntitlementUpdate, sent: set[str]) -> None:
        if not sent:
            return
        if "ends_at" in sent:
            _require_later(request.ends_at, max(row.starts_at, now()))
        keys = await self._own_keys(row, request.api_keys)
        async with self._session.act_in(row.organization_id):
            if request.plan is not None:
                for name, value in request.plan.model_dump().items():
                    setattr(row, name, value)
            if "ends_at" in sent:
                row.ends_at = request.ends_at
            if "api_keys" in sent:
                row.api_keys = keys
            await self.entitlements.flush()
        self._granting.tell("changed", row, fields=[*sorted(sent)])

    async def _own_keys(self, row: Entitlement, keys: list[UUID] | None) -> list[str] | None:
        if keys is None:
            return None
        known = await self.entitlements.keys_of(row.organization_id, keys)
        for index, key in enumerate(keys):
            if key not in known:
                raise invalid(["body", "api_keys", index], "your organization has no such key")
        return [str(key) for key in dict.fromkeys(keys)]


def _require_party(principal: Principal, row: Entitlement, fields: set[str] | frozenset[str]) -> None:
    if fields & VENDORS and principal.organization_id != row.vendor_id:
        raise Forbidden("only its vendor may change this")
    if fields & CUSTOMERS and principal.organization_id != row.organization_id:
        raise Forbidden("only its customer may say which keys use it")


def _require_later(ends_at: datetime | None, moment: datetime) -> None:
    if ends_at is not None and ends_at <= moment:
        raise invalid(
            ["body", "ends_at"], "it should be later than now and than the start; revoke it to end it at once"
        )

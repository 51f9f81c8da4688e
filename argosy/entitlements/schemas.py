"""Wire shapes of entitlements."""

from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, ConfigDict, Field, model_validator
from pydantic.config import JsonDict

from argosy.entitlements.ledger import Units
from argosy.entitlements.models import Entitlement
from argosy.entitlements.periods import Span
from argosy.entitlements.states import EntitlementStatus
from argosy.kit.clock import now
from argosy.kit.principal import Principal
from argosy.kit.schemas import Read, RequestSchema, Schema, Slug
from argosy.products.plans import Period

GrantedQuota = Annotated[int, Field(ge=1, le=10**17)]
LAST_YEAR = 9000


def _storable(moment: datetime) -> datetime:
    if not 1900 <= moment.year <= LAST_YEAR:  # noqa: PLR2004 - with room for any time zone
        raise ValueError(f"the year should be from 1900 to {LAST_YEAR}")
    return moment


Moment = Annotated[AwareDatetime, AfterValidator(_storable)]
OPEN = frozenset({EntitlementStatus.ACTIVE, EntitlementStatus.SUSPENDED})

GRANT: JsonDict = {
    "organization": "babbage",
    "product_id": "01a1fd5d-8127-75ff-9601-8b829c541ef6",
    "ends_at": "2027-12-31T00:00:00Z",
}


class Allowed(RequestSchema):
    """A quota a period, of calls, of rows or of both, and how fast it may be used."""

    period: Period = Field(examples=["month"])
    calls: GrantedQuota | None = Field(None, description="Calls a period.", examples=[10_000])
    rows: GrantedQuota | None = Field(None, description="Rows a period.")
    rate_per_second: int | None = Field(None, ge=1, le=10**8, description="Calls a second.", examples=[50])

    @model_validator(mode="after")
    def _has_a_quota(self) -> Self:
        if self.calls is None and self.rows is None:
            raise ValueError("it needs a quota: calls or rows")
        return self


class EntitlementCreate(RequestSchema):
    """A grant without an order, of one's own product."""

    model_config = ConfigDict(json_schema_extra={"examples": [GRANT]})

    organization: Slug = Field(description="Slug of the organization that may use it.")
    product_id: UUID
    quantity: int = Field(1, ge=1, le=100, description="How many times the product's plan.")
    starts_at: Moment | None = Field(None, description="From now on if left out.")
    ends_at: Moment | None = Field(None, description="Without an end if left out.")


class EntitlementUpdate(RequestSchema):
    """What may change; a field that is left out stays. `api_keys` is the customer's, the others are the vendor's."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"status": "suspended"}]})

    status: Literal[EntitlementStatus.ACTIVE, EntitlementStatus.SUSPENDED] | None = None
    plan: Allowed | None = None
    ends_at: Moment | None = None
    api_keys: list[UUID] | None = Field(None, max_length=100, description="Only these keys; null: every key.")


class CoveredModel(Schema):
    """A model that may be called, and the alias that answers."""

    name: str = Field(examples=["ada/iris"])
    alias: str = Field(examples=["live"])


class EntitlementRead(Read):
    """An entitlement; `api_keys` are shown to the customer only."""

    status: EntitlementStatus
    organization: str = Field(description="Slug of the customer.")
    vendor: str
    product_id: UUID | None
    product: str
    order_id: UUID | None
    models: list[CoveredModel]
    plan: Allowed
    starts_at: datetime
    ends_at: datetime | None
    api_keys: list[UUID] | None
    revision: int

    @classmethod
    def of(cls, row: Entitlement, principal: Principal) -> Self:
        """Return the wire shape of a row, for its customer or its vendor."""
        return cls(
            id=row.id,
            created_at=row.created_at,
            updated_at=row.updated_at,
            status=status_of(row),
            organization=row.customer,
            vendor=row.vendor,
            product_id=row.product_id,
            product=row.product,
            order_id=row.order_id,
            models=[CoveredModel.model_validate(model) for model in row.models],
            plan=Allowed(period=row.period, calls=row.calls, rows=row.rows, rate_per_second=row.rate_per_second),
            starts_at=row.starts_at,
            ends_at=row.ends_at,
            api_keys=_keys(row) if row.organization_id == principal.organization_id else None,
            revision=row.revision,
        )


class Used(Schema):
    """How much of a bound was used; `limit` and `left` are null where there is no bound."""

    limit: int | None
    used: int
    left: int | None

    @classmethod
    def of(cls, limit: int | None, used: int) -> Self:
        """Return what is used of a limit."""
        return cls(limit=limit, used=used, left=None if limit is None else max(0, limit - used))


class PeriodRead(Schema):
    """The present period. What servers hold for the calls of the next second counts as used."""

    start: datetime
    end: datetime
    calls: Used
    rows: Used


class EntitlementDetail(EntitlementRead):
    """An entitlement, and what is used and left of it."""

    current: PeriodRead

    @classmethod
    def with_usage(cls, row: Entitlement, principal: Principal, span: Span, used: Units) -> Self:
        """Return the wire shape of a row with its present period."""
        current = PeriodRead(
            start=span.start, end=span.end, calls=Used.of(row.calls, used.calls), rows=Used.of(row.rows, used.rows)
        )
        shown = {
            name: getattr(one, name) for one in [EntitlementRead.of(row, principal)] for name in type(one).model_fields
        }
        return cls(**shown, current=current)


def status_of(row: Entitlement) -> EntitlementStatus:
    """Return the status by the clock: what is over has expired, also before that is written down."""
    if row.status in OPEN and row.ends_at is not None and row.ends_at <= now():
        return EntitlementStatus.EXPIRED
    return row.status


def _keys(row: Entitlement) -> list[UUID] | None:
    return None if row.api_keys is None else [UUID(key) for key in row.api_keys]

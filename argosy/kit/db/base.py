"""The declarative base, naming conventions and the mixins every table uses."""

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import ForeignKey, MetaData
from sqlalchemy.orm import DeclarativeBase, Mapped, declared_attr, mapped_column

from argosy.kit.clock import now
from argosy.kit.db.tenancy import RowPolicy
from argosy.kit.db.types import Json, UTCDateTime
from argosy.kit.ids import new_id

NAMING_CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """The base of every ORM class."""

    metadata = MetaData(naming_convention=NAMING_CONVENTION)
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: UTCDateTime,
        dict[str, Any]: Json,
        list[str]: Json,
        list[dict[str, Any]]: Json,
    }


class Identified:
    """A UUIDv7 primary key."""

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id, sort_order=-10)


class Timestamped:
    """When the row was made and last changed."""

    created_at: Mapped[datetime] = mapped_column(default=now, sort_order=100)
    updated_at: Mapped[datetime] = mapped_column(default=now, onupdate=now, sort_order=101)


class Revised:
    """Optimistic locking: an update of a row that changed since it was read fails, and `revision` is its ETag."""

    revision: Mapped[int] = mapped_column(sort_order=102)

    @declared_attr.directive
    def __mapper_args__(cls) -> dict[str, Any]:  # noqa: N805
        """Tell the mapper which column counts the revisions."""
        return {"version_id_col": cls.__table__.c.revision}  # type: ignore[attr-defined]


class TenantRow(Identified, Timestamped, Base):
    """A row that belongs to one organization; its repository lets nobody else near it, and nor does PostgreSQL.

    A table whose rows others may read says so in its `__row_policy__`.
    """

    __abstract__ = True
    __row_policy__: ClassVar[RowPolicy] = RowPolicy()

    organization_id: Mapped[UUID] = mapped_column(
        ForeignKey("organizations.id", ondelete="CASCADE"), index=True, sort_order=-9
    )

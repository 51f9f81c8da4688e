"""Products: what a vendor offers over its models, and the prices it has had."""

from enum import StrEnum
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from argosy.kit.db.base import Revised, TenantRow
from argosy.kit.db.tenancy import OWN_ONCE, RowPolicy
from argosy.kit.db.types import BigInt, ByteString, enum_type
from argosy.organizations.models import Organization


class ProductStatus(StrEnum):
    """Where a product is between its vendor's desk and its retirement."""

    DRAFT = "draft"
    PUBLISHED = "published"
    ARCHIVED = "archived"


PRODUCT_TRANSITIONS: dict[ProductStatus, frozenset[ProductStatus]] = {
    ProductStatus.DRAFT: frozenset({ProductStatus.PUBLISHED}),
    ProductStatus.PUBLISHED: frozenset({ProductStatus.ARCHIVED}),
    ProductStatus.ARCHIVED: frozenset({ProductStatus.PUBLISHED}),
}

# A draft is its vendor's; what has been on sale is read by all, also later, since somebody may have bought it.
# Not EXISTS, for which the planner would rather hash the ids of all public products.
_OF_PUBLIC_PRODUCT = RowPolicy(
    own=OWN_ONCE, also_read="(SELECT products.status FROM products WHERE products.id = product_id) <> 'draft'"
)


class ProductTag(TenantRow):
    """A label of a product. Their order is that of their ids."""

    __tablename__ = "product_tags"
    __table_args__ = (UniqueConstraint("product_id", "tag"), Index(None, "tag", "product_id"))
    __row_policy__: ClassVar[RowPolicy] = _OF_PUBLIC_PRODUCT

    product_id: Mapped[UUID] = mapped_column(ForeignKey("products.id", ondelete="CASCADE"))
    tag: Mapped[str]


class ProductModel(TenantRow):
    """A model that a product offers, by the alias that answers. Their order is that of their ids."""

    __tablename__ = "product_models"
    __table_args__ = (UniqueConstraint("product_id", "model_id"), Index(None, "name", "product_id"))
    __row_policy__: ClassVar[RowPolicy] = _OF_PUBLIC_PRODUCT

    product_id: Mapped[UUID] = mapped_column(ForeignKey("products.id", ondelete="CASCADE"))
    # No cascade: a model that is offered is not deleted from under those who bought it.
    model_id: Mapped[UUID] = mapped_column(ForeignKey("models.id"), index=True)
    name: Mapped[str] = mapped_column(doc="The model's name, which never changes: customers cannot read its row.")
    alias: Mapped[str]


class ProductPrice(TenantRow):
    """A price that a product has or had; prices are added, never changed."""

    __tablename__ = "product_prices"
    __table_args__ = (UniqueConstraint("product_id", "number"), CheckConstraint("amount > 0", name="amount"))
    __row_policy__: ClassVar[RowPolicy] = _OF_PUBLIC_PRODUCT

    product_id: Mapped[UUID] = mapped_column(ForeignKey("products.id", ondelete="CASCADE"))
    number: Mapped[int]
    amount: Mapped[int] = mapped_column(BigInt)
    currency: Mapped[str]
    created_by: Mapped[UUID]


class Product(Revised, TenantRow):
    """A priced offering of an organization, the vendor, over some of its models.

    `price`, `currency` and `price_number` are those of its newest `ProductPrice`, kept here to be filtered and sorted.
    """

    __tablename__ = "products"
    __table_args__ = (
        UniqueConstraint("organization_id", "name_key"),
        CheckConstraint("price > 0", name="price"),
        CheckConstraint("sold >= 0 AND (stock IS NULL OR sold <= stock)", name="stock"),
        Index(None, "status", "created_at", "id"),
        Index(None, "status", "name_key", "id"),
        Index(None, "status", "price", "id"),
        Index(None, "status", "currency", "price", "id"),
        Index(None, "organization_id", "status", "created_at", "id"),
    )
    __row_policy__: ClassVar[RowPolicy] = RowPolicy(also_read="status <> 'draft'")

    name: Mapped[str]
    name_key: Mapped[str] = mapped_column(ByteString, doc="The name without case, to be unique and to be found by.")
    description: Mapped[str | None]
    status: Mapped[ProductStatus] = mapped_column(enum_type(ProductStatus, "status"), default=ProductStatus.DRAFT)
    price: Mapped[int] = mapped_column(BigInt)
    currency: Mapped[str]
    price_number: Mapped[int] = mapped_column(default=1)
    plan: Mapped[dict[str, Any]]
    stock: Mapped[int | None] = mapped_column(doc="How many may be sold in all; null: any number.")
    sold: Mapped[int] = mapped_column(default=0)
    created_by: Mapped[UUID]
    organization: Mapped[Organization] = relationship(lazy="raise")
    tags: Mapped[list[ProductTag]] = relationship(
        lazy="raise", cascade="all, delete-orphan", order_by=ProductTag.id, passive_deletes=True
    )
    models: Mapped[list[ProductModel]] = relationship(
        lazy="raise", cascade="all, delete-orphan", order_by=ProductModel.id, passive_deletes=True
    )

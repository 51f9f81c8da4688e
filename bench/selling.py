"""Many products, orders, entitlements and counters of usage, as a marketplace would have after years."""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from itertools import islice
from typing import Any
from uuid import UUID

from argosy.entitlements.models import Entitlement, EntitlementModel
from argosy.entitlements.states import EntitlementStatus
from argosy.kit.clock import now
from argosy.kit.db.session import Database
from argosy.kit.ids import new_id
from argosy.kit.principal import PrincipalKind
from argosy.orders.models import Order, OrderItem
from argosy.orders.states import OrderStatus
from argosy.products.models import Product, ProductModel, ProductStatus, ProductTag
from argosy.products.names import key_of
from argosy.products.plans import Period
from argosy.usage.models import COUNTERS, UsageRecord
from bench.filling import CHUNK, RARE, Owner, analyze, insert_rows

FIRST_DAY, DAYS = date(2025, 1, 1), 400
OFFERED = [UUID(int=number) for number in (1, 2)]  # what usage is of: a product of each owner
PLAN = {"period": "month", "calls": 10_000, "rows": None, "rate_per_second": 50, "features": [], "stock": None}
# A row of a table, and those of other tables that belong to it.
Rows = Iterator[dict[type[Any], dict[str, Any]]]


async def fill_products(database: Database, owners: Sequence[Owner], wanted: int) -> None:
    """Write products in turn for each owner, a second apart, each with a tag and a model: four of five on sale."""
    await _fill(database, products(owners, wanted))


async def fill_orders(database: Database, owners: Sequence[Owner], wanted: int) -> None:
    """Write orders of one item, in turn for each owner, each bought of the next one."""
    await _fill(database, orders(owners, wanted))


async def fill_entitlements(database: Database, owners: Sequence[Owner], wanted: int) -> None:
    """Write entitlements over a model, in turn for each owner, each granted by the next one."""
    await _fill(database, entitlements(owners, wanted))


async def fill_usage(database: Database, owners: Sequence[Owner], wanted: int) -> None:
    """Write counters of each owner, half of them under a product of the next one."""
    made = zip(OFFERED, products(owners, len(owners)), strict=True)
    await _fill(database, iter([{Product: row[Product] | {"id": number}} for number, row in made]))
    await _fill(database, usage(owners, OFFERED, wanted))


def products(owners: Sequence[Owner], wanted: int) -> Rows:
    """Yield products, the oldest first."""
    for number, row in enumerate(_rows(owners, wanted)):
        each = number // len(owners)
        status = {3: ProductStatus.DRAFT, 7: ProductStatus.ARCHIVED}.get(each % 10, ProductStatus.PUBLISHED)
        name, owner = f"Product {number:06}", owners[number % len(owners)]
        product = row | {
            "name": name,
            "name_key": key_of(name),
            "description": None,
            "status": status.value,
            "price": 100 + number % 5000,
            "currency": "USD" if number % 3 else "EUR",
            "price_number": 1,
            "plan": PLAN,
            "sold": 0,
            "created_by": owner.user_id,
            "revision": 1,
        }
        belongs = row | {"product_id": row["id"]}
        tag = belongs | {"id": new_id(), "tag": "common" if each % RARE else "rare"}
        model = belongs | {"id": new_id(), "model_id": owner.model_id, "name": "iris", "alias": "live"}
        yield {Product: product, ProductTag: tag, ProductModel: model}


def orders(owners: Sequence[Owner], wanted: int) -> Rows:
    """Yield orders, the oldest first."""
    for number, row in enumerate(_rows(owners, wanted)):
        each = number // len(owners)
        status = {1: OrderStatus.PENDING, 2: OrderStatus.CANCELLED}.get(each % 10, OrderStatus.FULFILLED)
        if each % RARE == 0:
            status = OrderStatus.REFUNDED
        order = row | {
            "status": status.value,
            "total": 3998,
            "currency": "EUR",
            "placed_by": owners[number % len(owners)].user_id,
            "revision": 1,
        }
        item = row | {
            "id": new_id(),
            "order_id": row["id"],
            "vendor_id": owners[(number + 1) % len(owners)].organization_id,
            "vendor": "vendor",
            "name": "Iris Pro",
            "quantity": 2,
            "price": 1999,
            "price_number": 1,
            "plan": PLAN,
            "status": status.value,
        }
        yield {Order: order, OrderItem: item}


def entitlements(owners: Sequence[Owner], wanted: int) -> Rows:
    """Yield entitlements, the oldest first."""
    for number, row in enumerate(_rows(owners, wanted)):
        each = number // len(owners)
        status = EntitlementStatus.EXPIRED if each % 10 else EntitlementStatus.ACTIVE
        if each % RARE == 0:
            status = EntitlementStatus.SUSPENDED
        vendor = owners[(number + 1) % len(owners)]
        entitlement = row | {
            "product": "Iris Pro",
            "vendor_id": vendor.organization_id,
            "vendor": "vendor",
            "customer": "customer",
            "status": status.value,
            "period": Period.MONTH.value,
            "calls": 10_000,
            "starts_at": row["created_at"],
            "revision": 1,
        }
        model = {"id": new_id(), "entitlement_id": row["id"], "model_id": vendor.model_id}
        yield {Entitlement: entitlement, EntitlementModel: row | model | {"name": "vendor/iris", "alias": "live"}}


def usage(owners: Sequence[Owner], offered: Sequence[UUID], wanted: int) -> Rows:
    """Yield counters: each day two of each of many models."""
    for number, row in enumerate(_rows(owners, wanted)):
        each, model = number // len(owners), UUID(int=1 + number // (2 * DAYS * len(owners)))
        counters = dict.fromkeys(COUNTERS, 0) | {"calls": 1 + number % 7, "rows": 10, "ms_5": 1 + number % 7}
        record = {
            "principal_kind": PrincipalKind.API_KEY.value,
            "principal_id": model,
            "model_id": model,
            "model": f"vendor/m{model.int}",
            "version": 1 + each // DAYS % 2,
            "day": FIRST_DAY + timedelta(days=each % DAYS),
            "product_id": offered[(number + 1) % len(offered)] if model.int % 2 else None,
        }
        yield {UsageRecord: row | record | counters}


def _rows(owners: Sequence[Owner], wanted: int) -> Iterator[dict[str, Any]]:
    began = now() - timedelta(seconds=wanted)
    for number in range(wanted):
        at = began + timedelta(seconds=number)
        owner = owners[number % len(owners)]
        yield {"id": new_id(), "organization_id": owner.organization_id, "created_at": at, "updated_at": at}


async def _fill(database: Database, rows: Rows) -> None:
    while chunk := list(islice(rows, CHUNK)):
        async with database.connection() as connection:  # one for each, so that SQLite's writer is not kept
            for model in chunk[0]:
                await insert_rows(connection, model, [row[model] for row in chunk])
    await analyze(database)

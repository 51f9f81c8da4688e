"""Lists of 100,000 orders, and of what was sold by them, use indexes."""

from fastapi import FastAPI
from sqlalchemy import text

from argosy import migrations
from argosy.kit.db.session import Database
from bench.selling import fill_orders
from tests.support.callers import Caller
from tests.support.lists import owning, use_indexes

MINE, OF_STATUS = "ix_orders_organization_id_created_at_id", "ix_orders_organization_id_status_created_at_id"
SOLD = "ix_order_items_vendor_id_created_at_id"
SOLD_OF_STATUS = "ix_order_items_vendor_id_status_created_at_id"
# A planner may rather walk the list than look for a status that most have.
ORDERS = {
    "": (MINE,),
    "sort=created_at": (MINE,),
    "status=refunded": (OF_STATUS,),
    "status=fulfilled": (OF_STATUS, MINE),
}
SALES = {
    "": (SOLD,),
    "sort=created_at": (SOLD,),
    "status=refunded": (SOLD_OF_STATUS,),
    "status=fulfilled": (SOLD_OF_STATUS, SOLD),
}


async def test_lists_of_100000_use_indexes(app: FastAPI, owner: Caller, stranger: Caller) -> None:
    await fill_orders(app.state.database, await owning(owner, stranger), 100_000)
    await use_indexes(app.state.database, owner, "/orders", "orders", ORDERS)
    await use_indexes(app.state.database, owner, "/sales", "order_items", SALES)


async def test_what_was_sold_has_the_status_of_its_order_whoever_changes_it(
    app: FastAPI, owner: Caller, stranger: Caller
) -> None:
    database: Database = app.state.database
    await fill_orders(database, await owning(owner, stranger), 400)

    async def sold(status: str) -> list[str]:
        items = (await owner.get(f"/sales?status={status}&size=200")).json()["items"]
        assert {item["status"] for item in items} <= {status}
        return [item["order_id"] for item in items]

    assert (len(await sold("refunded")), len(await sold("paid"))) == (2, 0)
    async with database.write() as session:
        await session.execute(text("UPDATE orders SET status = 'paid' WHERE status = 'refunded'"))
    assert (len(await sold("refunded")), len(await sold("paid"))) == (0, 2)
    await migrations.downgrade(database, "0021")
    async with database.write() as session:
        await session.execute(text("UPDATE orders SET status = 'refunded' WHERE status = 'paid'"))
    await migrations.upgrade(database)
    assert (len(await sold("refunded")), len(await sold("paid"))) == (2, 0)

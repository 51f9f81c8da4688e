"""Lists of 100,000 orders, and of what was sold by them, use indexes."""

from fastapi import FastAPI

from bench.selling import fill_orders
from tests.support.callers import Caller
from tests.support.lists import owning, use_indexes

MINE, OF_STATUS = "ix_orders_organization_id_created_at_id", "ix_orders_organization_id_status_created_at_id"
SOLD = "ix_order_items_vendor_id_created_at_id"
# A planner may rather walk the list than look for a status that most have.
ORDERS = {
    "": (MINE,),
    "sort=created_at": (MINE,),
    "status=refunded": (OF_STATUS,),
    "status=fulfilled": (OF_STATUS, MINE),
}
SALES = {"": (SOLD,), "sort=created_at": (SOLD,), "status=fulfilled": (SOLD,)}


async def test_lists_of_100000_use_indexes(app: FastAPI, owner: Caller, stranger: Caller) -> None:
    await fill_orders(app.state.database, await owning(owner, stranger), 100_000)
    await use_indexes(app.state.database, owner, "/orders", "orders", ORDERS)
    await use_indexes(app.state.database, owner, "/sales", "order_items", SALES)

"""Lists of 100,000 products use indexes."""

from fastapi import FastAPI

from bench.selling import fill_products
from tests.support.callers import Caller
from tests.support.lists import owning, use_indexes

OF_VENDOR = "ix_products_organization_id_status_created_at_id"
NEWEST = "ix_products_status_created_at_id"
# A planner may rather walk the list than sort what half of it is.
PLANS = {
    "": (NEWEST,),
    "sort=created_at": (NEWEST,),
    "sort=price": ("ix_products_status_price_id",),
    "sort=-name": ("ix_products_status_name_key_id",),
    "q=product%20042": ("ix_products_status_name_key_id", NEWEST),
    "q=product": (NEWEST,),
    "currency=EUR&sort=price&min_price=600": ("ix_products_status_currency_price_id",),
    "vendor=stranger": (OF_VENDOR, NEWEST),
    "status=draft": (OF_VENDOR, NEWEST),
    "tag=rare": ("ix_product_tags_tag_product_id", "uq_product_tags", "autoindex_product_tags"),
    "tag=common": (NEWEST,),
    "model=owner/iris": (NEWEST, OF_VENDOR),
}


async def test_lists_of_100000_use_indexes(app: FastAPI, owner: Caller, stranger: Caller) -> None:
    await fill_products(app.state.database, await owning(owner, stranger), 100_000)
    await use_indexes(app.state.database, owner, "/products", "products", PLANS)

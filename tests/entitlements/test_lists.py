"""Lists of 100,000 entitlements use indexes, for customers and for vendors."""

from fastapi import FastAPI

from bench.selling import fill_entitlements
from tests.support.callers import Caller
from tests.support.lists import owning, use_indexes

MINE, GRANTED = "ix_entitlements_organization_id", "ix_entitlements_vendor_id"
NEWEST, OF_STATUS = "_created_at_id", "_status_created_at_id"
# A planner may rather walk the list than look for a status that most have.
PLANS = {
    "": (MINE + NEWEST,),
    "sort=created_at": (MINE + NEWEST,),
    "status=suspended": (MINE + OF_STATUS,),
    "status=expired": (MINE + OF_STATUS, MINE + NEWEST),
    "as=vendor": (GRANTED + NEWEST,),
    "as=vendor&status=suspended": (GRANTED + OF_STATUS,),
}


async def test_lists_of_100000_use_indexes(app: FastAPI, owner: Caller, stranger: Caller) -> None:
    await fill_entitlements(app.state.database, await owning(owner, stranger), 100_000)
    await use_indexes(app.state.database, owner, "/entitlements", "entitlements", PLANS)

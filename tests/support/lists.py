"""Who has the rows of a long list, and how a database would run what asks for it."""

from collections.abc import Mapping
from uuid import UUID

from argosy.kit.db.session import Database
from bench.filling import Owner
from tests.support.callers import Caller, actor
from tests.support.statements import explain, reads_whole, statements


async def owning(*callers: Caller) -> list[Owner]:
    """Return whose rows they are: each caller's, with a model."""
    owners = []
    for caller in callers:
        made = (await caller.post("/models", json={"name": "iris"})).json()
        owners.append(Owner(UUID(caller.organization_id), UUID(caller.user_id), UUID(made["id"])))
    return owners


async def use_indexes(
    database: Database, caller: Caller, path: str, table: str, plans: Mapping[str, tuple[str, ...]]
) -> None:
    """Ask for a list in each way, by number, by cursor and after some pages; each has one of its indexes."""
    for query, indexes in plans.items():
        first = await caller.get(f"{path}?{query}&cursor=&size=100")
        assert first.status_code == 200, first.text
        deep = first.json()["next_cursor"]
        assert deep is not None, (query, "a list of several pages")
        for paging in ("page=1", "page=3", "cursor=", f"cursor={deep}"):
            with statements(database, f"FROM {table}", f"JOIN {table}") as seen:
                answer = await caller.get(f"{path}?{query}&{paging}&size=100")
            assert answer.json()["items"], (query, paging)
            pages = [one for one in seen if f"{table}.organization_id" in one[0] and "LIMIT" in one[0]]
            (statement,) = [one for one in pages if "count(" not in one[0]]
            plan = await explain(database, actor(caller), statement)
            assert any(index in plan for index in indexes), (query, paging, plan)
            # PostgreSQL may hash all that the row policy of a joined table lets read, which the planner calls `…_1`.
            asked = plan.replace(f" {table} {table}_1", " policy")
            assert not reads_whole(asked, table), (query, paging, plan)

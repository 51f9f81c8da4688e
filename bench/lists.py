"""Measures lists of many rows on a real server, on SQLite and PostgreSQL: `python -m bench lists`."""

import argparse
import asyncio
import http.client
import json
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

from argosy.client import Argosy
from argosy.kit.db.session import Database
from argosy.settings import DatabaseSettings
from bench.filling import Owner, fill_articles
from bench.load import percentile
from bench.rounds import say
from bench.selling import fill_entitlements, fill_orders, fill_products, fill_usage
from tests.support.callers import ALL_SCOPES, PASSWORD
from tests.support.databases import PostgresServer
from tests.support.servers import ServerProcess

TARGET_MS = 50.0
SCOPES = [*ALL_SCOPES, "products:read", "orders:read", "sales:read", "entitlements:read"]
WARM_UP = 5


@dataclass(frozen=True, slots=True)
class Many:
    """A list of many rows: how they are made, and what is asked for; `{deep}` is a cursor in the middle.

    `within` is what the cursor's list is narrowed by.
    """

    path: str
    fill: Callable[[Database, Sequence[Owner], int], Awaitable[None]]
    asks: Mapping[str, str]
    within: str = ""


async def _articles(database: Database, owners: Sequence[Owner], rows: int) -> None:
    await fill_articles(database, owners, rows, words=60)


WEEK, MONTH = "since=2025-03-01&until=2025-03-07", "since=2025-03-01&until=2025-03-31"
# A domain adds its list here, with what fills it in bench/filling.py or bench/selling.py.
LISTS = {
    "articles": Many(
        "/api/v1/articles",
        _articles,
        {
            "page 1": "",
            "page 100": "page=100",
            "first cursor": "cursor=",
            "deep cursor": "cursor={deep}",
            "organization": "organization=first&cursor=",
            "author": "author=second&cursor=",
            "model": "model=first/iris&cursor=",
            "drafts": "published=false&cursor=",
            "rare tag": "tag=rare",
            "common tag": "tag=common",
            "search": "q=needle",
            "two words": "q=word12 word7",
            "common word": "q=article&cursor=",
            "word by its beginning": "q=word12&cursor=",
        },
    ),
    "products": Many(
        "/api/v1/products",
        fill_products,
        {
            "page 1": "",
            "page 100": "page=100",
            "first cursor": "cursor=",
            "deep cursor": "cursor={deep}",
            "vendor": "vendor=second&cursor=",
            "own drafts": "status=draft&cursor=",
            "cheapest": "sort=price&cursor=",
            "cheapest in euros": "currency=EUR&min_price=600&sort=price&cursor=",
            "rare tag": "tag=rare&cursor=",
            "common tag": "tag=common&cursor=",
            "model": "model=first/iris&cursor=",
            "name by its beginning": "q=product 0420",
        },
    ),
    "orders": Many(
        "/api/v1/orders",
        fill_orders,
        {
            "page 1": "",
            "page 100": "page=100",
            "first cursor": "cursor=",
            "deep cursor": "cursor={deep}",
            "oldest": "sort=created_at&cursor=",
            "refunded": "status=refunded&cursor=",
            "pending": "status=pending",
        },
    ),
    "sales": Many(
        "/api/v1/sales",
        fill_orders,
        {
            "page 1": "",
            "page 100": "page=100",
            "first cursor": "cursor=",
            "deep cursor": "cursor={deep}",
            "refunded": "status=refunded&cursor=",
        },
    ),
    "entitlements": Many(
        "/api/v1/entitlements",
        fill_entitlements,
        {
            "page 1": "",
            "page 100": "page=100",
            "first cursor": "cursor=",
            "deep cursor": "cursor={deep}",
            "suspended": "status=suspended&cursor=",
            "granted": "as=vendor&cursor=",
            "granted and suspended": "as=vendor&status=suspended&cursor=",
        },
    ),
    "usage": Many(
        "/api/v1/usage",
        fill_usage,
        {
            "a week": WEEK,
            "page 3 of a week": f"{WEEK}&page=3",
            "first cursor of a week": f"{WEEK}&cursor=",
            "deep cursor of a week": f"{WEEK}&cursor={{deep}}",
            "a week by model": f"{WEEK}&group_by=model&sort=-calls",
            "a month by product": f"{MONTH}&group_by=product",
            "a week as vendor": f"{WEEK}&as=vendor",
            "a month by customer as vendor": f"{MONTH}&as=vendor&group_by=customer",
            "all by model": "group_by=model",
        },
        WEEK,
    ),
}


@dataclass(frozen=True, slots=True)
class Timing:
    """Milliseconds until the first byte of an answer."""

    database: str
    asked: str
    p50: float
    p99: float


class Client:
    """One connection that asks as one caller."""

    def __init__(self, url: str, key: str) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
        self._headers = {"Authorization": f"Bearer {key}"}

    def get(self, path: str) -> tuple[float, bytes]:
        """Return the seconds until the first byte of an answer, and its body."""
        began = time.perf_counter()
        self._connection.request("GET", path, headers=self._headers)
        response = self._connection.getresponse()
        seconds, body = time.perf_counter() - began, response.read()
        if response.status != http.client.OK:
            raise RuntimeError(f"{path}: {response.status} {body[:300]!r}")
        return seconds, body

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


@contextmanager
def serving(postgres: PostgresServer | None, folder: Path) -> Iterator[tuple[ServerProcess, str]]:
    """Start a server with a database of its own, in a folder; yield it with the database's URL."""
    data = folder / ("sqlite" if postgres is None else "postgresql") / "data"
    data.mkdir(parents=True)
    url = f"sqlite:///{data / 'argosy.db'}" if postgres is None else postgres.url(postgres.copy())
    server = ServerProcess(data, ARGOSY_DATABASE_URL=url, ARGOSY_RATES_CALLER="1000000")
    server.start()
    try:
        yield server, url
    finally:
        server.stop()


def join(url: str, name: str) -> tuple[Owner, str]:
    """Make an account with a model; return whose rows it may have, and a key."""
    with Argosy(url) as anonymous:
        anonymous.register(f"{name}@example.org", name, PASSWORD)
    with Argosy(url, username=name, password=PASSWORD) as person:
        key = person.create_api_key("bench", SCOPES).key or ""
        model, me = person.create_model("iris"), person.me()
    return Owner(me.organization.id, me.id, model.id), key


async def fill(url: str, many: Many, owners: Sequence[Owner], rows: int) -> None:
    """Put rows into the database of a server."""
    database = Database(url, DatabaseSettings())
    try:
        await many.fill(database, owners, rows)
    finally:
        await database.dispose()


def middle(client: Client, many: Many, rows: int) -> str:
    """Return a cursor in the middle of a list, or on the last page of a shorter one, as a reader comes to it."""
    cursor = ""
    for _ in range(max(1, rows // 400)):
        page = json.loads(client.get(f"{many.path}?{many.within}&size=200&cursor={cursor}")[1])
        if page["next_cursor"] is None:
            break
        cursor = page["next_cursor"]
    return cursor


def measure(client: Client, many: Many, rows: int, times: int, database: str) -> Iterator[Timing]:
    """Ask each question some times in turn, and time the first byte."""
    deep = middle(client, many, rows)
    for asked, query in many.asks.items():
        path = f"{many.path}?{quote(query.format(deep=deep), safe='=&/')}"
        for _ in range(WARM_UP):
            client.get(path)
        took = sorted(client.get(path)[0] * 1000 for _ in range(times))
        yield Timing(database, asked, percentile(took, 0.5), percentile(took, 0.99))


def run(name: str, rows: int, times: int, postgres: PostgresServer | None, folder: Path) -> list[Timing]:
    """Fill a database of its own and measure a list."""
    database, many = "SQLite" if postgres is None else "PostgreSQL", LISTS[name]
    with serving(postgres, folder) as (server, url):
        (first, key), (second, _) = join(server.url, "first"), join(server.url, "second")
        say(f"{name}: {rows} rows on {database}")
        asyncio.run(fill(url, many, [first, second], rows))
        with closing(Client(server.url, key)) as client:
            return list(measure(client, many, rows, times, database))


def table(name: str, timings: Sequence[Timing]) -> str:
    """Return the timings as Markdown; what misses the target is marked."""
    lines = [f"| {name} | database | p50 ms | p99 ms | |", "|---|---|---|---|---|"]
    for one in timings:
        slow = "slow" if one.p50 > TARGET_MS else ""
        lines.append(f"| {one.asked} | {one.database} | {one.p50:.1f} | {one.p99:.1f} | {slow} |")
    return "\n".join(lines)


async def measured(names: Sequence[str], rows: int, times: int) -> dict[str, list[Timing]]:
    """Measure lists on both databases, each on a server of its own."""
    found: dict[str, list[Timing]] = {}
    async with PostgresServer.start() as postgres:
        for name in names:
            for database in (None, postgres):
                with tempfile.TemporaryDirectory(prefix="bench-") as folder:
                    timings = await asyncio.to_thread(run, name, rows, times, database, Path(folder))
                found.setdefault(name, []).extend(timings)
    return found


def main(arguments: Sequence[str]) -> None:
    """Fill, measure, and print tables."""
    parser = argparse.ArgumentParser(prog="python -m bench lists", description=__doc__)
    parser.add_argument("--lists", nargs="+", choices=LISTS, default=list(LISTS))
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--times", type=int, default=100, help="of asking each question")
    given = parser.parse_args(arguments)
    for name, timings in asyncio.run(measured(given.lists, given.rows, given.times)).items():
        print(table(name, timings))

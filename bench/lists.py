"""Measures lists of many rows on a real server, on SQLite and PostgreSQL: `python -m bench lists`."""

import argparse
import asyncio
import http.client
import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

from argosy.client import Argosy
from argosy.kit.db.session import Database
from argosy.settings import DatabaseSettings
from bench.asks import LISTS, Many
from bench.filling import Owner
from bench.load import percentile
from bench.rounds import say
from tests.support.callers import ALL_SCOPES, PASSWORD
from tests.support.databases import PostgresServer
from tests.support.servers import ServerProcess

TARGET_MS = 50.0
SCOPES = [*ALL_SCOPES, "products:read", "orders:read", "sales:read", "entitlements:read"]
WARM_UP = 5


@dataclass(frozen=True, slots=True)
class Timing:
    """Milliseconds until the first byte of an answer; `first` is the first one's, when nothing was counted before."""

    database: str
    asked: str
    first: float
    p50: float
    p95: float
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
        first = client.get(path)[0] * 1000
        for _ in range(WARM_UP):
            client.get(path)
        took = sorted(client.get(path)[0] * 1000 for _ in range(times))
        yield Timing(database, asked, first, *(percentile(took, share) for share in (0.5, 0.95, 0.99)))


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
    lines = [f"| {name} | database | first ms | p50 ms | p95 ms | p99 ms | |", "|---|---|---|---|---|---|---|"]
    for one in timings:
        slow = "slow" if one.p50 > TARGET_MS else ""
        took = " | ".join(f"{each:.1f}" for each in (one.first, one.p50, one.p95, one.p99))
        lines.append(f"| {one.asked} | {one.database} | {took} | {slow} |")
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

"""Fills a database with many rows at once, below the API, as a hub would have after years."""

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from typing import Any
from uuid import UUID

from sqlalchemy import Table, insert, text
from sqlalchemy.ext.asyncio import AsyncConnection

from argosy.articles.models import Article, ArticleSearch
from argosy.kit.clock import now
from argosy.kit.db.session import Database
from argosy.kit.ids import new_id
from argosy.kit.search import terms_of

CHUNK = 10_000
RARE = 100  # of how many one is tagged `rare` and holds `needle`
VOCABULARY = 5_000


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose rows they are: an organization, a person, and a model of theirs."""

    organization_id: UUID
    user_id: UUID
    model_id: UUID


async def fill_articles(database: Database, owners: Sequence[Owner], wanted: int, words: int = 4) -> None:
    """Write articles in turn for each owner, a second apart: most of them published, one in fifty about the model."""
    rows = articles(owners, wanted, words)
    async with database.connection() as connection:
        while chunk := list(islice(rows, CHUNK)):
            await insert_rows(connection, Article, chunk)
            await insert_rows(connection, ArticleSearch, [entry(row) for row in chunk])
    await analyze(database)


def articles(owners: Sequence[Owner], wanted: int, words: int) -> Iterator[dict[str, Any]]:
    """Yield the rows, the oldest first; the same ones each time but for their ids and times."""
    chance, began = random.Random(1), now() - timedelta(seconds=wanted)
    vocabulary = [f"word{number}" for number in range(VOCABULARY)]
    for number in range(wanted):
        rare, at = number % RARE == 0, began + timedelta(seconds=number)
        owner = owners[number % len(owners)]
        yield {
            "id": new_id(),
            "organization_id": owner.organization_id,
            "author_id": owner.user_id,
            "model_id": owner.model_id if number % 50 < len(owners) else None,
            "title": f"Article {number}",
            "slug": f"article-{number}",
            "content": " ".join([*chance.choices(vocabulary, k=words), *(["needle"] if rare else [])]),
            "excerpt": "in the hay",
            "html": None,
            "published": rare or number % 10 != 0,
            "tags": ["rare"] if rare else ["common"],
            "created_at": at,
            "updated_at": at,
            "revision": 1,
        }


def entry(article: dict[str, Any]) -> dict[str, Any]:
    """Return what an article is found by."""
    return {
        "subject_id": article["id"],
        "terms": terms_of([article["title"], article["content"]], article["tags"]),
    }


async def insert_rows(connection: AsyncConnection, model: type[Any], rows: Sequence[dict[str, Any]]) -> None:
    """Insert rows of a model, as the system; on PostgreSQL as it reads a file."""
    table: Table = model.__table__
    if connection.dialect.name == "sqlite":
        await connection.execute(insert(table), rows)
        return
    # COPY does not know row-level security, so that it goes to a table without.
    names = ", ".join(rows[0])
    await connection.exec_driver_sql(f"CREATE TEMP TABLE filling AS SELECT {names} FROM {table.name} WITH NO DATA")
    driver = (await connection.get_raw_connection()).driver_connection
    assert driver is not None
    async with driver.cursor() as cursor, cursor.copy(f"COPY filling ({names}) FROM STDIN") as copy:
        for row in rows:
            await copy.write_row([json.dumps(one) if isinstance(one, list | dict) else one for one in row.values()])
    await connection.exec_driver_sql(f"INSERT INTO {table.name} ({names}) SELECT {names} FROM filling")
    await connection.exec_driver_sql("DROP TABLE filling")


async def analyze(database: Database) -> None:
    """Let the planner know what there is now, as PostgreSQL does by itself after a while."""
    async with database.connect() as connection:
        await (await connection.execution_options(isolation_level="AUTOCOMMIT")).execute(text("ANALYZE"))

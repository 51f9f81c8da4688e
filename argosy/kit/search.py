"""Full-text search: one interface over SQLite's FTS5 and PostgreSQL's tsvector.

A domain has a table of `SearchEntry` beside its own, and a migration that calls `make_searchable` for it. What is found
does not depend on the database: words are cut out here, and both engines get them as plain ASCII terms without order.
Words match without case and accents, and the last one of a query by its beginning. Tags are terms of their own, so a
tag and a text are one look into one index.

The table of entries has no row-level security: PostgreSQL does not use a full-text index behind it, because `@@` is not
leakproof. So entries are never read but as ids for a query over their subjects, which are protected.
"""

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, ClassVar, TypeVar
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    ForeignKey,
    Integer,
    Select,
    Table,
    and_,
    bindparam,
    cast,
    column,
    exists,
    false,
    func,
    literal,
    literal_column,
    select,
    table,
)
from sqlalchemy.dialects.postgresql import TSQUERY
from sqlalchemy.orm import InstrumentedAttribute, Mapped, aliased, declared_attr, mapped_column

from argosy.kit.db import dialects
from argosy.kit.db.session import ReadSession, WriteSession
from argosy.kit.db.types import BigInt
from argosy.kit.pagination import FEW

T = TypeVar("T")
# Chinese and Japanese are written without spaces: there each character is a word.
_WITHOUT_SPACES = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
_WORD = re.compile(rf"[{_WITHOUT_SPACES}]|[^\W_{_WITHOUT_SPACES}]+")
MAX_WORD = 40
MAX_QUERY_WORDS = 20
# Of so many of the newest entries, so many make a page soon.
NEWEST, OFTEN = 1000, 50
COMMON = 2000


class SearchEntry:
    """The terms of one thing. A subclass names the table of the things in `__subject__`.

    >>> class ArticleSearch(SearchEntry, Base):
    ...     __tablename__ = "article_search"
    ...     __subject__ = "articles"
    """

    __subject__: ClassVar[str]

    key: Mapped[int] = mapped_column(BigInt, primary_key=True)  # what FTS5 knows a row by
    terms: Mapped[str]

    @declared_attr
    def subject_id(cls) -> Mapped[UUID]:  # noqa: N805
        """The thing, with which its terms go."""
        return mapped_column(ForeignKey(f"{cls.__subject__}.id", ondelete="CASCADE"), unique=True)


@dataclass(frozen=True, slots=True)
class Search:
    """What is looked for: every word of a text, the last by its beginning, and every tag."""

    text: str | None = None
    tags: Sequence[str] = ()

    def __bool__(self) -> bool:
        """Tell whether anything is looked for."""
        return bool(self.text) or bool(self.tags)


async def index(
    session: WriteSession, entry: type[SearchEntry], subject_id: UUID, texts: Iterable[str], tags: Iterable[str] = ()
) -> None:
    """Keep what a thing is found by, in place of what it was found by before."""
    values = {"subject_id": subject_id, "terms": terms_of(texts, tags)}
    statement = dialects.insert(session.dialect, _table(entry)).values(values)
    changed = {"terms": statement.excluded.terms}
    await session.execute(statement.on_conflict_do_update(index_elements=["subject_id"], set_=changed))


def terms_of(texts: Iterable[str], tags: Iterable[str] = ()) -> str:
    """Return what texts and tags are found by."""
    return " ".join(sorted({*(_word_term(word) for text in texts for word in words(text)), *map(_tag_term, tags)}))


async def narrowed(
    session: ReadSession,
    statement: Select[T],
    entry: type[SearchEntry],
    subject_id: InstrumentedAttribute[UUID],
    search: Search,
) -> Select[T]:
    """Narrow a SELECT to the things that are found, by the column of their id.

    PostgreSQL's planner knows which terms are common. On SQLite it is looked up: with terms that many things have, the
    things are tried in the list's order until a page is full, instead of finding and sorting them all.
    """
    query = _Query.of(search)
    if query is None:
        return statement.where(false())
    if session.dialect == "postgresql":
        return statement.where(subject_id.in_(_in_vector(entry, query)))
    together, last = await _among_newest(session, entry, query)
    # FTS5 merges all words that begin alike before it says anything: it is not asked for those that many things have.
    asked = replace(query, terms=query.terms[:-1], begins=False) if last >= OFTEN and len(query.terms) > 1 else query
    if together >= OFTEN or await _are_common(session, entry, asked):
        return statement.where(exists().where(entry.subject_id == subject_id, *_holds(entry, query)))
    others = list(_holds(entry, query))[len(asked.terms) :]
    found = select(entry.subject_id).where(entry.key.in_(_full_text(entry, asked)), *others)
    return statement.where(subject_id.in_(found)).execution_options(**{FEW: True})


async def _among_newest(session: ReadSession, entry: type[SearchEntry], query: "_Query") -> tuple[int, int]:
    """Return how many of the newest entries have all terms, and how many have the last."""
    newest = aliased(entry, select(entry).order_by(entry.key.desc()).limit(NEWEST).subquery())
    held = list(_holds(newest, query))
    counted = select(func.count().filter(and_(*held)), func.count().filter(held[-1])).select_from(newest)
    together, last = (await session.execute(counted)).one()
    return together, last


async def _are_common(session: ReadSession, entry: type[SearchEntry], query: "_Query") -> bool:
    some = select(func.count()).select_from(_full_text(entry, query).limit(COMMON).subquery())
    return await session.scalar(some) == COMMON


def _in_vector(entry: type[SearchEntry], query: "_Query") -> Select[UUID]:
    """Select what PostgreSQL finds."""
    asked = " & ".join(query.terms) + (":*" if query.begins else "")
    # As in the index, to the letter.
    vector = func.array_to_tsvector(func.string_to_array(entry.terms, literal_column("' '")))
    return select(entry.subject_id).where(vector.op("@@", is_comparison=True)(cast(bindparam(None, asked), TSQUERY)))


@dataclass(frozen=True, slots=True)
class _Query:
    """The terms asked for; of the last perhaps only how it begins."""

    terms: list[str]
    begins: bool

    @classmethod
    def of(cls, search: Search) -> "_Query | None":
        """Return the terms of a search, or None for a text without a word."""
        asked = [_word_term(word) for word in islice(words(search.text or ""), MAX_QUERY_WORDS)]
        if search.text and not asked:
            return None
        return cls([*map(_tag_term, search.tags), *asked], begins=bool(asked))


def _full_text(entry: type[SearchEntry], query: _Query) -> Select[int]:
    """Select the keys of what SQLite finds."""
    name = f"{entry.__tablename__}_fts"  # type: ignore[attr-defined]
    full_text = table(name, column("rowid", Integer))
    asked = " ".join(query.terms) + ("*" if query.begins else "")
    return select(full_text.c.rowid).where(literal_column(name).op("MATCH")(asked))


def _holds(entry: type[SearchEntry], query: _Query) -> Iterator[ColumnElement[bool]]:
    """Yield the conditions that an entry has the terms asked for, without the index."""
    spaced = literal(" ") + entry.terms + literal(" ")
    for number, term in enumerate(query.terms, start=1):
        end = "" if query.begins and number == len(query.terms) else " "
        yield func.instr(spaced, f" {term}{end}") > 0


def words(text: str) -> Iterator[str]:
    """Yield the words of a text, without case and accents."""
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    bare = "".join(character for character in plain if not unicodedata.combining(character))
    return (match.group()[:MAX_WORD] for match in _WORD.finditer(bare))


def _word_term(word: str) -> str:
    """Return a word as ASCII letters and digits; what begins alike still does."""
    return f"w{word}" if word.isascii() else f"x{word.encode().hex()}"


def _tag_term(tag: str) -> str:
    plain = unicodedata.normalize("NFKC", tag).casefold()
    return "t" + hashlib.blake2s(plain.encode(), digest_size=10).hexdigest()


def _table(entry: type[Any]) -> Table:
    found_table: Table = entry.__table__
    return found_table

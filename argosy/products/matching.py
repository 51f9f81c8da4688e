"""The conditions of products that are asked for, in the form that suits how many have it.

PostgreSQL's planner knows how common a tag or the beginning of a name is. On SQLite it is looked up, in one statement.
"""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Select, SQLColumnExpression, and_, exists, func, select

from argosy.kit.db.session import ReadSession
from argosy.organizations.models import Organization
from argosy.products.filters import ProductFilters
from argosy.products.models import Product, ProductModel, ProductTag
from argosy.products.names import key_of

LAST = "\U0010ffff"
COMMON = 2000


@dataclass(frozen=True, slots=True)
class Frequencies:
    """Which of the tags few products have, and whether many have the name."""

    rare_tags: frozenset[str] = frozenset()
    common_name: bool = False


UNKNOWN = Frequencies()


async def frequencies(session: ReadSession, filters: ProductFilters) -> Frequencies:
    """Look up on SQLite how common is what products are asked for by."""
    if session.dialect != "sqlite" or not (filters.tags or filters.q):
        return UNKNOWN
    having = [select(ProductTag.id).where(ProductTag.tag == tag) for tag in filters.tags]
    if filters.q:
        named = select(Product.id).where(Product.status == filters.status)
        having.append(named.where(_begins(Product.name_key, filters.q)))
    counts = (await session.execute(select(*(_up_to(COMMON, one) for one in having)))).one()
    rare = (tag for tag, count in zip(filters.tags, counts, strict=False) if count < COMMON)
    return Frequencies(frozenset(rare), common_name=bool(filters.q) and counts[-1] == COMMON)


def conditions(filters: ProductFilters, known: Frequencies) -> list[ColumnElement[bool]]:
    """Return what the products that are asked for have in common."""
    found = [_tagged(tag, rare=tag in known.rare_tags) for tag in filters.tags]
    if filters.vendor is not None:
        found.append(_offered_by(filters.vendor))
    if filters.currency is not None:
        found.append(Product.currency == filters.currency)
    if filters.min_price is not None:
        found.append(Product.price >= filters.min_price)
    if filters.max_price is not None:
        found.append(Product.price <= filters.max_price)
    if filters.model is not None:
        org, _, name = filters.model.partition("/")
        offered = exists().where(ProductModel.product_id == Product.id, ProductModel.name == name)
        found += [_offered_by(org), offered]
    if filters.q:
        # Of a name that many have, the index of the order is better than that of names, which an expression keeps away.
        found.append(_begins(Product.name_key.concat("") if known.common_name else Product.name_key, filters.q))
    return found


def _up_to(most: int, rows: Select[object]) -> ColumnElement[int]:
    return select(func.count()).select_from(rows.limit(most).subquery()).scalar_subquery()


def _tagged(tag: str, *, rare: bool) -> ColumnElement[bool]:
    """Return the condition of a tag: one that few have finds products, one that many have is looked for on each."""
    if rare:
        return Product.id.in_(select(ProductTag.product_id).where(ProductTag.tag == tag))
    return exists().where(ProductTag.product_id == Product.id, ProductTag.tag == tag)


def _begins(key: SQLColumnExpression[str], text: str) -> ColumnElement[bool]:
    """Return the condition of a search: names that begin with a text, which the index finds as a range."""
    first = key_of(text)
    return and_(key >= first, key <= first + LAST)


def _offered_by(vendor: str) -> ColumnElement[bool]:
    return Product.organization_id == select(Organization.id).where(Organization.slug == vendor).scalar_subquery()

"""Which long lists are measured: what makes their rows, and what is asked for: each filter and order at least once."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from argosy.kit.db.session import Database
from bench.filling import Owner, fill_articles
from bench.selling import OFFERED, fill_entitlements, fill_orders, fill_products, fill_usage


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


PAGES = {"page 1": "", "page 100": "page=100", "first cursor": "cursor=", "deep cursor": "cursor={deep}"}
WEEK, MONTH = "since=2025-03-01&until=2025-03-07", "since=2025-03-01&until=2025-03-31"
OLDEST = {"oldest": "sort=created_at&cursor="}
# A domain adds its list here, with what fills it in bench/filling.py or bench/selling.py.
LISTS = {
    "articles": Many(
        "/api/v1/articles",
        _articles,
        PAGES
        | OLDEST
        | {
            "organization": "organization=first&cursor=",
            "organization, counted": "organization=first",
            "author": "author=second&cursor=",
            "author, counted": "author=second",
            "model": "model=first/iris&cursor=",
            "model, counted": "model=first/iris",
            "slug": "slug=article-4242",
            "published": "published=true",
            "drafts": "published=false&cursor=",
            "drafts, counted": "published=false",
            "rare tag": "tag=rare",
            "common tag": "tag=common",
            "common tag by cursor": "tag=common&cursor=",
            "search": "q=needle",
            "two words": "q=word12 word7",
            "common word": "q=article&cursor=",
            "common word, counted": "q=article",
            "word by its beginning": "q=word12&cursor=",
            "word by its beginning, counted": "q=word12",
            "a letter": "q=w&cursor=",
            "two common words": "q=article word1&cursor=",
            "common and rare word": "q=article needle",
            "word and tag": "q=word12&tag=rare",
            "common word of an author": "q=article&author=first&published=true",
        },
    ),
    "products": Many(
        "/api/v1/products",
        fill_products,
        PAGES
        | OLDEST
        | {
            "vendor": "vendor=second&cursor=",
            "vendor, counted": "vendor=second",
            "own drafts": "status=draft&cursor=",
            "own drafts, counted": "status=draft",
            "own archived": "status=archived",
            "cheapest": "sort=price&cursor=",
            "dearest": "sort=-price&page=100",
            "by name": "sort=name&cursor=",
            "by name, backwards": "sort=-name",
            "cheapest in euros": "currency=EUR&min_price=600&sort=price&cursor=",
            "up to a price": "max_price=600",
            "between prices": "min_price=600&max_price=620&cursor=",
            "rare tag": "tag=rare&cursor=",
            "rare tag, counted": "tag=rare",
            "common tag": "tag=common&cursor=",
            "common tag, counted": "tag=common",
            "two tags": "tag=common&tag=rare&cursor=",
            "model": "model=first/iris&cursor=",
            "model, counted": "model=first/iris",
            "name by its beginning": "q=product 0420",
            "name by its beginning, cheapest": "q=product 04&sort=price&cursor=",
            "any name": "q=product",
        },
    ),
    "orders": Many(
        "/api/v1/orders",
        fill_orders,
        PAGES
        | OLDEST
        | {
            "refunded": "status=refunded&cursor=",
            "pending": "status=pending",
            "fulfilled": "status=fulfilled",
            "paid, of which there are none": "status=paid",
            "oldest cancelled": "status=cancelled&sort=created_at&cursor=",
        },
    ),
    "sales": Many(
        "/api/v1/sales",
        fill_orders,
        PAGES
        | OLDEST
        | {
            "refunded": "status=refunded&cursor=",
            "refunded, counted": "status=refunded",
            "pending": "status=pending",
            "fulfilled": "status=fulfilled",
            "paid, of which there are none": "status=paid&cursor=",
        },
    ),
    "entitlements": Many(
        "/api/v1/entitlements",
        fill_entitlements,
        PAGES
        | OLDEST
        | {
            "suspended": "status=suspended&cursor=",
            "expired": "status=expired",
            "granted": "as=vendor&cursor=",
            "granted, page 100": "as=vendor&page=100",
            "oldest granted": "as=vendor&sort=created_at&cursor=",
            "granted and suspended": "as=vendor&status=suspended&cursor=",
            "granted and expired": "as=vendor&status=expired",
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
            "a week by key": f"{WEEK}&group_by=key&sort=-rows",
            "a week, slowest first": f"{WEEK}&group_by=version&sort=-mean_ms",
            "a week, most errors": f"{WEEK}&sort=-error_rate&cursor=",
            "a month by product": f"{MONTH}&group_by=product",
            "a month by day": f"{MONTH}&group_by=day&sort=-day",
            "of a model": "model=vendor/m7&group_by=day",
            "of a version": f"{MONTH}&version=2&group_by=model",
            "of a key": "key=00000000-0000-0000-0000-000000000007&group_by=day",
            "of a product": f"{MONTH}&product={OFFERED[1]}",
            "a week as vendor": f"{WEEK}&as=vendor",
            "a month by customer as vendor": f"{MONTH}&as=vendor&group_by=customer",
            "a month of a customer as vendor": f"{MONTH}&as=vendor&customer=second&group_by=model",
            "everything": "",
            "everything by cursor": "cursor=",
            "everything by model": "group_by=model",
            "everything by day": "group_by=day&sort=-day",
            "everything as vendor": "as=vendor",
            "everything as CSV": "format=csv",
        },
        WEEK,
    ),
}

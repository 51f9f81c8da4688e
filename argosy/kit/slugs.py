"""Slugs: the part of a URL that tells a reader what is behind it."""

import re
import unicodedata

MAX_SLUG = 80
_APART = re.compile(r"[^a-z0-9]+")


def slugify(text: str, otherwise: str) -> str:
    """Return a text in lower-case ASCII letters, digits and single hyphens; another word where nothing is left."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return _APART.sub("-", plain).strip("-")[:MAX_SLUG].rstrip("-") or otherwise


def distinct(slug: str, mark: str) -> str:
    """Return a slug that is told from others by a mark at its end."""
    return f"{slug[: MAX_SLUG - len(mark) - 1].rstrip('-')}-{mark}"

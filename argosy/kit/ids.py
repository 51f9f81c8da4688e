"""Identifiers: UUID version 7 (RFC 9562), which sort by the time they were made."""

from uuid import UUID

from uuid_utils.compat import uuid7


def new_id() -> UUID:
    """Return a new UUIDv7; ids made by one process are strictly increasing."""
    return uuid7()

"""The two sides of a sale."""

from enum import StrEnum


class Side(StrEnum):
    """As whom an organization asks: about what it has, or about what others have of it."""

    CUSTOMER = "customer"
    VENDOR = "vendor"

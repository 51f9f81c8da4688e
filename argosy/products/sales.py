"""What a sale keeps of a product."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Sold:
    """What was on sale at the moment it was sold."""

    name: str
    price: int
    currency: str
    price_number: int
    plan: dict[str, Any]

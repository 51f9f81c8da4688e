"""Which of several media types a request wants (RFC 9110, section 12.5.1)."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

_WEIGHT = re.compile(r"0(\.[0-9]{0,3})?|1(\.0{0,3})?")


@dataclass(frozen=True, slots=True)
class Offer:
    """A media type that an answer can have, with the parameters that may be asked of it."""

    type: str
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Range:
    type: str
    parameters: Mapping[str, str]
    weight: float

    def closeness(self, offer: Offer) -> tuple[int, int] | None:
        """Return how closely it names an offer; None when it does not."""
        whole = offer.type.partition("/")[0]
        names = ("*/*", f"{whole}/*", offer.type)
        if self.type not in names or not self.parameters.items() <= offer.parameters.items():
            return None
        return names.index(self.type), len(self.parameters)


def preferred(accept: str, offers: Sequence[Offer]) -> Offer:
    """Return the offer that is wanted most: the first of those that are wanted alike, also where none is wanted.

    >>> preferred("text/csv;q=0.5, */*;q=0.1", [Offer("application/json"), Offer("text/csv")]).type
    'text/csv'
    """
    ranges = list(_ranges(accept))
    return max(offers, key=lambda offer: _weight(ranges, offer))


def _weight(ranges: Sequence[_Range], offer: Offer) -> float:
    """Return the weight of the range that names an offer most closely."""
    named = [(closeness, one.weight) for one in ranges if (closeness := one.closeness(offer)) is not None]
    return max(named, default=((0, 0), 0.0))[1]


def _ranges(accept: str) -> Iterator[_Range]:
    """Read the ranges; what is none says nothing.

    A quoted comma or semicolon is taken for the end: no offer has a parameter with one, so such a range names none.
    """
    for member in accept.lower().split(","):
        kind, *pairs = (part.strip() for part in member.split(";"))
        parameters = {
            name.strip(): value.strip().strip('"') for name, _, value in (one.partition("=") for one in pairs if one)
        }
        weight = parameters.pop("q", "1")
        if _WEIGHT.fullmatch(weight):
            yield _Range(kind, parameters, float(weight))

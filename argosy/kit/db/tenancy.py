"""Whom a transaction acts for, and what the rows of a table let it see and change.

PostgreSQL enforces it (row-level security), as a second line behind `readable_by` and `writable_by`: a query that
forgot its filter shows nothing of another organization. SQLite has no such thing, and there this has no effect.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Self
from uuid import UUID

from argosy.kit.principal import Principal, PrincipalKind


@dataclass(frozen=True, slots=True)
class Actor:
    """Whom a transaction acts for: an organization by id, `system`, or nobody; and perhaps a person by id.

    The values are those of the transaction's settings `argosy.organization` and `argosy.person`.
    """

    organization: str = ""
    person: str = ""

    @classmethod
    def of(cls, principal: Principal) -> Self:
        """Return the actor of a caller. A key is no person: it sees nothing of its maker's other organizations."""
        is_person = principal.kind is PrincipalKind.USER
        return cls.member(principal.organization_id, principal.user_id if is_person else None)

    @classmethod
    def member(cls, organization_id: UUID, person_id: UUID | None = None) -> Self:
        """Return who acts in an organization."""
        return cls(str(organization_id), str(person_id) if person_id else "")


NOBODY = Actor()
SYSTEM = Actor("system")


@dataclass(slots=True)
class Binding:
    """The actor of one session, read when its transaction begins; `announced` once the database was told."""

    actor: Actor = NOBODY
    announced: bool = False


_OWN = "organization_id BETWEEN argosy_first_organization() AND argosy_last_organization()"
# The same, worked out once for a statement and not for each row, for tables of which many rows are read at once. The
# planner cannot tell how many rows it lets through.
OWN_ONCE = "organization_id BETWEEN (SELECT argosy_first_organization()) AND (SELECT argosy_last_organization())"


@dataclass(frozen=True, slots=True)
class RowPolicy:
    """What row-level security allows on a table, as PostgreSQL's expressions.

    `own` is for everything; `also_read` adds rows that may be read only, and `also_insert` rows that may be inserted
    only. Beside the range of organizations they may use `argosy_person()`, and `argosy_is_bound()`: for anybody at all.
    """

    own: str = _OWN
    also_read: str | None = None
    also_insert: str | None = None


def protected(classes: Iterable[type[Any]]) -> Iterator[tuple[str, RowPolicy]]:
    """Return the tables that have a policy, by name."""
    for mapped in classes:
        policy: RowPolicy | None = getattr(mapped, "__row_policy__", None)
        if policy is not None:
            yield mapped.__tablename__, policy

"""What is wrong with a prediction's input."""

from collections.abc import Sequence

from typing_extensions import TypedDict

MAX_ERRORS = 20
MAX_NAME = 100


class ErrorItem(TypedDict):
    """One thing wrong: where, what was expected, and the kind of error. The value itself is never repeated."""

    loc: list[str | int]
    msg: str
    type: str


class InvalidInput(ValueError):
    """The input does not fit the signature.

    `status` is 400 when it is not JSON, 413 when it has too many rows, 422 otherwise.
    """

    def __init__(self, errors: Sequence[ErrorItem], *, status: int = 422, more: int = 0) -> None:
        super().__init__(errors[0]["msg"] if errors else "invalid input")
        self.status = status
        self.errors = list(errors[:MAX_ERRORS])
        hidden = more + max(len(errors) - MAX_ERRORS, 0)
        if hidden:
            self.errors.append(ErrorItem(loc=[], msg=f"and {hidden} more errors", type="too_many_errors"))

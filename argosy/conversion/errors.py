"""Why a model cannot be converted, and what to do."""

from pydantic import BaseModel


class Failure(BaseModel):
    """A stable code, the reason and the advice."""

    code: str
    reason: str
    advice: str | None = None


class ConversionError(Exception):
    """The model cannot be converted."""

    def __init__(self, code: str, reason: str, advice: str | None = None) -> None:
        super().__init__(reason if advice is None else f"{reason}: {advice}")
        self.failure = Failure(code=code, reason=reason, advice=advice)


def missing_extra(package: str, extra: str) -> ConversionError:
    """Return the error for an optional library that is not installed."""
    return ConversionError("missing-extra", f"{package} is not installed", f"pip install 'argosy[{extra}]'")

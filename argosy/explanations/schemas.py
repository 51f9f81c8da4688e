"""Wire shapes of explanations."""

from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, JsonValue, StringConstraints, model_validator

from argosy.kit.schemas import RequestSchema, Slug

ONE = r"[a-z0-9][a-z0-9._-]{0,62}"
FullName = Annotated[str, StringConstraints(pattern=rf"^{ONE}/{ONE}$"), Field(examples=["ada/iris"])]
Row = dict[str, JsonValue] | list[JsonValue]


class Method(StrEnum):
    """How a model is explained."""

    SHAP = "shap"
    PERMUTATION = "permutation"


class ExplanationCreate(RequestSchema):
    """A job that explains a model: what to explain is given as a prediction is, as rows, columns or data."""

    model_config = ConfigDict(str_strip_whitespace=False)

    kind: Literal["explanation"]
    model: FullName
    version: int | None = Field(None, ge=1, le=2**31 - 1, description="Explain this version.")
    alias: Slug | None = Field(None, description="Explain the version an alias points at; `live` if left out.")
    method: Method = Field(
        description="`shap`: what each feature adds to each answer. `permutation`: what the model as a whole relies on."
    )
    rows: list[dict[str, JsonValue]] | None = None
    columns: dict[str, list[JsonValue]] | None = None
    data: list[list[JsonValue]] | None = None
    background: list[Row] | None = Field(
        None, min_length=1, description="For `shap`: typical rows to compare with; the given ones if left out."
    )
    labels: list[JsonValue] | None = Field(
        None, description="For `permutation`: the right answer of each row; without, it is told how answers change."
    )
    samples: int | None = Field(
        None,
        ge=1,
        le=100_000,
        description="For `shap`: orders of the features tried on each row (128 if left out). "
        "For `permutation`: times each feature is shuffled (10 if left out).",
    )
    seed: int = Field(0, ge=0, le=2**32 - 1, description="The same seed gives the same result.")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if [self.rows, self.columns, self.data].count(None) != 2:  # noqa: PLR2004 - one of three
            raise ValueError("give exactly one of rows, columns and data")
        if self.version is not None and self.alias is not None:
            raise ValueError("give a version or an alias, not both")
        if self.labels is not None and self.method is not Method.PERMUTATION:
            raise ValueError("labels are for the method permutation")
        if self.background is not None and self.method is not Method.SHAP:
            raise ValueError("a background is for the method shap")
        return self

    @property
    def inputs(self) -> dict[str, Any]:
        """What to explain, as the body of a prediction."""
        given = {"rows": self.rows, "columns": self.columns, "data": self.data}
        return {form: value for form, value in given.items() if value is not None}

    @property
    def repeats(self) -> int:
        """How many samples to take."""
        return self.samples or (128 if self.method is Method.SHAP else 10)

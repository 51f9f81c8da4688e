"""Wire shapes of deployments."""

from datetime import date, datetime
from typing import Annotated, Self

from pydantic import AfterValidator, Field, SecretStr, StringConstraints, model_validator

from argosy.kit.schemas import RequestSchema, Schema, Slug, Text

VersionNumber = Annotated[int, Field(ge=1, le=2**31 - 1)]
HeaderName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{1,64}$")]
MOST_SHARES = 20
MOST_HEADER = 4096


def _printable(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if not text.isascii() or not text.isprintable() or len(text) > MOST_HEADER:
        raise ValueError(f"must be at most {MOST_HEADER} printable ASCII characters")
    return value


HeaderValue = Annotated[SecretStr, AfterValidator(_printable)]


class Pointer(RequestSchema):
    """A version: by its number, or the one an alias points at."""

    version: VersionNumber | None = None
    alias: Slug | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.version is None) == (self.alias is None):
            raise ValueError("give a version or an alias")
        return self


class Share(Pointer):
    """A version's part of the traffic."""

    weight: float = Field(1.0, ge=0, le=1_000_000, description="Its part of the sum of all weights.")


class Shadow(Pointer):
    """A version that is asked too, whose answers are compared and not given."""

    sample_rate: float = Field(1.0, gt=0, le=1, description="Part of the calls that it is asked.")


class Policy(RequestSchema):
    """How requests of a version run together; what is left out is as the server's settings say."""

    max_rows: int | None = Field(None, ge=1, le=100_000, description="Rows of several requests run together at most.")
    max_wait_ms: float | None = Field(None, ge=0, le=1000, description="Time a request waits for others to run with.")


class Batching(Policy):
    """How requests run together, of every version, or of some differently."""

    versions: dict[VersionNumber, Policy] = Field(default_factory=dict, max_length=100)


class Backend(RequestSchema):
    """Another server that runs the model: anything that speaks the Open Inference Protocol over HTTP."""

    url: Text = Field(max_length=2000, description="Where `/v2` is, such as `https://triton.example:8000`.")
    model: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,255}$")] = Field(
        description="The model's name there."
    )
    version: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,64}$")] | None = Field(
        None, description="Its version there; without it, whichever answers."
    )
    binary: bool = Field(True, description="Whether tensors are sent as bytes, which Triton and Argosy understand.")
    timeout_ms: int = Field(10_000, ge=1, le=600_000, description="Time for one call, with its repetitions.")
    retries: int = Field(2, ge=0, le=10, description="How often a call that found nobody is repeated.")
    connections: int = Field(16, ge=1, le=256, description="Connections from each of our processes.")


class BackendSet(Backend):
    """A backend, with the headers it wants."""

    headers: dict[HeaderName, HeaderValue] | None = Field(
        None, max_length=10, description="Such as `Authorization`; kept encrypted, never shown. Left out: as before."
    )


class DeploymentSet(RequestSchema):
    """How a model should be served."""

    traffic: list[Share] = Field(
        default_factory=lambda: [Share(alias="live")],
        min_length=1,
        max_length=MOST_SHARES,
        description="A caller stays with its version, or a session, told by `X-Session-ID`.",
        examples=[[{"alias": "live", "weight": 90}, {"version": 2, "weight": 10}]],
    )
    shadow: Shadow | None = None
    batching: Batching = Batching()
    backend: BackendSet | None = None

    @model_validator(mode="after")
    def _some_traffic(self) -> Self:
        if not any(share.weight for share in self.traffic):
            raise ValueError("some weight must be above 0")
        return self


class BackendRead(Backend):
    """A backend; of its headers, the names."""

    header_names: list[str] = Field(default_factory=list)


class DeploymentRead(Schema):
    """How a model is served."""

    traffic: list[Share] = Field(default_factory=lambda: [Share(alias="live")])
    shadow: Shadow | None = None
    batching: Batching = Batching()
    backend: BackendRead | None = None
    updated_at: datetime | None = None
    revision: int = Field(0, description="0 where it was never set.")


class ShadowRead(Schema):
    """What a shadow answered in a day, beside what was answered."""

    day: date
    version: int
    shadow_version: int
    calls: int
    rows: int
    different_rows: int = Field(description="Rows in which an output differed beyond rounding.")
    errors: int = Field(description="Calls that the shadow could not answer, or answered in another shape.")
    largest_difference: float = Field(description="Of all numbers that were compared.")
    seconds: float = Field(description="Time that the shadow took for all calls.")


class ShadowReport(Schema):
    """What shadows answered, newest day first."""

    items: list[ShadowRead]

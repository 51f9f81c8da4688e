"""All settings, one tree, read from `ARGOSY_*` variables, an `.env` file or files in a secrets folder.

`ARGOSY_DATABASE_URL` is `settings.database.url`: the part before the first underscore names the branch. Everything has
an embedded default, so no file and no variable is needed to start.
"""

import os
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    Field,
    HttpUrl,
    SecretStr,
    StringConstraints,
    UrlConstraints,
    field_validator,
    model_validator,
)
from pydantic_core import Url
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError


def split_names(value: object) -> object:
    """Read a comma-separated list, as variables hold one."""
    return [name.strip() for name in value.split(",") if name.strip()] if isinstance(value, str) else value


StorageUrl = Annotated[Url, UrlConstraints(allowed_schemes=["file"], host_required=False, max_length=2048)]
Bytes = Annotated[int, Field(gt=0)]
Seconds = Annotated[float, Field(gt=0)]
Names = Annotated[list[str], NoDecode, BeforeValidator(split_names)]
Secrets = Annotated[list[SecretStr], NoDecode, BeforeValidator(split_names)]
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,32}$")]
SECRET_KEY_BYTES = 32
DISTINCT_CHARACTERS = 10
SECRETS_DIR = "ARGOSY_SECRETS_DIR"


class Registration(StrEnum):
    """Who may create an account."""

    OPEN = "open"
    CLOSED = "closed"


class DataSettings(BaseModel):
    """Where embedded engines keep their files."""

    dir: Path = Field(Path("argosy-data"), description="Folder for the embedded database, artifacts and secrets.")


class DatabaseSettings(BaseModel):
    """The relational database."""

    url: SecretStr | None = Field(
        None, description="`sqlite:///path` or `postgresql://user@host/name`; a file in the data folder if unset."
    )
    pool_size: int = Field(10, gt=0, description="Connections kept open by one process.")
    timeout: Seconds = Field(5.0, description="Seconds to wait for a lock or a connection before answering 503.")
    poll: Seconds = Field(
        1.0, le=10, description="Seconds between looks for what other processes did, or time has made due."
    )
    migrate: bool = Field(True, description="Bring the schema up to date at start; otherwise run `argosy db upgrade`.")

    @field_validator("url")
    @classmethod
    def _known_database(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None:
            return None
        try:
            scheme = make_url(value.get_secret_value()).drivername
        except ArgumentError:
            scheme = ""
        if scheme not in {"sqlite", "postgresql"}:
            raise ValueError("must be sqlite:///path or postgresql://user@host/name")
        return value


class StorageSettings(BaseModel):
    """Where artifacts are kept."""

    url: StorageUrl | None = Field(None, description="`file:///path`; a folder in the data folder if unset.")


class LogSettings(BaseModel):
    """Structured logs on standard error."""

    format: Literal["auto", "json", "console"] = Field("auto", description="`auto`: human on a terminal, else JSON.")
    level: Literal["debug", "info", "warning", "error"] = Field("info", description="The least severity shown.")


class SecuritySettings(BaseModel):
    """Keys, tokens and passwords."""

    secret_key: SecretStr | None = Field(
        None, description="At least 32 bytes; signs tokens. Made at first start in the data folder if unset."
    )
    former_secret_keys: Secrets = Field([], description="Secret keys used before; they still decrypt what is stored.")
    signing_key_days: int = Field(30, gt=0, description="Days after which access tokens are signed with a new key.")
    access_token_minutes: int = Field(15, gt=0, le=60, description="Lifetime of an access token.")
    refresh_token_days: int = Field(30, gt=0, le=30, description="Lifetime of a sign-in.")
    session_idle_minutes: int = Field(60, gt=0, description="A browser session ends when unused for so long.")
    session_hours: int = Field(24, gt=0, le=720, description="Longest life of a browser session.")
    code_minutes: int = Field(10, gt=0, le=10, description="Lifetime of codes sent by mail.")
    invitation_days: int = Field(7, gt=0, le=30, description="Lifetime of an invitation.")
    password_grant: bool = Field(True, description="Whether tokens are given for a password (OAuth2 password grant).")
    password_min_length: int = Field(15, ge=8, le=128, description="Shortest password accepted.")
    argon2_memory_kib: int = Field(19_456, ge=19_456, description="Memory of one password hash.")
    argon2_iterations: int = Field(2, ge=2, description="Passes of one password hash.")

    @field_validator("secret_key")
    @classmethod
    def _long_enough(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(set(value.get_secret_value())) < DISTINCT_CHARACTERS:
            raise ValueError("must be random: python -c 'import secrets; print(secrets.token_urlsafe(48))'")
        if value is not None and len(value.get_secret_value().encode()) < SECRET_KEY_BYTES:
            raise ValueError(f"must have at least {SECRET_KEY_BYTES} bytes")
        return value


class PublicSettings(BaseModel):
    """How the installation is reached from outside."""

    url: HttpUrl | None = Field(None, description="Address users know, e.g. `https://hub.example.org`; issues tokens.")
    docs: bool = Field(True, description="Whether the API's document and its page are shown without credentials.")


class NetworkSettings(BaseModel):
    """Who may talk to the server, and whom the server may talk to."""

    hosts: Names = Field([], description="Host names answered, besides the public one, localhost and addresses.")
    proxies: Names = Field([], description="Addresses or networks whose `X-Forwarded-*` are believed.")
    origins: Names = Field([], description="Origins whose pages may call the API (CORS), as browsers send them.")
    outgoing: Names = Field([], description="Private hosts or networks the server may call, e.g. `10.1.0.0/16`.")
    head_timeout: Seconds = Field(30.0, le=30, description="Seconds a request's head may take to arrive.")
    body_timeout: Seconds = Field(30.0, description="Seconds without a byte after which a body is given up.")
    tls_certificate: Path | None = Field(None, description="Certificate chain (PEM) to serve HTTPS with.")
    tls_key: Path | None = Field(None, description="Private key (PEM) of the certificate.")
    tls_client_ca: Path | None = Field(None, description="Authorities (PEM); only clients they certified may connect.")

    @model_validator(mode="after")
    def _complete_tls(self) -> Self:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key are given together")
        if self.tls_client_ca is not None and self.tls_certificate is None:
            raise ValueError("tls_client_ca needs tls_certificate and tls_key")
        return self


class GrpcSettings(BaseModel):
    """The Open Inference Protocol over gRPC."""

    port: int | None = Field(None, ge=0, le=65535, description="Port for gRPC; 0 picks a free one; off if unset.")


class SmtpSettings(BaseModel):
    """The mail server."""

    url: SecretStr | None = Field(
        None, description="`smtp://user:password@host:587` (STARTTLS) or `smtps://…:465`; mails are files if unset."
    )
    sender: str = Field("Argosy <argosy@localhost>", description="From whom mails come.")

    @field_validator("url")
    @classmethod
    def _known_scheme(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not value.get_secret_value().startswith(("smtp://", "smtps://")):
            raise ValueError("must be smtp://host:port or smtps://host:port")
        return value


class CacheSettings(BaseModel):
    """What several processes share and may lose: the counters of rate limits, and word of what has changed."""

    url: SecretStr = Field(SecretStr("memory://"), description="`memory://` or `redis://host:6379/0`.")

    @field_validator("url")
    @classmethod
    def _known_scheme(cls, value: SecretStr) -> SecretStr:
        if not value.get_secret_value().startswith(("memory://", "redis://", "rediss://")):
            raise ValueError("must be memory://, redis://host:port/db or rediss://host:port/db")
        return value

    @property
    def address(self) -> str:
        """The URL in the clear."""
        return self.url.get_secret_value()

    @property
    def is_shared(self) -> bool:
        """Whether other processes can be reached there."""
        return not self.address.startswith("memory://")


class RatesSettings(BaseModel):
    """Requests a minute; above, the answer is 429."""

    anonymous: int = Field(600, gt=0, description="Requests without credentials, by address.")
    caller: int = Field(6_000, gt=0, description="Requests of one API key, client or person.")
    predict: int = Field(600_000, gt=0, description="Predictions of one API key, client or person.")
    sign_in_account: int = Field(10, gt=0, le=10, description="Failed sign-ins to one account from new addresses.")
    sign_in_address: int = Field(100, gt=0, le=100, description="Sign-ins, registrations and codes from one address.")


class OidcProvider(BaseModel):
    """A provider people may sign in with (OpenID Connect)."""

    name: Slug
    issuer: HttpUrl
    client_id: str
    client_secret: SecretStr
    scopes: str = "openid email profile"


class OidcSettings(BaseModel):
    """Signing in with another provider."""

    providers: list[OidcProvider] = Field(
        [],
        description="JSON: `[{name, issuer, client_id, client_secret}]`; the callback is …/auth/oidc/{name}/callback.",
    )


class LimitsSettings(BaseModel):
    """Bounds on what a request may carry."""

    body_bytes: Bytes = Field(4 * 2**20, description="Largest JSON body.")
    upload_bytes: Bytes = Field(2**30, description="Largest upload of a model.")
    rows: int = Field(10_000, gt=0, description="Most rows in one prediction request.")
    pixels: int = Field(50_000_000, gt=0, le=80_000_000, description="Most pixels of the images in one request.")


class ServingSettings(BaseModel):
    """How models are run."""

    sessions: int = Field(32, gt=0, description="Models kept loaded by one process.")
    timeout: Seconds = Field(30.0, description="Seconds a prediction may take.")
    memory_bytes: Bytes = Field(4 * 2**30, description="Memory that the loaded models of one process may take.")
    isolate_bytes: Bytes = Field(2**28, description="Memory of a run above which a model has a process of its own.")
    process_bytes: Bytes = Field(4 * 2**30, description="Address space of the process of an isolated model.")
    threads: int = Field(2, gt=0, description="Runs of one model at once in one process.")
    batch_rows: int = Field(256, gt=0, description="Rows of several requests run together at most.")
    cache_bytes: Bytes = Field(64 * 2**20, description="Memory of one process for answers of models that cache them.")
    queue_rows: int = Field(100_000, gt=0, description="Rows that may wait for one model; above, the answer is 503.")
    queue_seconds: Seconds = Field(1.5, description="Seconds that what waits for a model may take to run; above: 503.")
    queue_bytes: Bytes = Field(256 * 2**20, description="Bytes that may wait for one model; above, the answer is 503.")


class ConversionSettings(BaseModel):
    """The isolated process that converts and verifies an upload."""

    memory_bytes: Bytes = Field(6 * 2**30, description="Address space of the process.")
    cpu_seconds: int = Field(300, gt=0, description="Processor time of the process.")
    timeout: Seconds = Field(600.0, description="Seconds it may take.")


class JobsSettings(BaseModel):
    """The worker inside the server."""

    concurrency: int = Field(1, gt=0, description="Jobs run at once.")
    lease: Seconds = Field(30.0, description="Seconds without a heartbeat after which a job is taken over.")
    explanation_runs: int = Field(
        2_000_000, gt=0, description="Rows a model may be run on for one explanation: rows x samples x features."
    )


class UsageSettings(BaseModel):
    """Metering."""

    flush: Seconds = Field(1.0, description="Seconds between writes of the usage journal to the database.")


class PaymentsSettings(BaseModel):
    """How orders are paid."""

    provider: Literal["local", "stripe"] = Field("local", description="`local` moves no money; `stripe` needs its key.")
    order_hours: Annotated[float, Field(gt=0)] = Field(24.0, description="Hours after which an unpaid order fails.")
    poll: Seconds = Field(60.0, description="Seconds of silence after which the provider is asked about a payment.")
    timeout: Seconds = Field(900.0, description="Seconds after which a payment that is not confirmed is cancelled.")
    tolerance: Seconds = Field(300.0, le=3600, description="Greatest age of a webhook's signature, in seconds.")
    local_delay: Seconds = Field(1.0, description="Seconds that the local provider takes to confirm.")
    local_address: HttpUrl | None = Field(
        None, description="Where the local provider reaches this server; the address it listens on if unset."
    )
    stripe_key: SecretStr | None = Field(None, description="Stripe's secret key, `sk_…` or `rk_…`.")
    stripe_webhook_secrets: Secrets = Field([], description="Secrets of Stripe's webhook endpoint, `whsec_…`.")
    stripe_url: HttpUrl = Field(HttpUrl("https://api.stripe.com"), description="Where Stripe's API is.")

    @model_validator(mode="after")
    def _complete_stripe(self) -> Self:
        if self.provider == "stripe" and (self.stripe_key is None or not self.stripe_webhook_secrets):
            raise ValueError("stripe needs stripe_key and stripe_webhook_secrets")
        return self


class SecretsFolder(EnvSettingsSource):
    """Variables given as files of their names, as orchestrators mount secrets."""

    def _load_env_vars(self) -> Mapping[str, str | None]:
        folder = os.environ.get(SECRETS_DIR)
        if not folder:
            return {}
        files = (path for path in Path(folder).iterdir() if path.is_file())
        return {path.name.lower(): path.read_text().strip() for path in files}


class Settings(BaseSettings):
    """The settings of one process: arguments, then variables, then `.env`, then files in `ARGOSY_SECRETS_DIR`."""

    model_config = SettingsConfigDict(
        env_prefix="ARGOSY_",
        env_nested_delimiter="_",
        env_nested_max_split=1,
        env_file=".env",
        env_ignore_empty=True,
        extra="ignore",
        hide_input_in_errors=True,
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - knows no branches; ours does
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read files of secrets by the names of the variables."""
        return init_settings, env_settings, dotenv_settings, SecretsFolder(settings_cls)

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 picks a free one.")
    workers: int = Field(1, ge=1, le=64, description="Processes that serve, on one port.")
    registration: Registration = Field(Registration.OPEN, description="Whether anyone may create an account.")
    data: DataSettings = DataSettings()
    database: DatabaseSettings = DatabaseSettings()
    storage: StorageSettings = StorageSettings()
    log: LogSettings = LogSettings()
    security: SecuritySettings = SecuritySettings()
    public: PublicSettings = PublicSettings()
    network: NetworkSettings = NetworkSettings()
    grpc: GrpcSettings = GrpcSettings()
    smtp: SmtpSettings = SmtpSettings()
    cache: CacheSettings = CacheSettings()
    rates: RatesSettings = RatesSettings()
    oidc: OidcSettings = OidcSettings()
    limits: LimitsSettings = LimitsSettings()
    serving: ServingSettings = ServingSettings()
    conversion: ConversionSettings = ConversionSettings()
    jobs: JobsSettings = JobsSettings()
    usage: UsageSettings = UsageSettings()
    payments: PaymentsSettings = PaymentsSettings()

    @property
    def database_url(self) -> str:
        """The database's URL, the embedded one by default."""
        url = self.database.url
        return url.get_secret_value() if url else f"sqlite:///{self.data.dir.absolute()}/argosy.db"

    @property
    def storage_dir(self) -> Path:
        """The folder of the local artifact store."""
        return Path(self.storage.url.path or "/") if self.storage.url else self.data.dir / "artifacts"

"""Access tokens: JWT in the profile of RFC 9068, signed with ES256; one algorithm, every claim checked (RFC 8725)."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jws import JWSRegistry, extract_compact

from argosy.identity.signing import ALGORITHM, SigningKeys
from argosy.kit.clock import now
from argosy.kit.principal import Scope

AUDIENCE = "argosy-api"
TYPE = "at+jwt"
FIRST_PARTY = "argosy"
MAX_LENGTH = 4096
HEADER_NAMES = frozenset({"alg", "typ", "kid"})
ESSENTIAL = ("iss", "aud", "sub", "jti", "iat", "nbf", "exp", "scope", "org", "client_id")
_REGISTRY = JWSRegistry(algorithms=[ALGORITHM])


@dataclass(frozen=True, slots=True)
class AccessClaims:
    """What a valid access token says.

    `subject` is a user's id, or a client's public id when the client acts for itself; `session_id` is the sign-in it
    lives and dies with, None for a client.
    """

    subject: str
    organization_id: UUID
    scopes: frozenset[Scope]
    session_id: UUID | None = None
    client_id: str = FIRST_PARTY
    jti: str = ""
    issued_at: datetime | None = None
    expires_at: datetime | None = None


def _essential(issuer: str) -> dict[str, jwt.ClaimsOption]:
    options: dict[str, jwt.ClaimsOption] = {name: {"essential": True} for name in ESSENTIAL}
    return options | {"iss": {"essential": True, "value": issuer}, "aud": {"essential": True, "value": AUDIENCE}}


class AccessTokens:
    """Issues and checks access tokens."""

    def __init__(self, keys: SigningKeys, *, issuer: str, lifetime: timedelta) -> None:
        self._keys = keys
        self.issuer = issuer
        self.lifetime = lifetime
        self._claims = jwt.JWTClaimsRegistry(
            now=lambda: int(now().timestamp()),
            leeway=0,
            **_essential(issuer),
        )

    def issue(self, claims: AccessClaims) -> str:
        """Return a signed token."""
        issued = now()
        moment = int(issued.timestamp())
        payload = {
            "iss": self.issuer,
            "aud": AUDIENCE,
            "sub": claims.subject,
            "client_id": claims.client_id,
            "org": str(claims.organization_id),
            "jti": str(uuid4()),
            "iat": moment,
            "nbf": moment,
            "exp": int((issued + self.lifetime).timestamp()),
            "scope": " ".join(sorted(claims.scopes)),
        }
        if claims.session_id is not None:
            payload["sid"] = str(claims.session_id)
        key = self._keys.current
        return jwt.encode({"alg": ALGORITHM, "typ": TYPE, "kid": key.kid}, payload, key, registry=_REGISTRY)

    async def read(self, token: str) -> AccessClaims | None:
        """Return what a token says, or None when it does not hold.

        The key is one of ours, found by its id; a header that names, carries or points at another is refused, and so
        is any parameter beyond the three we write.
        """
        try:
            key_id = _key_id(token)
            if self._keys.find(key_id) is None:
                await self._keys.refresh()
            key = self._keys.find(key_id)
            if key is None:
                return None
            claims = jwt.decode(token, key, registry=_REGISTRY).claims
            self._claims.validate(claims)
            return _claims_of(claims)
        except (JoseError, ValueError, TypeError, AttributeError, KeyError):
            return None


def _key_id(token: str) -> str:
    if len(token) > MAX_LENGTH:
        raise ValueError("longer than any token of ours")
    header = extract_compact(token.encode()).headers()
    if set(header) != HEADER_NAMES or header["typ"] != TYPE or header["alg"] != ALGORITHM:
        raise ValueError("not a header of ours")
    key_id: str = header["kid"]
    return key_id


def _claims_of(claims: dict[str, object]) -> AccessClaims:
    names = set(str(claims["scope"]).split())
    issued_at, expires_at = int(str(claims["iat"])), int(str(claims["exp"]))
    session_id = claims.get("sid")
    return AccessClaims(
        subject=str(claims["sub"]),
        organization_id=UUID(str(claims["org"])),
        scopes=frozenset(scope for scope in Scope if scope.value in names),
        session_id=UUID(str(session_id)) if session_id is not None else None,
        client_id=str(claims["client_id"]),
        jti=str(claims["jti"]),
        issued_at=datetime.fromtimestamp(issued_at, UTC),
        expires_at=datetime.fromtimestamp(expires_at, UTC),
    )

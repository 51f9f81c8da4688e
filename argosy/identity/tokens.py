"""Access tokens: JWT in the profile of RFC 9068, signed with HMAC-SHA256; one algorithm, every claim checked."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID, uuid4

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from argosy.kit.clock import now
from argosy.kit.principal import Scope

ISSUER = "argosy"
AUDIENCE = "argosy-api"
ALGORITHM = "HS256"
TYPE = "at+jwt"
_CLAIMS = jwt.JWTClaimsRegistry(
    now=lambda: int(now().timestamp()),
    leeway=0,
    iss={"essential": True, "value": ISSUER},
    aud={"essential": True, "value": AUDIENCE},
    sub={"essential": True},
    sid={"essential": True},
    exp={"essential": True},
    iat={"essential": True},
    jti={"essential": True},
    scope={"essential": True},
)


@dataclass(frozen=True, slots=True)
class AccessClaims:
    """What a valid access token says."""

    user_id: UUID
    session_id: UUID
    scopes: frozenset[Scope]


class AccessTokens:
    """Issues and checks access tokens."""

    def __init__(self, key: bytes, lifetime: timedelta) -> None:
        self._key = OctKey.import_key(key)
        self.lifetime = lifetime

    def issue(self, claims: AccessClaims) -> str:
        """Return a signed token."""
        issued = now()
        return jwt.encode(
            {"alg": ALGORITHM, "typ": TYPE},
            {
                "iss": ISSUER,
                "aud": AUDIENCE,
                "sub": str(claims.user_id),
                "sid": str(claims.session_id),
                "jti": str(uuid4()),
                "iat": int(issued.timestamp()),
                "exp": int((issued + self.lifetime).timestamp()),
                "scope": " ".join(sorted(claims.scopes)),
            },
            self._key,
        )

    def read(self, token: str) -> AccessClaims | None:
        """Return what a token says, or None when it does not hold."""
        try:
            decoded = jwt.decode(token, self._key, algorithms=[ALGORITHM])
            if decoded.header.get("typ") != TYPE:
                return None
            _CLAIMS.validate(decoded.claims)
            known = set(Scope)
            scopes = frozenset(Scope(name) for name in decoded.claims["scope"].split() if name in known)
            return AccessClaims(UUID(decoded.claims["sub"]), UUID(decoded.claims["sid"]), scopes)
        except (JoseError, ValueError, TypeError, AttributeError):
            return None

"""The protocol of signing in with another provider: OpenID Connect Core 1.0, code flow with PKCE (RFC 7636)."""

import base64
import json
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from argosy.identity.errors import ProviderFailed
from argosy.identity.grants import s256
from argosy.kit.clock import now
from argosy.kit.outgoing import Answer, Outgoing, RemoteFailed
from argosy.settings import OidcProvider

# One family: a provider's public keys must never be usable as a shared secret.
ALGORITHMS = ["RS256", "PS256", "ES256", "ES384", "EdDSA"]
FRESH_SECONDS = 3600.0
RELOAD_SECONDS = 10.0
LEEWAY_SECONDS = 60
OK = 200


@dataclass(frozen=True, slots=True)
class IdClaims:
    """What a provider says of a person."""

    issuer: str
    subject: str
    email: str | None
    email_verified: bool
    username: str | None
    name: str | None


class OidcClient:
    """One provider, as a client of it sees it; what it publishes is kept for an hour."""

    def __init__(self, provider: OidcProvider, outgoing: Outgoing) -> None:
        self.provider = provider
        self.issuer = str(provider.issuer).rstrip("/")
        self._outgoing = outgoing
        self._metadata: dict[str, Any] = {}
        self._metadata_at = self._keys_at = float("-inf")
        self._keys = KeySet([])

    async def authorization_url(self, redirect_uri: str, state: str, nonce: str, verifier: str) -> str:
        """Return where to send the browser; raises `ProviderFailed`."""
        asked = {
            "response_type": "code",
            "client_id": self.provider.client_id,
            "redirect_uri": redirect_uri,
            "scope": self.provider.scopes,
            "state": state,
            "nonce": nonce,
            "code_challenge": s256(verifier),
            "code_challenge_method": "S256",
        }
        endpoint = await self._endpoint("authorization_endpoint")
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(asked)}"

    async def identify(self, code: str, redirect_uri: str, verifier: str, nonce: str) -> IdClaims:
        """Exchange a code for what the provider says of the person; raises `ProviderFailed`."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
        }
        pair = f"{quote(self.provider.client_id)}:{quote(self.provider.client_secret.get_secret_value())}"
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}",
            "Accept": "application/json",
        }
        endpoint = await self._endpoint("token_endpoint")
        tokens = await self._json("POST", endpoint, headers, urlencode(form).encode())
        claims = await self._verified(tokens, nonce)
        return IdClaims(
            issuer=self.issuer,
            subject=str(claims["sub"]),
            email=str(claims["email"]).lower() if claims.get("email") else None,
            email_verified=claims.get("email_verified") is True,
            username=claims.get("preferred_username"),
            name=claims.get("name"),
        )

    async def _verified(self, tokens: dict[str, Any], nonce: str) -> dict[str, Any]:
        """Check an ID token as OpenID Connect Core 1.0, section 3.1.3.7, has it."""
        options = {
            "iss": {"essential": True, "value": str(self._metadata["issuer"])},
            "aud": {"essential": True, "value": self.provider.client_id},
            "nonce": {"essential": True, "value": nonce},
        }
        params = {
            "nonce": nonce,
            "client_id": self.provider.client_id,
            "access_token": tokens.get("access_token"),
        }
        try:
            decoded = await self._decoded(str(tokens["id_token"]))
            checked = CodeIDToken(decoded.claims, decoded.header, options, params)
            checked.validate(now=int(now().timestamp()), leeway=LEEWAY_SECONDS)
        except (JoseError, KeyError, ValueError, TypeError) as error:
            raise ProviderFailed("the provider's answer does not hold") from error
        return dict(decoded.claims)

    async def _decoded(self, token: str) -> jwt.Token:
        await self._refresh_keys(FRESH_SECONDS)
        try:
            return jwt.decode(token, self._keys, algorithms=ALGORITHMS)
        except (JoseError, ValueError):
            # The provider may have a new key.
            await self._refresh_keys(RELOAD_SECONDS)
            return jwt.decode(token, self._keys, algorithms=ALGORITHMS)

    async def _refresh_keys(self, older_than: float) -> None:
        if time.monotonic() - self._keys_at < older_than:
            return
        published = await self._json("GET", await self._endpoint("jwks_uri"))
        try:
            self._keys = KeySet.import_key_set({"keys": published["keys"]})
        except (JoseError, KeyError, ValueError, TypeError) as error:
            raise ProviderFailed("the provider's keys cannot be read") from error
        self._keys_at = time.monotonic()

    async def _endpoint(self, name: str) -> str:
        if time.monotonic() - self._metadata_at > FRESH_SECONDS:
            found = await self._json("GET", f"{self.issuer}/.well-known/openid-configuration")
            # Another issuer's metadata would let it speak for this one (OpenID Connect Discovery 1.0, section 4.3).
            if str(found.get("issuer", "")).rstrip("/") != self.issuer:
                raise ProviderFailed("the provider calls itself by another name")
            self._metadata, self._metadata_at = found, time.monotonic()
        endpoint = self._metadata.get(name)
        if not isinstance(endpoint, str):
            raise ProviderFailed(f"the provider publishes no {name}")
        return endpoint

    async def _json(
        self, method: str, url: str, headers: dict[str, str] | None = None, content: bytes = b""
    ) -> dict[str, Any]:
        try:
            answer: Answer = await self._outgoing.request(method, url, headers=headers, content=content)
        except RemoteFailed as error:
            raise ProviderFailed("the provider does not answer") from error
        try:
            found = json.loads(answer.content)
        except ValueError as error:
            raise ProviderFailed("the provider's answer cannot be read") from error
        if answer.status != OK or not isinstance(found, dict):
            raise ProviderFailed("the provider refused")
        return found

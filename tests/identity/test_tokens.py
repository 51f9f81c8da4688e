"""Access tokens: what is in them, and every way of forging one that is known (RFC 8725)."""

import base64
import hashlib
import hmac
import itertools
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
import time_machine
from fastapi import FastAPI
from joserfc import jws, jwt
from joserfc.jwk import ECKey, OctKey, RSAKey

from argosy.identity.signing import SigningKeys
from argosy.kit.clock import now
from tests.support.callers import Caller, sign_in

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def parts(token: str) -> tuple[dict[str, Any], dict[str, Any], str]:
    header, payload, signature = token.split(".")
    return _decode(header), _decode(payload), signature


def _decode(part: str) -> dict[str, Any]:
    decoded: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return decoded


def _encode(value: object) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def signed(header: dict[str, Any], payload: dict[str, Any], key: Any) -> str:
    """Sign whatever is given, as an attacker's own library would."""
    registry = jws.JWSRegistry(algorithms=[header["alg"]], strict_check_header=False)
    return jws.serialize_compact(header, json.dumps(payload).encode(), key, registry=registry)


async def refused(owner: Caller, token: str) -> bool:
    headers: Any = {"Authorization": f"Bearer {token}".encode("latin-1")}
    response = await owner.get("/users/me", headers=headers)
    return response.status_code == 401


async def test_a_token_says_who_for_what_and_how_long(app: FastAPI, owner: Caller) -> None:
    header, payload, _ = parts(owner.token)
    assert header == {"alg": "ES256", "typ": "at+jwt", "kid": app.state.signing_keys.current.kid}
    assert set(payload) == {
        "iss", "aud", "sub", "client_id", "org", "jti", "iat", "nbf", "exp", "scope", "sid",
    }  # fmt: skip
    assert payload["exp"] - payload["iat"] == 900
    assert payload["sub"] == owner.user_id
    assert payload["org"] == owner.organization_id


async def test_anyone_can_verify_a_token_with_the_published_keys(client: httpx2.AsyncClient, owner: Caller) -> None:
    published = (await client.get("/api/v1/auth/jwks")).json()["keys"]
    assert all("d" not in key for key in published)
    key = next(key for key in published if key["kid"] == parts(owner.token)[0]["kid"])
    assert jwt.decode(owner.token, ECKey.import_key(key), algorithms=["ES256"]).claims["sub"] == owner.user_id


def forgeries(  # noqa: C901, PLR0912 - one attack after another
    header: dict[str, Any], payload: dict[str, Any], signature: str, keys: SigningKeys
) -> Iterator[str]:
    """Yield tokens that must not hold."""
    claims, ours = _encode(payload), keys.current
    public_pem, public_jwk = ours.as_pem(private=False), ours.as_dict(private=False)
    theirs = ECKey.generate_key("P-256", {"kid": "theirs"})
    for none in ("none", "None", "NONE", "nOnE", "", " none"):
        for end in ("", signature, "."):
            yield f"{_encode({**header, 'alg': none})}.{claims}.{end}"
            yield f"{_encode({'alg': none, 'typ': 'JWT'})}.{claims}.{end}"
    # Key confusion: the public key, in every form an attacker can get it, used as an HMAC secret.
    for algorithm, digest in (("HS256", hashlib.sha256), ("HS384", hashlib.sha384), ("HS512", hashlib.sha512)):
        secrets = (public_pem, public_pem.strip(), json.dumps(public_jwk).encode(), b"", b"secret", b"argosy")
        for secret in secrets:
            head = _encode({**header, "alg": algorithm})
            tag = hmac.new(secret, f"{head}.{claims}".encode(), digest).digest()
            yield f"{head}.{claims}.{_encode(tag)}"
    rsa = RSAKey.generate_key(2048)
    for algorithm in ("RS256", "PS256", "RS512"):
        yield signed({**header, "alg": algorithm}, payload, rsa)
    for curve, algorithm in (("P-384", "ES384"), ("P-521", "ES512"), ("P-256", "ES256")):
        yield signed({**header, "alg": algorithm}, payload, ECKey.generate_key(curve))
    # A header that brings or points at its own key.
    smuggled: list[dict[str, Any]] = [
        {"jwk": theirs.as_dict(private=False)}, {"jku": "https://evil.example/jwks"}, {"x5u": "https://evil.example"},
        {"x5c": ["MIIB"]}, {"x5t": "abc"}, {"crit": ["exp"], "exp": 1}, {"crit": ["b64"], "b64": False}, {"b64": False},
        {"zip": "DEF"}, {"cty": "JWT"}, {"url": "x"}, {"nonce": "x"},
    ]  # fmt: skip
    for extra in smuggled:
        for kid in (header["kid"], "theirs", None):
            base = {**header, **extra, "kid": kid} if kid else {k: v for k, v in header.items() if k != "kid"} | extra
            yield f"{_encode(base)}.{claims}.{signature}"
            if "b64" not in extra and "crit" not in extra:
                yield signed(base, payload, theirs)
    for kid in ("../../etc/passwd", "' OR 1=1 --", "", "a" * 5000, "\x00", 1, None, [], {}, True, "/dev/null", "%00"):
        if isinstance(kid, str):
            yield signed({**header, "kid": kid}, payload, theirs)
        yield f"{_encode({**header, 'kid': kid})}.{claims}.{signature}"
    for typ in ("JWT", "jwt", "AT+JWT", "at+JWT", "rt+jwt", "", None, "application/at+jwt", "id+jwt"):
        yield f"{_encode({**header, 'typ': typ})}.{claims}.{signature}"
    # The signature no longer belongs to what it signs.
    for name, value in (("sub", "0" * 32), ("scope", "users:write"), ("exp", 9999999999), ("org", "x"), ("sid", "y")):
        yield f"{_encode(header)}.{_encode({**payload, name: value})}.{signature}"
    yield from malformed(f"{_encode(header)}.{claims}.{signature}")


def malformed(token: str) -> Iterator[str]:
    head, claims, signature = token.split(".")
    raw = base64.urlsafe_b64decode(signature + "==")
    for broken in (raw[:-1], raw + b"\x00", raw[::-1], b"\x00" * 64, b"\xff" * 64, b"", raw[32:] + raw[:32]):
        yield f"{head}.{claims}.{_encode(broken)}"
    for index in range(0, 64, 4):
        flipped = bytearray(raw)
        flipped[index] ^= 1
        yield f"{head}.{claims}.{_encode(bytes(flipped))}"
    yield from (f"{head}.{claims}", f"{head}..{signature}", f".{claims}.{signature}", "..", ".", "a.b.c", f"{token}.x")
    yield from (f"{token}=", f"{head}.{claims}.{signature}%00", f"{head}{head}.{claims}.{signature}", "é.é.é")
    yield json.dumps({"payload": claims, "protected": head, "signature": signature})


def wrong_claims(payload: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield claims that must not hold even with a right signature."""
    for name in ("iss", "aud", "sub", "jti", "iat", "nbf", "exp", "scope", "org", "client_id"):
        yield {key: value for key, value in payload.items() if key != name}
    moment = payload["iat"]
    changes: list[tuple[str, list[Any]]] = [
        ("iss", ["argosy", "https://evil.example", "", None, ["urn:argosy"]]),
        ("aud", ["other-api", "", None, ["other-api"], 1]),
        ("exp", [moment - 1, moment - 10**6, 0, -1, "soon", None]),
        ("nbf", [moment + 600, "later", None]),
        ("iat", [moment + 600, "then", None]),
        ("sub", ["", "nobody", "00000000-0000-0000-0000-000000000000", None, 1]),
        ("org", ["", "x", None, 1]),
        ("sid", ["", "x", "00000000-0000-0000-0000-000000000000", 1]),
    ]
    for name, values in changes:
        for value in values:
            yield {**payload, name: value}


async def test_no_forged_token_is_accepted(app: FastAPI, owner: Caller) -> None:
    assert not await refused(owner, owner.token)
    header, payload, signature = parts(owner.token)
    tried = 0
    for token in forgeries(header, payload, signature, app.state.signing_keys):
        assert await refused(owner, token.replace("\x00", "")), parts_or_token(token)
        tried += 1
    assert tried >= 180


def parts_or_token(token: str) -> object:
    try:
        return parts(token)
    except ValueError:
        return token


async def test_a_right_signature_under_wrong_claims_is_refused(app: FastAPI, owner: Caller) -> None:
    header, payload, _ = parts(owner.token)
    key = app.state.signing_keys.current
    assert not await refused(owner, signed(header, payload, key))
    for wrong in wrong_claims(payload):
        assert await refused(owner, signed(header, wrong, key)), wrong


async def test_a_token_of_another_installation_is_refused(app: FastAPI, owner: Caller) -> None:
    header, payload, _ = parts(owner.token)
    theirs = ECKey.generate_key("P-256", {"kid": header["kid"]})
    assert await refused(owner, signed(header, payload, theirs))
    assert await refused(owner, signed({**header, "alg": "HS256"}, payload, OctKey.import_key(b"k" * 32)))


async def test_a_token_ends_when_its_time_is_up(owner: Caller) -> None:
    issued = datetime.fromtimestamp(parts(owner.token)[1]["iat"], UTC)
    with time_machine.travel(issued + timedelta(seconds=890), tick=False):
        assert not await refused(owner, owner.token)
    with time_machine.travel(issued + timedelta(seconds=901), tick=False):
        assert await refused(owner, owner.token)


async def test_rotated_keys_verify_until_the_last_token_they_signed_has_ended(
    app: FastAPI, client: httpx2.AsyncClient, owner: Caller
) -> None:
    keys: SigningKeys = app.state.signing_keys
    former = str(keys.current.kid)
    await keys.rotate()
    assert keys.current.kid != former
    assert not await refused(owner, owner.token)
    renewed = (await sign_in(client, "owner"))["access_token"]
    assert parts(renewed)[0]["kid"] == keys.current.kid
    assert {key["kid"] for key in (await client.get("/api/v1/auth/jwks")).json()["keys"]} == {former, keys.current.kid}
    with time_machine.travel(now() + timedelta(hours=1), tick=False):
        await keys.keep_fresh()
        assert keys.find(former) is None


async def test_a_key_made_by_another_process_is_learnt_of(app: FastAPI, owner: Caller) -> None:
    ours: SigningKeys = app.state.signing_keys
    other = SigningKeys(
        app.state.database, app.state.keys, rotate_after=timedelta(days=30), token_lifetime=timedelta(minutes=15)
    )
    await other.rotate()
    header, payload, _ = parts(owner.token)
    ours._loaded_at = float("-inf")
    assert not await refused(owner, signed({**header, "kid": other.current.kid}, payload, other.current))


async def test_old_keys_are_replaced_by_themselves(app: FastAPI, owner: Caller) -> None:
    keys: SigningKeys = app.state.signing_keys
    former = keys.current.kid
    await keys.keep_fresh()
    assert keys.current.kid == former
    with time_machine.travel(now() + timedelta(days=31), tick=False):
        await keys.keep_fresh()
        assert keys.current.kid != former


async def test_tokens_in_the_url_are_not_read(client: httpx2.AsyncClient, owner: Caller) -> None:
    names = ("access_token", "token", "api_key", "key", "authorization", "X-API-Key", "bearer")
    for name, value in itertools.product(names, (owner.token, owner.key)):
        assert (await client.get("/api/v1/users/me", params={name: value})).status_code == 401

"""Signing in with another provider: who is linked to which account, and what a provider or a stranger cannot do."""

import base64
import hmac
import json
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from fastapi import FastAPI
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey
from pydantic import HttpUrl, SecretStr
from sqlalchemy import func, select, update

from argosy.identity.models import Identity, User
from argosy.identity.oidc import OidcClient
from argosy.kit.outgoing import Outgoing
from argosy.settings import OidcProvider, Registration
from tests.support.callers import Caller
from tests.support.provider import CLIENT_ID, CLIENT_SECRET, Provider, provider

ADA = {"sub": "p-1", "email": "ada@example.org", "email_verified": True, "preferred_username": "Ada!", "name": "Ada L."}


@pytest.fixture
async def there(app: FastAPI) -> AsyncIterator[Provider]:
    async with provider() as running:
        running.person = dict(ADA)
        settings = OidcProvider(
            name="there",
            issuer=HttpUrl(running.issuer),
            client_id=CLIENT_ID,
            client_secret=SecretStr(CLIENT_SECRET),
        )
        app.state.oidc["there"] = OidcClient(settings, Outgoing(["127.0.0.1/32"]))
        yield running


class Browser:
    """Follows redirects between the two by hand, keeping cookies."""

    def __init__(self, http: httpx2.AsyncClient) -> None:
        self.http = http
        self.cookies: dict[str, str] = {}

    async def get(self, url: str) -> httpx2.Response:
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        response = await self.http.get(url, headers={"Cookie": cookie} if cookie else {})
        for line in response.headers.get_list("set-cookie"):
            name, _, value = line.partition(";")[0].partition("=")
            self.cookies[name] = value.strip('"')
        return response

    async def begin(self, then: str = "") -> str:
        """Return the provider's URL."""
        response = await self.get("/api/v1/auth/oidc/there" + (f"?then={then}" if then else ""))
        assert response.status_code == 303, response.text
        return response.headers["location"]

    async def at_provider(self, url: str) -> str:
        """Sign in there; return the callback."""
        async with httpx2.AsyncClient() as outside:
            return (await outside.get(url)).headers["location"]

    async def sign_in(self) -> httpx2.Response:
        return await self.get(await self.at_provider(await self.begin()))


@pytest.fixture
def browser(client: httpx2.AsyncClient) -> Browser:
    return Browser(client)


async def users(app: FastAPI) -> int:
    async with app.state.database.read() as session:
        return await session.scalar(select(func.count()).select_from(User)) or 0


async def test_a_new_person_gets_an_account_and_comes_back_to_it(
    app: FastAPI, there: Provider, browser: Browser
) -> None:
    response = await browser.sign_in()
    assert response.status_code == 303, response.text
    assert response.headers["location"] == "/docs"
    me = (await browser.get("/api/v1/users/me")).json()
    assert (me["email"], me["username"], me["full_name"]) == ("ada@example.org", "ada", "Ada L.")
    assert me["email_verified_at"]
    there.person["email"] = "changed@example.org"
    again = Browser(browser.http)
    await again.sign_in()
    assert (await again.get("/api/v1/users/me")).json()["id"] == me["id"], "by name there, whatever the address"
    assert await users(app) == 1


async def test_a_verified_address_links_the_account_that_has_verified_it(
    app: FastAPI, there: Provider, browser: Browser, owner: Caller
) -> None:
    there.person |= {"email": "Owner@example.org"}
    async with app.state.database.write() as session:
        await session.execute(update(User).values(email_verified_at=datetime.now(UTC)))
    await browser.sign_in()
    assert (await browser.get("/api/v1/users/me")).json()["id"] == owner.user_id


async def test_an_unverified_address_links_nothing(
    app: FastAPI, there: Provider, browser: Browser, owner: Caller
) -> None:
    there.person |= {"email": "owner@example.org"}
    await browser.sign_in()
    assert (await browser.get("/api/v1/users/me")).json()["id"] != owner.user_id, "ours was never verified"
    for unverified in (False, "true", 1, None):
        there.person |= {"sub": f"unverified-{unverified}", "email": "new@example.org", "email_verified": unverified}
        response = await Browser(browser.http).sign_in()
        assert (response.status_code, response.json()["type"]) == (403, "urn:argosy:problem:not-linked")
    async with app.state.database.read() as session:
        assert len((await session.scalars(select(Identity))).all()) == 1


async def test_closed_registration_makes_no_account(app: FastAPI, there: Provider, browser: Browser) -> None:
    app.state.settings = app.state.settings.model_copy(update={"registration": Registration.CLOSED})
    assert (await browser.sign_in()).json()["type"] == "urn:argosy:problem:registration-closed"
    assert await users(app) == 0


async def test_a_disabled_account_does_not_get_in(app: FastAPI, there: Provider, browser: Browser) -> None:
    await browser.sign_in()
    async with app.state.database.write() as session:
        await session.execute(update(User).values(is_active=False))
    assert (await Browser(browser.http).sign_in()).status_code == 403
    assert (await browser.get("/api/v1/users/me")).status_code == 401


async def test_an_answer_counts_only_in_the_browser_that_asked(there: Provider, browser: Browser) -> None:
    callback = await browser.at_provider(await browser.begin())
    assert (await Browser(browser.http).get(callback)).status_code == 400, "another browser (login CSRF)"
    forged = callback.replace(parse_qs(urlsplit(callback).query)["state"][0], "x" * 43)
    assert (await browser.get(forged)).status_code == 400
    assert (await browser.get(callback)).status_code == 303
    browser.cookies.pop("__Host-argosy")
    replayed = await browser.get(callback)
    assert replayed.status_code in {400, 502}, "the code and the flow are used up"


async def test_a_refusal_there_is_told_here(there: Provider, browser: Browser) -> None:
    callback = await browser.at_provider(await browser.begin())
    state = parse_qs(urlsplit(callback).query)["state"][0]
    response = await browser.get(f"/api/v1/auth/oidc/there/callback?error=access_denied&state={state}")
    assert response.json()["type"] == "urn:argosy:problem:provider-failed"


def forged_tokens(running: Provider, nonce: str) -> dict[str, str]:
    moment = int(time.time())
    claims = {"iss": running.issuer, "aud": CLIENT_ID, "iat": moment, "exp": moment + 300, "nonce": nonce, **ADA}
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    none = base64.urlsafe_b64encode(b'{"alg":"none"}').decode().rstrip("=")
    stranger = RSAKey.generate_key(2048, {"kid": "k1"})
    head = base64.urlsafe_b64encode(b'{"alg":"HS256","kid":"k1"}').decode().rstrip("=")
    tag = hmac.new(running.key.as_pem(private=False), f"{head}.{body}".encode(), "sha256").digest()
    return {
        "none": f"{none}.{body}.",
        "another key": jwt.encode({"alg": "RS256", "kid": "k1"}, claims, stranger),
        "confused": f"{head}.{body}.{base64.urlsafe_b64encode(tag).decode().rstrip('=')}",
        "the client's secret": jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(CLIENT_SECRET.ljust(32))),
        "nonsense": "a.b.c",
    }


async def test_a_provider_is_believed_only_under_its_own_signature(
    app: FastAPI, there: Provider, browser: Browser
) -> None:
    for name in forged_tokens(there, ""):
        callback = await browser.at_provider(await browser.begin())
        there.forged = forged_tokens(there, next(iter(there.codes.values()))["nonce"])[name]
        response = await browser.get(callback)
        assert response.status_code == 502, name
        there.forged = None
    wrong: list[dict[str, Any]] = [
        {"iss": "https://evil.example"}, {"aud": "someone-else"}, {"exp": int(time.time()) - 400}, {"nonce": "other"},
        {"aud": [CLIENT_ID, "x"], "azp": "x"}, {"iat": None}, {"sub": None},
    ]  # fmt: skip
    for spoil in wrong:
        there.spoil = spoil
        response = await Browser(browser.http).sign_in()
        assert response.status_code in {502, 403}, spoil
    assert await users(app) == 0


async def test_a_rotated_key_of_the_provider_is_learnt(app: FastAPI, there: Provider, browser: Browser) -> None:
    await browser.sign_in()
    there.key = RSAKey.generate_key(2048, {"kid": "k2"})
    app.state.oidc["there"]._keys_at -= 60
    assert (await Browser(browser.http).sign_in()).status_code == 303


async def test_another_issuers_metadata_is_refused(there: Provider, browser: Browser) -> None:
    there.metadata = {"issuer": "https://evil.example"}
    assert (await browser.get("/api/v1/auth/oidc/there")).status_code == 502


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_provider_cannot_send_the_server_elsewhere(app: FastAPI, there: Provider, browser: Browser) -> None:
    app.state.oidc["there"] = OidcClient(app.state.oidc["there"].provider, Outgoing([]))
    assert (await browser.get("/api/v1/auth/oidc/there")).json()["type"] == "urn:argosy:problem:target-refused"
    app.state.oidc["there"] = OidcClient(app.state.oidc["there"].provider, Outgoing(["127.0.0.1/32"]))
    there.metadata = {"jwks_uri": "http://169.254.169.254/latest/meta-data/"}
    assert (await browser.sign_in()).json()["type"] == "urn:argosy:problem:target-refused"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_one_is_sent_on_within_this_site_only(there: Provider, browser: Browser) -> None:
    for elsewhere in ("https://evil.example", "//evil.example", "/\\evil.example", "javascript:x", "docs", "%0d%0ax"):
        response = await browser.get(f"/api/v1/auth/oidc/there?then={elsewhere}")
        assert response.status_code == 422, elsewhere
    assert (await browser.get(await browser.at_provider(await browser.begin("/x?y")))).headers["location"] == "/x?y"
    assert (await browser.get("/api/v1/auth/oidc/nowhere")).status_code == 404

"""Browsers' sessions: the cookie, what ends it, and what another site's page cannot do with it."""

from datetime import timedelta
from typing import Any

import httpx2
import pytest
import time_machine
from fastapi import FastAPI

from argosy.kit.clock import now
from tests.support.callers import PASSWORD, Caller

COOKIE = "__Host-argosy"
ORIGIN = "http://argosy.test"
OWN = {"Origin": ORIGIN, "Sec-Fetch-Site": "same-origin"}


class Browser:
    """Keeps a cookie and sends it with whatever headers a page's call would have."""

    def __init__(self, http: httpx2.AsyncClient, cookie: str = "", csrf: str = "") -> None:
        self.http, self.cookie, self.csrf = http, cookie, csrf

    async def log_in(self, username: str = "owner", headers: dict[str, str] = OWN) -> httpx2.Response:
        body = {"username": username, "password": PASSWORD}
        response = await self.send("POST", "/auth/login", json=body, headers=headers)
        if response.status_code == 200:
            self.csrf = response.json()["csrf_token"]
            self.cookie = response.headers["set-cookie"].partition(";")[0].partition("=")[2]
        return response

    async def send(self, method: str, path: str, headers: dict[str, str] = OWN, **options: Any) -> httpx2.Response:
        sent = {"Cookie": f"{COOKIE}={self.cookie}"} if self.cookie else {}
        return await self.http.request(method, f"/api/v1{path}", headers={**sent, **headers}, **options)

    async def change(self, headers: dict[str, str]) -> httpx2.Response:
        return await self.send("PATCH", "/users/me", json={"full_name": "Changed"}, headers=headers)


@pytest.fixture
async def browser(client: httpx2.AsyncClient, owner: Caller) -> Browser:
    opened = Browser(client)
    assert (await opened.log_in()).status_code == 200
    return opened


async def test_the_cookie_is_for_this_host_and_no_script(client: httpx2.AsyncClient, owner: Caller) -> None:
    response = await Browser(client).log_in()
    cookie = response.headers["set-cookie"]
    assert cookie.startswith(f"{COOKIE}=bs_")
    attributes = {part.strip().lower() for part in cookie.split(";")[1:]}
    assert {"httponly", "secure", "samesite=lax", "path=/"} <= attributes
    assert not any(attribute.startswith("domain") for attribute in attributes)
    assert response.json()["user"]["username"] == "owner"
    assert PASSWORD not in response.text


async def test_a_session_answers_who_it_is_and_its_token(browser: Browser) -> None:
    shown = await browser.send("GET", "/auth/session")
    assert shown.json()["csrf_token"] == browser.csrf
    me = await browser.send("GET", "/users/me")
    assert me.json()["username"] == "owner"
    assert browser.cookie not in me.text + shown.text


async def test_a_page_of_ours_may_change_things(browser: Browser) -> None:
    assert (await browser.change({**OWN, "X-CSRF-Token": browser.csrf})).status_code == 200
    assert (await browser.change({"X-CSRF-Token": browser.csrf})).status_code == 200, "no browser, but with the token"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        OWN,
        {"Origin": ORIGIN},
        {"Origin": "https://evil.example", "X-CSRF-Token": "own"},
        {"Origin": "null", "X-CSRF-Token": "own"},
        {"Origin": f"{ORIGIN}.evil.example", "X-CSRF-Token": "own"},
        {"Origin": "https://argosy.test", "X-CSRF-Token": "own"},
        {"Sec-Fetch-Site": "cross-site", "X-CSRF-Token": "own"},
        {"Sec-Fetch-Site": "same-site", "X-CSRF-Token": "own"},
        {"Sec-Fetch-Site": "cross-site", "Origin": ORIGIN, "X-CSRF-Token": "own"},
        {"X-CSRF-Token": "0" * 64},
        {**OWN, "X-CSRF-Token": "0" * 64},
        {**OWN, "X-CSRF-Token": ""},
    ],
)
async def test_another_sites_page_changes_nothing(browser: Browser, headers: dict[str, str]) -> None:
    sent = {name: browser.csrf if value == "own" else value for name, value in headers.items()}
    response = await browser.change(sent)
    assert response.status_code == 403, response.text
    assert response.json()["type"] == "urn:argosy:problem:cross-site-request"
    assert (await browser.send("GET", "/users/me")).json()["full_name"] is None


async def test_a_token_of_another_session_does_not_help(client: httpx2.AsyncClient, browser: Browser) -> None:
    other = Browser(client)
    await other.log_in()
    assert (await browser.change({**OWN, "X-CSRF-Token": other.csrf})).status_code == 403


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
async def test_what_a_form_can_send_is_not_read_as_json(browser: Browser, media_type: str) -> None:
    headers = {**OWN, "X-CSRF-Token": browser.csrf, "Content-Type": media_type}
    response = await browser.send("PATCH", "/users/me", content=b'{"full_name": "Changed"}', headers=headers)
    assert response.status_code == 415


async def test_bearer_calls_need_no_token_whatever_their_origin(owner: Caller) -> None:
    headers = {"Origin": "https://app.example", "Sec-Fetch-Site": "cross-site"}
    assert (await owner.patch("/users/me", json={"full_name": "X"}, headers=headers)).status_code == 200


async def test_another_site_cannot_sign_a_browser_in(client: httpx2.AsyncClient, owner: Caller) -> None:
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}):
        response = await Browser(client).log_in(headers=headers)
        assert response.status_code == 403, headers
        assert "set-cookie" not in response.headers


@pytest.mark.parametrize("planted", ["bs_" + "0" * 32 + "planted", "planted", "bs_", "é"])
async def test_a_planted_session_id_is_never_adopted(client: httpx2.AsyncClient, owner: Caller, planted: str) -> None:
    victim = Browser(client, cookie=planted.encode("latin-1").decode("latin-1") if planted.isascii() else "")
    await victim.log_in()
    assert victim.cookie != planted
    if planted.isascii():
        assert (await Browser(client, cookie=planted).send("GET", "/users/me")).status_code == 401


async def test_signing_in_again_renews_the_id_and_ends_the_former(client: httpx2.AsyncClient, browser: Browser) -> None:
    former = Browser(client, browser.cookie, browser.csrf)
    await browser.log_in()
    assert browser.cookie != former.cookie
    assert (await former.send("GET", "/users/me")).status_code == 401
    assert (await browser.send("GET", "/users/me")).status_code == 200


async def test_logging_out_ends_the_session_on_the_server(browser: Browser) -> None:
    response = await browser.send("POST", "/auth/logout", headers={**OWN, "X-CSRF-Token": browser.csrf})
    assert response.status_code == 204
    assert "Max-Age=0" in response.headers["set-cookie"]
    assert (await browser.send("GET", "/users/me")).status_code == 401


async def test_a_session_ends_when_idle_or_old(app: FastAPI, browser: Browser) -> None:
    with time_machine.travel(now() + timedelta(minutes=59), tick=False):
        assert (await browser.send("GET", "/users/me")).status_code == 200
        await app.state.activity.flush()
    with time_machine.travel(now() + timedelta(minutes=100), tick=False):
        assert (await browser.send("GET", "/users/me")).status_code == 200, "it was used 41 minutes ago"
    with time_machine.travel(now() + timedelta(minutes=120), tick=False):
        assert (await browser.send("GET", "/users/me")).status_code == 401, "idle for an hour"


async def test_a_session_has_a_longest_life(app: FastAPI, browser: Browser) -> None:
    for hour in range(24):
        with time_machine.travel(now() + timedelta(hours=hour, minutes=30), tick=False):
            if hour % 1 == 0:
                await browser.send("GET", "/users/me")
                await app.state.activity.flush()
    with time_machine.travel(now() + timedelta(hours=24, minutes=1), tick=False):
        assert (await browser.send("GET", "/users/me")).status_code == 401


async def test_sign_ins_are_listed_and_ended_one_by_one(client: httpx2.AsyncClient, browser: Browser) -> None:
    other = Browser(client)
    await other.log_in()
    items = (await browser.send("GET", "/auth/sessions")).json()["items"]
    assert sorted(item["kind"] for item in items) == ["browser", "browser", "token"]
    assert [item["current"] for item in items].count(True) == 1
    assert all("hash" not in name and "secret" not in name for item in items for name in item)
    newest = next(item for item in items if item["kind"] == "browser" and not item["current"])
    headers = {**OWN, "X-CSRF-Token": browser.csrf}
    assert (await browser.send("DELETE", f"/auth/sessions/{newest['id']}", headers=headers)).status_code == 204
    assert (await other.send("GET", "/users/me")).status_code == 401
    assert (await browser.send("DELETE", f"/auth/sessions/{newest['id']}", headers=headers)).status_code == 404


async def test_nobody_ends_anothers_sign_in(browser: Browser, stranger: Caller) -> None:
    mine = (await browser.send("GET", "/auth/sessions")).json()["items"][0]["id"]
    assert (await stranger.delete(f"/auth/sessions/{mine}")).status_code == 404
    assert (await browser.send("GET", "/users/me")).status_code == 200

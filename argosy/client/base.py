"""What both clients have: where the server is, who calls, and the flows of a call."""

import os
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Concatenate, ParamSpec, TypeVar

import httpx2

from argosy import __version__
from argosy.client import accounts, requests
from argosy.client.errors import ArgosyAPIError, ArgosyConnectionError
from argosy.client.flows import Exchange, Flow, Pause, Refresh
from argosy.client.requests import Call
from argosy.client.results import CursorPage, Member, Organization
from argosy.client.retries import RetryPolicy, may_repeat

T = TypeVar("T")
P = ParamSpec("P")
LEEWAY_SECONDS = 30.0
UNAUTHORIZED, FORBIDDEN, NOT_FOUND, CONFLICT = 401, 403, 404, 409
REFUSED_GRANT = frozenset({400, UNAUTHORIZED})


class BaseClient:
    """The state of a client and its flows, without any I/O."""

    def __init__(
        self,
        url: str | None = None,
        *,
        api_key: str | None = None,
        username: str | None = None,
        password: str | None = None,
        refresh_token: str | None = None,
        organization: str | None = None,
        on_refresh: Callable[[str], None] | None = None,
        retries: RetryPolicy = RetryPolicy(),  # noqa: B008 - it is frozen
    ) -> None:
        """Read `ARGOSY_URL` and `ARGOSY_API_KEY` for what is not given.

        `on_refresh` hears each new refresh token; the one before it is then used up.
        """
        self.url = requests.default_url(url)
        self.organization = organization
        self._signs_in = refresh_token is not None or (username is not None and password is not None)
        self._api_key = api_key or (None if self._signs_in else os.environ.get("ARGOSY_API_KEY"))
        self._password = (username, password) if username is not None and password is not None else None
        self.refresh_token = refresh_token
        self._on_refresh = on_refresh
        self._retries = retries
        self._access_token: str | None = None
        self._expires_at = 0.0
        self._slug = organization

    def _needs_token(self) -> bool:
        fresh = self._access_token is not None and time.monotonic() < self._expires_at - LEEWAY_SECONDS
        return self._api_key is None and self._signs_in and not fresh

    def _headers(self, call: Call[Any]) -> dict[str, str]:
        headers = {"User-Agent": f"argosy-python/{__version__}"}
        credential = self._api_key or self._access_token
        if call.signed and credential:
            headers["Authorization"] = f"Bearer {credential}"
        if call.signed and self.organization and self._api_key is None:
            headers["X-Organization"] = self.organization
        return headers | dict(call.headers)

    def _request(
        self, http: httpx2.Client | httpx2.AsyncClient, call: Call[Any], files: dict[str, Any] | None
    ) -> httpx2.Request:
        return http.build_request(
            call.method,
            f"{self.url}/api/v1{call.path}",
            params=dict(call.params) or None,
            json=call.json,
            content=call.content,
            data=dict(call.form) if call.form else None,
            files=files,
            headers=self._headers(call),
            timeout=call.timeout if call.timeout is not None else http.timeout,
        )

    def _attempts(self, call: Call[Any]) -> Flow[httpx2.Response]:
        repeatable = may_repeat(call.method, call.headers)
        attempt = 0
        while True:
            response: httpx2.Response | None = None
            try:
                response = yield Exchange(call)
            except httpx2.TransportError as error:
                delay = self._retries.delay(attempt, None) if repeatable else None
                if delay is None:
                    raise ArgosyConnectionError(f"cannot reach {self.url}: {error}") from error
            else:
                delay = self._retries.delay(attempt, response) if repeatable else None
                if delay is None:
                    return response
            yield Pause(delay)
            attempt += 1

    def _send(self, call: Call[T]) -> Flow[T]:
        if call.signed and self._needs_token():
            yield Refresh(self._access_token)
        used = self._access_token
        response = yield from self._attempts(call)
        if response.status_code == UNAUTHORIZED and call.signed and self._api_key is None and self._signs_in:
            # The server may have ended the sign-in, or changed its keys, before the token's time was up.
            yield Refresh(used)
            response = yield from self._attempts(call)
        requests.raise_for_problem(response)
        return call.read(response)

    def _sign_in(self) -> Flow[None]:
        if self.refresh_token is not None:
            form = {"grant_type": "refresh_token", "refresh_token": self.refresh_token}
            try:
                self._keep((yield from self._send(accounts.token(form))))
            except ArgosyAPIError as error:
                if self._password is None or error.status not in REFUSED_GRANT:
                    raise
                self.refresh_token = None
            else:
                return
        username, password = self._password or ("", "")
        form = {"grant_type": "password", "username": username, "password": password}
        self._keep((yield from self._send(accounts.token(form))))

    def _keep(self, tokens: dict[str, Any]) -> None:
        self._access_token = tokens["access_token"]
        self._expires_at = time.monotonic() + float(tokens["expires_in"])
        self.refresh_token = tokens["refresh_token"]
        if self._on_refresh is not None:
            self._on_refresh(tokens["refresh_token"])

    def _own_slug(self) -> Flow[str]:
        if self._slug is None:
            username = (yield from self._send(accounts.me())).username
            self._slug = username if self._api_key is None else (yield from self._slug_of_key(username))
        return self._slug

    def _slug_of_key(self, username: str) -> Flow[str]:
        # A key acts in one organization, and the server refuses it in any other: that tells which one it is, also
        # where the key may not read organizations.
        if (yield from self._acts_in(username)):
            return username
        try:
            joined = yield from self._send(requests.page("/organizations", Organization, "", {}))
        except ArgosyAPIError as error:
            if error.status != FORBIDDEN:
                raise
        else:
            for organization in joined.items:
                if (yield from self._acts_in(organization.slug)):
                    return organization.slug
        raise ValueError("name the model as organization/name, or give organization=: the key does not tell its own")

    def _acts_in(self, slug: str) -> Flow[bool]:
        try:
            yield from self._send(accounts.me(slug))
        except ArgosyAPIError as error:
            if error.status not in {FORBIDDEN, NOT_FOUND}:
                raise
            return False
        return True

    def _full_name(self, name: str) -> Flow[str]:
        return name if "/" in name else f"{yield from self._own_slug()}/{name}"

    def _of(
        self, name: str, make: Callable[Concatenate[str, P], Call[T]], *args: P.args, **kwargs: P.kwargs
    ) -> Flow[T]:
        """Make a call about a model, by its short or full name."""
        full_name = yield from self._full_name(name)
        return (yield from self._send(make(full_name, *args, **kwargs)))

    def _in_own(self, make: Callable[Concatenate[str, P], Call[T]], *args: P.args, **kwargs: P.kwargs) -> Flow[T]:
        """Make a call about the caller's organization."""
        slug = yield from self._own_slug()
        return (yield from self._send(make(slug, *args, **kwargs)))

    def _list(self, path: str, kind: type[T], **params: Any) -> Callable[[str], Flow[CursorPage[T]]]:  # noqa: ANN401
        """Return what gets one page of a list by its cursor."""
        return lambda cursor: self._send(requests.page(path, kind, cursor, params))

    def _list_in_own(self, kind: type[T], *rest: object) -> Callable[[str], Flow[CursorPage[T]]]:
        def get(cursor: str) -> Flow[CursorPage[T]]:
            path = requests.under("organizations", (yield from self._own_slug()), *rest)
            return (yield from self._send(requests.page(path, kind, cursor, {})))

        return get

    def _list_members(self, slug: str | None) -> Callable[[str], Flow[CursorPage[Member]]]:
        if slug is None:
            return self._list_in_own(Member, "members")
        return self._list(requests.under("organizations", slug, "members"), Member)

    def _list_of(self, name: str, kind: type[T], *rest: object) -> Callable[[str], Flow[CursorPage[T]]]:
        def get(cursor: str) -> Flow[CursorPage[T]]:
            path = requests.about((yield from self._full_name(name)), *rest)
            return (yield from self._send(requests.page(path, kind, cursor, {})))

        return get


def opened(call: Call[Any]) -> AbstractContextManager[dict[str, Any] | None]:
    """Open the files of a call for one attempt."""
    return nullcontext() if call.upload is None else call.upload.opened(call.counted)

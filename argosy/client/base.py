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
from argosy.client.results import CursorPage
from argosy.client.retries import RetryPolicy, may_repeat

T = TypeVar("T")
P = ParamSpec("P")
LEEWAY_SECONDS = 30.0
UNAUTHORIZED, NOT_FOUND, CONFLICT = 401, 404, 409
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
        client_id: str | None = None,
        client_secret: str | None = None,
        refresh_token: str | None = None,
        organization: str | None = None,
        on_refresh: Callable[[str], None] | None = None,
        retries: RetryPolicy = RetryPolicy(),  # noqa: B008 - it is frozen
    ) -> None:
        """Read `ARGOSY_URL` and `ARGOSY_API_KEY` for what is not given.

        Calls as an API key, as an OAuth2 client (`client_id`, `client_secret`), or as a person (`username`, `password`,
        or a `refresh_token`). `on_refresh` hears each new refresh token; the one before it is then used up.
        """
        self.url = requests.default_url(url)
        self.organization = organization
        if (client_id is None) != (client_secret is None):
            raise ValueError("an OAuth2 client needs both client_id= and client_secret=")
        self._client = (client_id, client_secret) if client_id is not None and client_secret is not None else None
        self._password = (username, password) if username is not None and password is not None else None
        self._signs_in = refresh_token is not None or self._password is not None or self._client is not None
        self._api_key = api_key or (None if self._signs_in else os.environ.get("ARGOSY_API_KEY"))
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
        # A key and a client have one organization, and a path that names one goes before the person's usual one.
        chooses = self._api_key is None and self._client is None and not call.path.startswith("/organizations/")
        if call.signed and self.organization and chooses:
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
                if (self._password is None and self._client is None) or error.status not in REFUSED_GRANT:
                    raise
                self.refresh_token = None
            else:
                return
        self._keep((yield from self._send(accounts.token(self._grant()))))

    def _grant(self) -> dict[str, str]:
        if self._client is not None:
            client_id, secret = self._client
            return {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret}
        username, password = self._password or ("", "")
        return {"grant_type": "password", "username": username, "password": password}

    def _keep(self, tokens: dict[str, Any]) -> None:
        self._access_token = tokens["access_token"]
        self._expires_at = time.monotonic() + float(tokens["expires_in"])
        # An OAuth2 client gets none: it asks again with its secret.
        self.refresh_token = tokens.get("refresh_token")
        if self._on_refresh is not None and self.refresh_token is not None:
            self._on_refresh(self.refresh_token)

    def _sign_out(self) -> Flow[None]:
        if self.refresh_token is not None:
            yield from self._send(accounts.sign_out())
        self._access_token = self.refresh_token = None

    def _change_password(self, current: str, new: str) -> Flow[None]:
        yield from self._send(accounts.change_password(current, new))
        if self._password is not None:
            self._password = (self._password[0], new)

    def _own_slug(self) -> Flow[str]:
        if self._slug is None:
            self._slug = (yield from self._send(accounts.me())).organization.slug
        return self._slug

    def _full_name(self, name: str) -> Flow[str]:
        return name if "/" in name else f"{yield from self._own_slug()}/{name}"

    def _of(
        self, name: str, make: Callable[Concatenate[str, P], Call[T]], *args: P.args, **kwargs: P.kwargs
    ) -> Flow[T]:
        """Make a call about a model, by its short or full name."""
        full_name = yield from self._full_name(name)
        return (yield from self._send(make(full_name, *args, **kwargs)))

    def _in(
        self,
        organization: str | None,
        make: Callable[Concatenate[str, P], Call[T]],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Flow[T]:
        """Make a call about an organization, the caller's if it is None."""
        slug = organization or (yield from self._own_slug())
        return (yield from self._send(make(slug, *args, **kwargs)))

    def _list(self, path: str, kind: type[T], **params: Any) -> Callable[[str], Flow[CursorPage[T]]]:  # noqa: ANN401
        """Return what gets one page of a list by its cursor."""
        return lambda cursor: self._send(requests.page(path, kind, cursor, params))

    def _list_in(
        self,
        organization: str | None,
        kind: type[T],
        *rest: object,
        **params: Any,  # noqa: ANN401
    ) -> Callable[[str], Flow[CursorPage[T]]]:
        def get(cursor: str) -> Flow[CursorPage[T]]:
            path = requests.under("organizations", organization or (yield from self._own_slug()), *rest)
            return (yield from self._send(requests.page(path, kind, cursor, params)))

        return get

    def _list_of(self, name: str, kind: type[T], *rest: object) -> Callable[[str], Flow[CursorPage[T]]]:
        def get(cursor: str) -> Flow[CursorPage[T]]:
            path = requests.about((yield from self._full_name(name)), *rest)
            return (yield from self._send(requests.page(path, kind, cursor, {})))

        return get


def opened(call: Call[Any]) -> AbstractContextManager[dict[str, Any] | None]:
    """Open the files of a call for one attempt."""
    return nullcontext() if call.upload is None else call.upload.opened(call.counted)

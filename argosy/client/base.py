"""What both clients have: where the server is, who calls, and how a call becomes an HTTP request."""

import os
import time
from typing import Any

import httpx2

from argosy.client import requests
from argosy.client.requests import Call

LEEWAY_SECONDS = 30.0
SCOPE_NAMES = ["models:read", "models:write", "predict", "usage:read", "jobs:read", "jobs:write"]


class BaseClient:
    """The state of a client, without any I/O."""

    def __init__(
        self,
        url: str | None = None,
        *,
        api_key: str | None = None,
        username: str | None = None,
        password: str | None = None,
        refresh_token: str | None = None,
        organization: str | None = None,
    ) -> None:
        """Read `ARGOSY_URL` and `ARGOSY_API_KEY` for what is not given."""
        self.url = requests.default_url(url)
        self.organization = organization
        signs_in = username is not None or refresh_token is not None
        self._api_key = api_key or (None if signs_in else os.environ.get("ARGOSY_API_KEY"))
        self._password = (username, password) if username is not None and password is not None else None
        self._username = username
        self.refresh_token = refresh_token
        self._access_token: str | None = None
        self._expires_at = 0.0
        self._slug: str | None = organization or username

    def _needs_token(self) -> bool:
        fresh = self._access_token is not None and time.monotonic() < self._expires_at - LEEWAY_SECONDS
        return self._api_key is None and (self._password is not None or self.refresh_token is not None) and not fresh

    def _token_call(self) -> Call[dict[str, Any]]:
        if self.refresh_token is not None:
            return requests.token({"grant_type": "refresh_token", "refresh_token": self.refresh_token})
        username, password = self._password or ("", "")
        return requests.token({"grant_type": "password", "username": username or "", "password": password or ""})

    def _keep_token(self, tokens: dict[str, Any]) -> None:
        self._access_token = tokens["access_token"]
        self.refresh_token = tokens["refresh_token"]
        self._expires_at = time.monotonic() + float(tokens["expires_in"])

    def _headers(self, call: Call[Any]) -> dict[str, str]:
        headers = dict(call.headers)
        credential = self._api_key or self._access_token
        if call.signed and credential:
            headers["Authorization"] = f"Bearer {credential}"
        if call.signed and self.organization and self._api_key is None:
            headers["X-Organization"] = self.organization
        return headers

    def _request(self, http: httpx2.Client | httpx2.AsyncClient, call: Call[Any]) -> httpx2.Request:
        return http.build_request(
            call.method,
            f"{self.url}/api/v1{call.path}",
            params=dict(call.params) or None,
            json=call.json,
            content=call.content,
            data=dict(call.form) if call.form else None,
            headers=self._headers(call),
        )

    def _full_name(self, name: str, slug: str) -> str:
        return name if "/" in name else f"{slug}/{name}"

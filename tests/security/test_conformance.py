"""Every operation of the OpenAPI document, driven with what the document allows and what it does not.

No answer is a 5xx, has a status or a media type that is not documented, or breaks its own schema.
"""

import json
import secrets
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx2
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import CHECKS
from schemathesis.core.result import Ok

from tests.support.callers import PASSWORD
from tests.support.models import classifier_sample, linear_classifier
from tests.support.products import body as product
from tests.support.servers import ServerProcess

EXAMPLES = 8
CHECKED = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)


@schemathesis.serializer("application/x-ndjson")
def lines(_context: schemathesis.SerializationContext, value: Any) -> bytes:
    """The document says of a stream of rows that it is text."""
    return value.encode(errors="replace") if isinstance(value, str) else json.dumps(value).encode()


def checks() -> list[Any]:
    return CHECKS.get_by_names(list(CHECKED))


@dataclass
class Account:
    """Someone who owns an organization and administers the platform; signs in again when a call has ended that."""

    url: str
    username: str = field(default_factory=lambda: f"fuzzer-{secrets.token_hex(4)}")
    token: str = ""
    own: dict[str, Any] = field(default_factory=dict)
    addresses: int = 0

    def register(self, database: str) -> None:
        account = {"email": f"{self.username}@example.org", "username": self.username, "password": PASSWORD}
        httpx2.post(f"{self.url}/api/v1/auth/register", json=account).raise_for_status()
        with sqlite3.connect(database, timeout=30) as connection:
            connection.execute("UPDATE users SET is_admin = 1 WHERE username = ?", (self.username,))
        self.sign_in()

    def fill(self) -> None:
        """Make something of each kind, so that the calls have something to be about."""
        with httpx2.Client(base_url=f"{self.url}/api/v1", headers=self.headers) as http:
            mine = f"/organizations/{self.username}"
            scopes = {"name": "c", "scopes": ["predict"]}
            http.post("/models", json={"name": "sizes"}).raise_for_status()
            files: dict[str, Any] = {
                "artifact": ("m.onnx", linear_classifier(), "application/octet-stream"),
                "sample": ("sample.json", json.dumps(classifier_sample()), "application/json"),
            }
            version = http.post(f"/models/{self.username}/sizes/versions", files=files).json()
            while http.get(f"/models/{self.username}/sizes/versions/1").json()["status"] != "ready":
                time.sleep(0.1)
            self.own = {
                "org": self.username,
                "name": "sizes",
                "number": 1,
                "version": "1",
                "alias": "live",
                "job_id": version["job_id"],
                "key_id": http.post(f"{mine}/api-keys", json=scopes).json()["id"],
                "client_id": http.post(f"{mine}/clients", json=scopes).json()["client_id"],
                "invitation_id": http.post(f"{mine}/invitations", json={"email": "a@example.org"}).json()["id"],
            }
            self.own["product_id"] = self._product(http)
            other = {"email": "other@example.org", "username": f"other-{self.username}", "password": PASSWORD}
            self.own["user_id"] = http.post("/auth/register", json=other).json()["id"]

    def _product(self, http: httpx2.Client) -> str:
        model = f"{self.username}/sizes"
        card = {"content": "Tells small from large.", "published": True}
        http.put(f"/models/{model}/card", json=card).raise_for_status()
        made = http.post("/products", json=product("Sizes", model)).json()
        http.post(f"/products/{made['id']}/publish").raise_for_status()
        ordered = http.post("/orders", json={"items": [{"product_id": made["id"]}]})
        self.own["order_id"] = ordered.raise_for_status().json()["id"]
        given = {"organization": self.username, "product_id": made["id"]}
        self.own["entitlement_id"] = http.post("/entitlements", json=given).raise_for_status().json()["id"]
        return str(made["id"])

    def sign_in(self) -> None:
        form = {"grant_type": "password", "username": self.username, "password": PASSWORD}
        # From an address of its own each time, which the server believes: the calls use this one's attempts up.
        self.addresses += 1
        elsewhere = {"X-Forwarded-For": f"198.51.100.{self.addresses}"}
        answer = httpx2.post(f"{self.url}/api/v1/auth/token", data=form, headers=elsewhere)
        answer.raise_for_status()
        self.token = answer.json()["access_token"]

    @property
    def headers(self) -> dict[str, str]:
        me = httpx2.get(f"{self.url}/api/v1/users/me", headers={"Authorization": f"Bearer {self.token}"})
        if me.status_code == 401:
            self.sign_in()
        return {"Authorization": f"Bearer {self.token}"}


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """A server of its own: what is called here would get in the way of others."""
    limits = {
        "ARGOSY_RATES_ANONYMOUS": "1000000",
        "ARGOSY_RATES_CALLER": "1000000",
        "ARGOSY_NETWORK_PROXIES": "127.0.0.1",
    }
    server = ServerProcess(tmp_path_factory.mktemp("fuzzed") / "data", **limits)
    server.start()
    account = Account(server.url)
    account.register(str(server.data_dir / "argosy.db"))
    account.fill()
    yield account
    server.stop()


def drive(operation: Any, account: Account) -> None:
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(), own=st.booleans())
    def run(case: Any, own: bool) -> None:
        if own:
            for name in case.path_parameters or {}:
                case.path_parameters[name] = account.own.get(name, case.path_parameters[name])
            case.headers = {name: value for name, value in (case.headers or {}).items() if name != "X-Organization"}
            case.headers["Origin"] = account.url
        response = case.call(base_url=account.url, headers=headers)
        case.validate_response(response, checks=checks())

    headers = account.headers
    run()


@pytest.mark.timeout(400)
def test_every_operation_answers_as_documented(fuzzed: Account) -> None:
    schema = schemathesis.openapi.from_url(f"{fuzzed.url}/openapi.json", headers=fuzzed.headers)
    failures = []
    operations = 0
    for result in schema.exclude(path="/api/v1/usage/live").get_all_operations():  # its answers have no end
        assert isinstance(result, Ok), result
        operation = result.ok()
        operations += 1
        try:
            drive(operation, fuzzed)
        except BaseExceptionGroup as group:
            failures += [f"{operation.label}: {error}" for error in group.exceptions]
        except Exception as error:  # noqa: BLE001 - all are told together
            failures.append(f"{operation.label}: {error}")
    assert not failures, "\n\n".join(failures)
    assert operations >= 60

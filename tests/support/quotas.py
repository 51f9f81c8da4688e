"""A vendor and a customer on a server of its own process, and how the customer calls."""

import http.client
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2

from argosy.client import Argosy
from tests.support.callers import PASSWORD
from tests.support.models import linear_classifier
from tests.support.products import body
from tests.support.servers import ServerProcess

BODY = json.dumps({"data": [[[1.0, 2.0]]]}).encode()
CARD = {"content": "Tells small from large.", "published": True}


@dataclass
class Party:
    """Somebody with an API key, and with the token of a person."""

    client: Argosy
    token: str

    def ask(self, method: str, path: str, **options: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.token}"}
        answer = httpx2.request(method, f"{self.client.url}/api/v1{path}", headers=headers, timeout=60, **options)
        assert answer.is_success, answer.text
        return answer.json()


class Wire:
    """One connection of the customer, which one process serves."""

    def __init__(self, customer: Party, vendor: Party) -> None:
        self.path = f"/api/v1/models/{vendor.client.organization}/sizes/predict"
        self.headers = {"Authorization": f"Bearer {customer.client._api_key}", "Content-Type": "application/json"}
        self.connection = http.client.HTTPConnection(urlsplit(customer.client.url).netloc, timeout=60)

    def predict(self) -> int:
        self.connection.request("POST", self.path, BODY, self.headers)
        response = self.connection.getresponse()
        response.read()
        return response.status


def party(server: ServerProcess) -> Party:
    client = server.new_client()
    form = {"grant_type": "password", "username": client.organization, "password": PASSWORD}
    token = httpx2.post(f"{server.url}/api/v1/auth/token", data=form, timeout=60).json()["access_token"]
    return Party(client, token)


def entitled(server: ServerProcess, folder: Path, plan: dict[str, Any]) -> tuple[Party, Party, dict[str, Any]]:
    vendor, customer = party(server), party(server)
    (folder / "model.onnx").write_bytes(linear_classifier())
    vendor.client.push(folder / "model.onnx", name="sizes")
    name = f"{vendor.client.organization}/sizes"
    vendor.ask("PUT", f"/models/{name}/card", json=CARD)
    product = vendor.ask("POST", "/products", json=body("Sizes", name, plan=plan))
    given = {"organization": customer.client.organization, "product_id": product["id"]}
    return vendor, customer, vendor.ask("POST", "/entitlements", json=given)


def used(customer: Party, entitlement: dict[str, Any]) -> int:
    number: int = customer.ask("GET", f"/entitlements/{entitlement['id']}")["current"]["calls"]["used"]
    return number

"""Accounts, members, credentials and the log through the SDK, against a real server."""

import json
import secrets
import time
from collections.abc import Callable, Iterator
from inspect import iscoroutinefunction, signature
from pathlib import Path
from typing import Any

import httpx2
import pytest

from argosy.client import Argosy, ArgosyAPIError, AsyncArgosy
from tests.client.mail import mailed_code
from tests.support.callers import PASSWORD
from tests.support.servers import ServerProcess

OTHER_PASSWORD = "another battery, another horse"
METHODS = sorted(name for name in dir(Argosy) if not name.startswith("_"))


@pytest.fixture
def person(server: ServerProcess, client: Argosy) -> Iterator[Argosy]:
    """The account of `client`, signed in with its password."""
    with Argosy(server.url, username=client.organization, password=PASSWORD) as signed_in:
        yield signed_in


@pytest.fixture
def team(person: Argosy) -> str:
    return person.create_organization(f"{person.slug}-team", "Team").slug


def refused(call: Callable[[], object], status: int) -> None:
    with pytest.raises(ArgosyAPIError) as raised:
        call()
    assert raised.value.status == status


@pytest.mark.parametrize("name", METHODS)
def test_both_clients_take_the_same(name: str) -> None:
    here, there = getattr(Argosy, name), getattr(AsyncArgosy, name)
    if isinstance(here, property):
        assert iscoroutinefunction(there)
        return
    assert [str(one) for one in signature(here).parameters.values()] == [
        str(one).replace("Async", "") for one in signature(there).parameters.values()
    ]
    assert here.__doc__ == there.__doc__


def test_a_code_confirms_an_address_and_another_gives_a_new_password(server: ServerProcess, client: Argosy) -> None:
    address = f"{client.organization}@example.org"
    with Argosy(server.url, username=client.organization, password=PASSWORD) as person:
        assert person.me().email_verified_at is None
        person.verify_email(mailed_code(server, address, "ev_"))
        assert person.me().email_verified_at is not None
        assert person.update_me("Ada").full_name == "Ada"
        person.request_password_reset(address)
        person.reset_password(mailed_code(server, address, "pr_"), OTHER_PASSWORD)
        refused(person.me, 401)
    with Argosy(server.url, username=address, password=OTHER_PASSWORD) as again:
        assert again.me().kind == "user"


def test_a_changed_password_is_the_one_to_go_on_with(person: Argosy) -> None:
    person.change_password(PASSWORD, OTHER_PASSWORD)
    person.sign_out()
    assert person.refresh_token is None
    assert person.me().username == person.slug


def test_a_sign_in_that_ended_is_no_longer_listed(server: ServerProcess, person: Argosy) -> None:
    with Argosy(server.url, username=person.slug, password=PASSWORD) as other:
        other.sign_in()
        left = other.refresh_token
        (theirs,) = [one.id for one in other.sessions() if one.current]
        assert theirs in {one.id for one in person.sessions() if not one.current}
        other.sign_out()
    assert theirs not in {one.id for one in person.sessions()}
    with Argosy(server.url, refresh_token=left) as late:
        refused(late.me, 401)
    (mine,) = [one.id for one in person.sessions() if one.current]
    person.end_session(mine)
    refused(lambda: person.end_session(mine), 404)


def test_an_invitation_is_accepted_at_registration(server: ServerProcess, person: Argosy, team: str) -> None:
    name = f"user-{secrets.token_hex(4)}"
    address = f"{name}@example.org"
    invited = person.invite(address, "developer", organization=team)
    assert [one.id for one in person.invitations(team)] == [invited.id]
    with Argosy(server.url) as anonymous:
        made = anonymous.register(address, name, PASSWORD, invitation=mailed_code(server, address, "in_"))
    assert made.email_verified_at is not None
    assert {one.username: one.role for one in person.members(team)} == {person.slug: "owner", name: "developer"}
    assert person.change_role(made.id, "viewer", organization=team).role == "viewer"
    assert person.update_organization(team, name="Crew").name == "Crew"
    with Argosy(server.url, username=name, password=PASSWORD, organization=name) as guest:
        assert guest.get_organization(team).name == "Crew"
        refused(lambda: guest.delete_organization(team), 403)
        guest.leave_organization(team)
        refused(lambda: guest.get_organization(team), 404)
    refused(lambda: person.remove_member(made.id, organization=team), 404)
    person.withdraw_invitation(person.invite(address, organization=team).id, organization=team)
    assert list(person.invitations(team)) == []
    person.delete_organization(team)
    refused(lambda: person.get_organization(team), 404)


def test_an_oauth2_client_signs_in_by_itself(server: ServerProcess, person: Argosy, team: str) -> None:
    made = person.create_client("nightly", ["models:read", "models:write"], organization=team)
    assert made.client_secret is not None
    credentials: dict[str, Any] = {"client_id": made.client_id, "client_secret": made.client_secret}
    with Argosy(server.url, **credentials) as service:
        assert (service.me().kind, service.slug, service.refresh_token) == ("client", team, None)
        assert service.create_model("m").full_name == f"{team}/m"
        rotated = person.rotate_client(made.client_id, organization=team)
        assert rotated.client_secret != made.client_secret
        service.sign_in()
        assert [one.client_id for one in person.clients(organization=team)] == [made.client_id]
        person.revoke_client(made.client_id, organization=team)
        refused(service.me, 401)
    with pytest.raises(ValueError, match="client_secret"):
        Argosy(server.url, client_id=made.client_id)


def test_a_key_is_rotated_without_a_gap(server: ServerProcess, person: Argosy) -> None:
    made = person.create_api_key("k", ["models:read"], models=[f"{person.slug}/m"], networks=["127.0.0.1"])
    assert made.models == [f"{person.slug}/m"]
    rotated = person.rotate_api_key(made.id, overlap_seconds=60)
    assert rotated.former_until is not None
    for key in (made.key, rotated.key):
        with Argosy(server.url, api_key=key) as caller:
            assert list(caller.models()) == []
    last = person.rotate_api_key(made.id, overlap_seconds=0)
    with Argosy(server.url, api_key=rotated.key) as former, Argosy(server.url, api_key=last.key) as current:
        refused(former.me, 401)
        assert current.me().scopes == ["models:read"]


def test_the_log_tells_what_was_done(person: Argosy, tmp_path: Path) -> None:
    made = person.create_api_key("logged", ["models:read"])
    while not (
        found := [one for one in person.audit(action="api_key.created") if str(made.id) in one.model_dump_json()]
    ):
        time.sleep(0.05)  # it is written behind the request; the test's own time limit ends this
    (entry,) = found
    assert [one.id for one in person.audit(actor_id=entry.actor_id, since=entry.at)][-1] == entry.id
    assert entry.id not in {one.id for one in person.audit(until=entry.at)}
    checked = person.verify_audit()
    assert (checked.intact, checked.broken_at) == (True, None)
    lines = person.export_audit(tmp_path / "log.jsonl").read_text().splitlines()
    assert entry.hash in {json.loads(line)["hash"] for line in lines}
    refused(lambda: list(person.platform_audit()), 403)
    refused(person.verify_platform_audit, 403)


def test_accounts_are_for_administrators(person: Argosy) -> None:
    me = person.me().id
    for call in (
        lambda: list(person.users("ada", active=True)),
        lambda: person.user(me),
        lambda: person.update_user(me, is_admin=True),
        lambda: person.delete_user(me),
    ):
        refused(call, 403)


async def test_the_asynchronous_client_manages_an_organization(server: ServerProcess, client: Argosy) -> None:
    async with AsyncArgosy(server.url, username=client.organization, password=PASSWORD) as person:
        team = (await person.create_organization(f"{client.organization}-team", "Team")).slug
        made = await person.create_client("nightly", ["models:read"], organization=team)
        credentials: dict[str, Any] = {"client_id": made.client_id, "client_secret": made.client_secret}
        async with AsyncArgosy(server.url, **credentials) as service:
            assert await service.slug() == team
        await person.invite("nobody@example.org", organization=team)
        assert [one.role async for one in person.invitations(team)] == ["viewer"]
        assert (await person.verify_audit(organization=team)).intact
        assert True in [one.current async for one in person.sessions()]
        await person.delete_organization(team)
        await person.sign_out()


@pytest.mark.parametrize(
    ("make", "path"),
    [
        (lambda client: client.create_organization("s", "n"), "/organizations"),
        (lambda client: client.invite("a@example.org"), "/organizations/o/invitations"),
        (lambda client: client.create_api_key("k", ["predict"]), "/organizations/o/api-keys"),
        (lambda client: client.rotate_api_key("1"), "/organizations/o/api-keys/1/rotate"),
        (lambda client: client.create_client("c", ["predict"]), "/organizations/o/clients"),
        (lambda client: client.rotate_client("1"), "/organizations/o/clients/1/rotate"),
    ],
)
def test_what_makes_something_can_be_repeated(make: Callable[[Argosy], object], path: str) -> None:
    seen: list[httpx2.Request] = []

    def handle(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return httpx2.Response(503 if len(seen) == 1 else 409, json={"detail": "so it is"})

    with Argosy("http://argosy.test", api_key="ak_x", organization="o", transport=httpx2.MockTransport(handle)) as one:
        refused(lambda: make(one), 409)
    assert {request.url.path for request in seen} == {f"/api/v1{path}"}
    assert len(seen) == 2
    assert seen[0].headers["idempotency-key"] == seen[1].headers["idempotency-key"]

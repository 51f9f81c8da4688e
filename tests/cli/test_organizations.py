"""Organizations, their members, credentials and log on the command line."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from argosy.client import Argosy
from tests.cli.conftest import Shell, sign_in
from tests.client.accounts import new_account
from tests.client.mail import mailed_code
from tests.support.servers import ServerProcess


@pytest.fixture
def guest(server: ServerProcess) -> Iterator[Argosy]:
    """Another account."""
    with new_account(server) as client:
        yield client


@pytest.fixture
def team(account: Argosy, signed_in: Shell) -> str:
    slug = f"{account.organization}-team"
    signed_in.run("orgs", "create", slug, "Team")
    return slug


def test_members_come_change_and_go(
    server: ServerProcess, guest: Argosy, signed_in: Shell, team: str, tmp_path: Path
) -> None:
    name, address = str(guest.organization), f"{guest.organization}@example.org"
    theirs = sign_in(guest, tmp_path / "guest")
    void = signed_in.json("orgs", "invite", team, "nobody@example.org")
    assert void["role"] == "viewer"
    assert signed_in.json("orgs", "withdraw", team, void["id"]) == {"withdrawn": void["id"]}
    invited = signed_in.json("orgs", "invite", team, address, "--role", "developer")
    assert [one["id"] for one in signed_in.json("orgs", "invitations", team)] == [invited["id"]]
    theirs.run("orgs", "members", team, code=1)
    code = mailed_code(server, address, "in_")
    assert code not in signed_in.run("orgs", "invitations", team)
    assert theirs.json("orgs", "accept", code)["role"] == "developer"
    theirs.run("orgs", "accept", code, code=1)

    assert signed_in.json("orgs", "role", team, name, "admin")["role"] == "admin"
    assert "no member 'nobody'" in signed_in.run("orgs", "role", team, "nobody", "admin", code=1)
    assert {one["role"] for one in theirs.json("orgs", "members", team)} == {"owner", "admin"}
    signed_in.run("orgs", "leave", team, code=1)
    assert "Aborted" in signed_in.run("orgs", "transfer", team, name, typed="n\n", code=1)
    assert signed_in.json("orgs", "transfer", team, name, "--yes")["role"] == "owner"
    assert signed_in.json("orgs", "leave", team) == {"left": team}
    signed_in.run("orgs", "show", team, code=1)
    assert theirs.json("orgs", "show", team)["name"] == "Team"
    assert theirs.json("orgs", "delete", team, "--yes") == {"deleted": team}
    assert [one["slug"] for one in theirs.json("orgs", "list")] == [name]


def test_a_member_is_removed(server: ServerProcess, guest: Argosy, signed_in: Shell, team: str, tmp_path: Path) -> None:
    signed_in.run("orgs", "invite", team, f"{guest.organization}@example.org")
    theirs = sign_in(guest, tmp_path / "guest")
    theirs.run("orgs", "accept", mailed_code(server, f"{guest.organization}@example.org", "in_"))
    theirs.run("orgs", "remove", team, str(guest.organization).replace("user", "nobody"), code=1)
    signed_in.run("orgs", "remove", team, str(guest.organization))
    theirs.run("orgs", "show", team, code=1)


def test_a_key_is_limited_and_rotated(account: Argosy, signed_in: Shell, team: str, tmp_path: Path) -> None:
    limits = ("--model", "iris", "--network", "127.0.0.0/8", "--network", "::1")
    made = signed_in.json("keys", "create", "k", "--scope", "models:read", *limits)
    assert made["models"] == [f"{account.organization}/iris"]
    assert len(made["networks"]) == 2
    rotated = signed_in.json("keys", "rotate", made["id"], "--overlap", "600")
    for key in (made["key"], rotated["key"]):
        assert Shell(tmp_path, account.url, key).json("models", "list") == []
    again = signed_in.printed("keys", "rotate", made["id"], "--overlap", "0")
    newest = again.strip().splitlines()[-1]
    assert newest.startswith("ak_")
    assert again.count(newest) == 1
    Shell(tmp_path, account.url, rotated["key"]).run("models", "list", code=1)
    shown = signed_in.run("keys", "list")
    assert not any(key in shown for key in (made["key"], rotated["key"], newest))

    far = signed_in.json("keys", "create", "far", "--scope", "models:read", "--network", "203.0.113.0/24")
    Shell(tmp_path, account.url, far["key"]).run("models", "list", code=1)
    teams = signed_in.json("keys", "create", "t", "--scope", "models:read", "--org", team, "--model", "iris")
    assert teams["models"] == [f"{team}/iris"]
    assert [one["id"] for one in signed_in.json("keys", "list", "--org", team)] == [teams["id"]]
    signed_in.run("keys", "revoke", teams["id"], "--org", team)


def test_a_service_signs_in_as_a_client(account: Argosy, signed_in: Shell, tmp_path: Path) -> None:
    shown = signed_in.printed("clients", "create", "nightly", "--scope", "models:read")
    secret = shown.strip().splitlines()[-1]
    assert shown.count(secret) == 1
    (listed,) = signed_in.json("clients", "list")
    client_id = listed["client_id"]
    assert secret not in json.dumps(listed)

    service = Shell(tmp_path / "service", account.url, None)
    assert client_id in service.run("login", "--client-id", client_id, typed=f"{secret}\n")
    assert service.credentials.stat().st_mode & 0o777 == 0o600
    me = service.json("account", "show")
    assert (me["kind"], me["organization"]["slug"], me["scopes"]) == ("client", account.organization, ["models:read"])
    service.run("keys", "list", code=1)

    rotated = signed_in.json("clients", "rotate", client_id, "--overlap", "0")
    service.run("models", "list", code=1)
    service.run("login", "--client-id", client_id, typed=f"{secret}\n", code=1)
    service.run("login", "--client-id", client_id, typed=f"{rotated['client_secret']}\n")
    assert service.json("models", "list") == []
    assert signed_in.json("clients", "revoke", client_id) == {"revoked": client_id}
    service.run("models", "list", code=1)
    assert "Signed out." in service.run("logout")
    assert "not both" in service.run("login", "--client-id", "x", "--username", "y", code=2)


def test_the_log_is_listed_verified_and_exported(account: Argosy, signed_in: Shell, team: str, tmp_path: Path) -> None:
    signed_in.run("keys", "create", "logged", "--scope", "models:read")
    target = tmp_path / "log.jsonl"
    while not signed_in.json("audit", "list", "--action", "api_key.created"):
        pass  # it is written behind the request; the test's own time limit ends this
    (entry,) = signed_in.json("audit", "list", "--action", "api_key.created", "--limit", "1")
    assert entry["action"] == "api_key.created"
    assert signed_in.json("audit", "list", "--until", "2020-01-01T00:00:00Z") == []
    assert "api_key.created" in signed_in.run("audit", "list")
    assert signed_in.json("audit", "verify")["intact"] is True
    assert signed_in.json("audit", "export", "-o", str(target)) == {"path": str(target)}
    lines = [json.loads(line) for line in target.read_text().splitlines()]
    assert entry["hash"] in {one["hash"] for one in lines}
    assert signed_in.json("audit", "verify", "--org", team)["intact"] is True
    signed_in.run("audit", "list", "--platform", code=1)
    assert "not both" in signed_in.run("audit", "list", "--platform", "--org", team, code=2)
    assert "since" in signed_in.run("audit", "list", "--since", "yesterday", code=1)

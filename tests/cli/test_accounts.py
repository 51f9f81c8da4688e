"""Accounts, sign-ins and the platform's administration on the command line."""

import json
import secrets
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from argosy.cli import credentials
from argosy.client import Argosy, ArgosyAPIError
from tests.cli.conftest import Shell, Terminal, sign_in
from tests.client.accounts import new_account
from tests.client.mail import mailed_code
from tests.support.callers import PASSWORD
from tests.support.servers import ServerProcess

OTHER_PASSWORD = "another battery, another horse"


def test_an_account_from_registration_to_a_forgotten_password(server: ServerProcess, tmp_path: Path) -> None:
    name = f"user-{secrets.token_hex(4)}"
    address = f"{name}@example.org"
    shell = Shell(tmp_path, server.url, None)
    twice = f"{PASSWORD}\n{PASSWORD}\n"
    made = shell.run("account", "register", address, name, "--full-name", "Ada", typed=twice)
    assert (name in made, PASSWORD in made) == (True, False)
    assert "confirmed" in shell.run("account", "verify", mailed_code(server, address, "ev_"))
    assert "code" in shell.run("account", "verify", "ev_0000000000", code=1)

    terminal = Terminal(tmp_path, {"ARGOSY_URL": server.url})
    process = terminal.start("account", "reset-password")
    assert process.stdin is not None
    process.stdin.write(f"{address}\n")
    process.stdin.flush()
    code = mailed_code(server, address, "pr_")
    shown = "".join(process.communicate(f"{code}\n{OTHER_PASSWORD}\n{OTHER_PASSWORD}\n"))
    assert ("every sign-in has ended" in shown, OTHER_PASSWORD in shown) == (True, False)
    assert "wrong username" in shell.run("login", "--username", name, typed=f"{PASSWORD}\n", code=1)
    shell.run("login", "--username", address, typed=f"{OTHER_PASSWORD}\n")
    me = shell.json("account", "show")
    assert (me["username"], me["kind"], me["organization"]["slug"]) == (name, "user", name)
    assert me["email_verified_at"]


def test_a_password_and_an_address_are_changed(server: ServerProcess, account: Argosy, signed_in: Shell) -> None:
    wrong = f"not this\n{OTHER_PASSWORD}\n{OTHER_PASSWORD}\n"
    signed_in.run("account", "password", typed=wrong, code=1)
    signed_in.run("account", "password", typed=wrong.replace("not this", PASSWORD))
    address = f"new-{account.organization}@example.org"
    signed_in.run("account", "email", address, typed=f"{OTHER_PASSWORD}\n")
    signed_in.run("account", "verify", mailed_code(server, address, "ev_"))
    signed_in.run("login", "--username", address, typed=f"{OTHER_PASSWORD}\n")
    assert signed_in.json("account", "show")["email"] == address
    assert address in signed_in.run("account", "show")


def test_sign_ins_are_listed_and_ended(account: Argosy, signed_in: Shell, tmp_path: Path) -> None:
    second = sign_in(account, tmp_path / "second")
    before = {one["id"]: one["current"] for one in signed_in.json("account", "sessions", "list")}
    mine = [one["id"] for one in signed_in.json("account", "sessions") if one["current"]]
    others = [one["id"] for one in second.json("account", "sessions") if one["current"]]
    assert (len(mine), len(others), mine != others) == (1, 1, True)
    assert {*mine, *others} <= set(before)
    second.run("logout")
    assert not second.credentials.exists()
    assert others[0] not in signed_in.run("account", "sessions")
    assert signed_in.json("account", "sessions", "end", mine[0]) == {"ended": mine[0]}
    signed_in.run("models", "list", code=1)


def test_logging_out_forgets_also_where_no_server_answers(signed_in: Shell) -> None:
    stored = json.loads(signed_in.credentials.read_text())
    signed_in.credentials.write_text(json.dumps({**stored, "url": "http://127.0.0.1:9"}))
    shown = signed_in.run("logout")
    assert "did not end" in shown
    assert "Signed out." in shown
    assert not signed_in.credentials.exists()
    assert "Signed out." in signed_in.run("logout")


def test_a_stored_sign_in_goes_to_its_own_server_only(signed_in: Shell) -> None:
    own = str(signed_in.environment["ARGOSY_URL"])
    signed_in.environment["ARGOSY_URL"] = own.replace("127.0.0.1", "localhost")
    assert "send an API key" in signed_in.run("models", "list", code=1)
    signed_in.environment["ARGOSY_URL"] = f"{own}/"
    assert signed_in.json("models", "list") is not None
    signed_in.environment["ARGOSY_URL"] = None
    assert signed_in.json("models", "list") is not None


def test_a_long_command_goes_on_with_what_another_renewed(
    signed_in: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ARGOSY_URL", "ARGOSY_API_KEY", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    with credentials.open_client() as long:
        long.me()
        signed_in.run("models", "list")
        long._expires_at = 0.0
        long.me()
        signed_in.run("models", "list")
        signed_in.run("logout")
        long._expires_at = 0.0
        with pytest.raises(ArgosyAPIError):
            long.me()
    assert not signed_in.credentials.exists()


def test_a_command_that_asks_the_server_twice_takes_turns_with_itself(account: Argosy, signed_in: Shell) -> None:
    address = f"{account.organization}@example.org"
    typed = f"{address}\npr_0000000000\n{PASSWORD}\n{PASSWORD}\n"
    assert "code" in signed_in.run("account", "reset-password", typed=typed, code=1)
    assert signed_in.json("models", "list") is not None


@pytest.fixture
def administrator(server: ServerProcess, account: Argosy, signed_in: Shell) -> Shell:
    with closing(sqlite3.connect(server.data_dir / "argosy.db", timeout=10)) as database, database:
        database.execute("UPDATE users SET is_admin = 1 WHERE username = ?", [account.organization])
    return signed_in


def test_administrators_manage_accounts(server: ServerProcess, administrator: Shell, tmp_path: Path) -> None:
    with new_account(server) as other:
        name = str(other.organization)
        theirs = Shell(tmp_path / "theirs", server.url, other._api_key)
        found = administrator.json("users", "list", "--search", name)
        assert [(one["username"], one["is_active"], one["is_admin"]) for one in found] == [(name, True, False)]
        assert administrator.json("users", "disable", name)["is_active"] is False
        assert name in administrator.run("users", "list", "--search", name, "--disabled")
        theirs.run("models", "list", code=1)
        assert administrator.json("users", "enable", found[0]["id"])["is_active"] is True
        theirs.run("models", "list")
        assert administrator.json("users", "promote", name)["is_admin"] is True
        assert administrator.json("users", "demote", name)["is_admin"] is False
        assert "no account 'nobody-here'" in administrator.run("users", "disable", "nobody-here", code=1)
        theirs.run("users", "list", code=1)
    assert administrator.json("audit", "list", "--platform", "--limit", "1")
    assert administrator.json("audit", "verify", "--platform")["intact"] is True

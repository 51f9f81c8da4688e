"""The command line, as a user types it, against a real server."""

import json
from pathlib import Path

import joblib
import pytest
import skops.io

from argosy import migrations
from argosy.client import Argosy
from tests.cli.conftest import Shell
from tests.e2e.test_push import mixed


def test_push_predict_and_all_that_follows(shell: Shell, tmp_path: Path) -> None:
    model, frame = mixed()
    skops.io.dump(model, tmp_path / "loans.skops")
    frame.head(40).to_csv(tmp_path / "sample.csv", index=False)
    frame.iloc[50:53].to_csv(tmp_path / "rows.csv", index=False)
    expected = model.predict(frame.iloc[50:53]).tolist()

    file, sample = str(tmp_path / "loans.skops"), str(tmp_path / "sample.csv")
    shown = shell.run(
        "push", file, "--name", "loans", "--sample", sample, "--metric", "accuracy=0.9", "--param", "C=1.0"
    )
    assert "version 1 is ready" in shown
    assert "curl http" in shown

    answer = shell.json("predict", "loans", "--file", str(tmp_path / "rows.csv"))
    assert [one["label"] for one in answer["predictions"]] == expected
    assert "version 1" in shell.run("predict", "loans", "--rows", frame.iloc[50].to_json())
    assert [one["full_name"] for one in shell.json("models", "list")]
    assert shell.json("versions", "get", "loans", "1")["metrics"] == {"accuracy": 0.9}
    assert "sample" in shell.run("versions", "get", "loans", "1")
    assert len(shell.json("versions", "list", "loans")) == 1
    assert json.loads(shell.run("versions", "signature", "loans", "1"))["version"] == 1
    assert json.loads(shell.run("versions", "compare", "loans", "1", "1"))["parameters"] == {}
    shell.run("versions", "download", "loans", "1", "-o", str(tmp_path / "back.onnx"))
    assert (tmp_path / "back.onnx").stat().st_size > 100
    assert shell.json("alias", "set", "loans", "champion", "1")["version"] == 1
    assert {one["name"] for one in shell.json("alias", "list", "loans")} == {"live", "champion"}
    assert len(shell.json("alias", "history", "loans", "champion")) == 1
    shell.run("alias", "remove", "loans", "champion")
    job = shell.json("jobs", "list")[0]
    assert shell.json("jobs", "get", job["id"])["status"] == "succeeded"
    assert "Job result not found" in shell.run("jobs", "result", job["id"], code=1)
    assert "succeeded" in shell.run("jobs", "cancel", job["id"], code=1)
    assert "calls" in shell.run("usage", "--by", "model")
    assert shell.json("usage")["items"] is not None
    assert shell.json("models", "update", "loans", "--description", "Loans")["description"] == "Loans"
    assert "Loans" in shell.run("models", "get", "loans")
    shell.run("models", "delete", "loans", "--yes")
    assert shell.json("models", "list") == []


def test_mistakes_are_told_plainly(shell: Shell, tmp_path: Path) -> None:
    joblib.dump({"a": 1}, tmp_path / "model.joblib")
    assert "never executes an upload" in shell.run("push", str(tmp_path / "model.joblib"), "--name", "x", code=1)
    assert "nothing.onnx" in shell.run("push", str(tmp_path / "nothing.onnx"), "--name", "x", code=2)
    assert "name=value" in shell.run("push", str(tmp_path / "model.joblib"), "--name", "x", "--metric", "bad", code=2)
    assert "Model not found" in shell.run("predict", "nothing", "--rows", "{}", code=1)
    assert "--rows or --file" in shell.run("predict", "nothing", code=2)
    assert "body.name" in shell.run("models", "create", "Not A Name", code=1)
    shell.environment["ARGOSY_URL"] = "http://127.0.0.1:9"
    assert "cannot reach" in shell.run("models", "list", code=1)


def test_a_pickle_of_ones_own_is_converted_here(shell: Shell, tmp_path: Path) -> None:
    model, frame = mixed()
    joblib.dump(model, tmp_path / "model.joblib")
    frame.head(40).to_csv(tmp_path / "sample.csv", index=False)
    arguments = ["push", str(tmp_path / "model.joblib"), "--name", "own", "--sample", str(tmp_path / "sample.csv")]
    assert shell.json(*arguments, "--trust-pickle")["source_format"] == "onnx"


def test_signing_in_stores_a_private_file(account: Argosy, tmp_path: Path) -> None:
    shell = Shell(tmp_path, account.url, None)
    assert "send an API key" in shell.run("models", "list", code=1)
    shell.run("login", typed=f"{account._api_key}\n")
    stored = tmp_path / ".config" / "argosy" / "credentials.json"
    assert stored.stat().st_mode & 0o777 == 0o600
    assert shell.json("models", "list") == []
    shell.run("logout")
    assert not stored.exists()

    shell.run("login", "--username", str(account.organization), typed="correct horse battery staple\n")
    before = json.loads(stored.read_text())["refresh_token"]
    key = shell.json("keys", "create", "made", "--scope", "models:read")
    assert key["key"].startswith("ak_")
    assert json.loads(stored.read_text())["refresh_token"] != before
    assert [one["slug"] for one in shell.json("orgs", "list")] == [account.organization]
    shell.run("orgs", "create", f"{account.organization}-team", "Team")
    assert "made" in shell.run("keys", "list")
    shell.run("keys", "revoke", key["id"])
    assert "wrong username or password" in shell.run("login", "--username", "nobody", typed="x\n", code=1)


def test_the_database_commands(tmp_path: Path) -> None:
    shell = Shell(tmp_path, "", None)
    shell.environment["ARGOSY_DATA_DIR"] = str(tmp_path / "data")
    assert "argosy db upgrade" in shell.run("db", "check", code=1)
    assert f"is at {migrations.head()}" in shell.run("db", "upgrade")
    assert "agrees with the code" in shell.run("db", "check")
    assert "is at base" in shell.run("db", "downgrade", "base")
    assert shell.run("version").strip()
    document = json.loads(shell.run("openapi"))
    assert document["openapi"].startswith("3.1")
    operations = [one["operationId"] for item in document["paths"].values() for one in item.values()]
    assert len(operations) == len(set(operations))


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("ARGOSY_PORT", "many", "ARGOSY_PORT"),
        ("ARGOSY_DATABASE_URL", "mysql://x", "ARGOSY_DATABASE_URL"),
        ("ARGOSY_SECURITY_SECRET_KEY", "short", "ARGOSY_SECURITY_SECRET_KEY"),
        ("ARGOSY_REGISTRATION", "maybe", "ARGOSY_REGISTRATION"),
    ],
)
def test_a_wrong_setting_stops_the_start_with_its_name(tmp_path: Path, name: str, value: str, said: str) -> None:
    shell = Shell(tmp_path, "", None)
    shell.environment |= {"ARGOSY_DATA_DIR": str(tmp_path / "data"), name: value}
    shown = shell.run("up", code=2)
    assert said in shown

"""Every operation of the SDK, against a real server."""

import asyncio
import json
import time
from datetime import date
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from argosy.client import (
    Argosy,
    ArgosyAPIError,
    AsyncArgosy,
    ConversionError,
    JobUnsuccessful,
    PushFailed,
    PushProgress,
)
from argosy.client.usage import Usage, asked, collected
from tests.client.accounts import new_account
from tests.support.callers import PASSWORD
from tests.support.servers import ServerProcess


def person(server: ServerProcess, client: Argosy, **options: Any) -> Argosy:
    """The same account, signed in with its password."""
    return Argosy(server.url, username=client.organization, password=PASSWORD, **options)


def small() -> tuple[LogisticRegression, pd.DataFrame]:
    random = np.random.RandomState(0)
    frame = pd.DataFrame({"width": random.rand(60), "height": random.rand(60)})
    model = LogisticRegression().fit(frame, np.where(frame.sum(axis=1) > 1, "large", "small"))
    return model, frame


def test_models_are_made_listed_changed_and_deleted(client: Argosy) -> None:
    made = client.create_model("m", description="first", tags=["a"])
    assert (made.name, made.full_name) == ("m", f"{client.organization}/m")
    assert client.update_model("m", description="second").description == "second"
    assert client.model(made.full_name).description == "second"
    client.delete_model("m")
    with pytest.raises(ArgosyAPIError) as raised:
        client.model("m")
    assert raised.value.status == 404
    assert raised.value.request_id
    assert raised.value.type == "urn:argosy:problem:model-not-found"


def test_a_list_goes_over_every_page(client: Argosy) -> None:
    names = [f"model-{number:03}" for number in range(103)]
    for name in names:
        client.create_model(name)
    mine = [one.name for one in client.models() if one.full_name.startswith(f"{client.organization}/")]
    assert sorted(mine) == names
    assert [one.name for one in client.models(search="model-042")] == ["model-042"]


def test_field_errors_are_carried(client: Argosy) -> None:
    with pytest.raises(ArgosyAPIError) as raised:
        client.create_model("Not A Name")
    assert (raised.value.status, raised.value.errors[0]["loc"]) == (422, ["body", "name"])


def test_versions_and_aliases(client: Argosy, onnx_file: Path, sample_file: Path, tmp_path: Path) -> None:
    first = client.push(onnx_file, name="sizes", sample=sample_file, parameters={"C": 1}, metrics={"accuracy": 0.5})
    second = client.push(onnx_file, name="sizes", sample=sample_file, parameters={"C": 2}, alias="candidate")
    assert (first.version, second.version, second.parameters) == (1, 2, {"C": 2})
    assert [one.version for one in client.versions("sizes")] == [2, 1]
    assert client.compare("sizes", 1, 2)["parameters"] == {"C": [1, 2]}
    assert client.update_version("sizes", 1, description="hello").revision > first.revision
    assert {one.name: one.version for one in client.aliases("sizes")} == {"live": 1, "candidate": 2}
    client.set_alias("sizes", "live", 2)
    assert [one.to_version for one in client.alias_history("sizes", "live")] == [2, 1]
    client.remove_alias("sizes", "candidate")
    assert [one.name for one in client.aliases("sizes")] == ["live"]
    assert client.download("sizes", 1, tmp_path / "back.onnx", kind="source").read_bytes() == onnx_file.read_bytes()
    assert "json_schema" in client.signature("sizes", 1)


def test_predictions_of_every_form_are_the_models_own(client: Argosy) -> None:
    model, frame = small()
    client.push(model, name="sizes", sample=frame, parameters=model.get_params())
    rows = frame.tail(7)
    forms = (rows, rows.to_dict("records"), rows.to_dict("list"), rows.to_numpy(), rows.to_numpy().tolist())
    for inputs in forms:
        answer = client.predict("sizes", inputs)
        assert answer.to_numpy().tolist() == model.predict(rows).tolist()
        np.testing.assert_allclose(answer.probability_matrix(), model.predict_proba(rows), atol=1e-6)
    assert client.predict("sizes", rows, version=1).version == client.predict("sizes", rows, alias="live").version == 1
    with pytest.raises(ArgosyAPIError) as raised:
        client.predict("sizes", [{"width": "wide", "height": 1.0}])
    assert raised.value.errors[0]["loc"] == ["rows", 0, "width"]


def test_a_push_tells_how_far_it_is(client: Argosy, onnx_file: Path, sample_file: Path) -> None:
    seen: list[PushProgress] = []
    client.push(onnx_file, name="sizes", sample=sample_file, progress=seen.append)
    order = list(dict.fromkeys(one.status for one in seen))
    assert order[:2] == ["preparing", "uploading"]
    assert order[-1] == "ready"
    assert max(one.done for one in seen) == onnx_file.stat().st_size
    assert seen[-1].version is not None


def test_what_the_gate_refuses_says_why(client: Argosy, onnx_file: Path, sample_file: Path) -> None:
    wrong = json.loads(sample_file.read_text())
    wrong["outputs"]["label"] = wrong["outputs"]["label"][::-1]
    wrong["outputs"]["probabilities"] = wrong["outputs"]["probabilities"][::-1]
    sample_file.write_text(json.dumps(wrong))
    with pytest.raises(PushFailed) as raised:
        client.push(onnx_file, name="sizes", sample=sample_file)
    assert raised.value.version.status == "failed"
    assert raised.value.reason
    assert raised.value.version.parity is not None
    assert not raised.value.version.parity.passed


def test_visibility_is_what_was_asked_for(server: ServerProcess, client: Argosy, onnx_file: Path) -> None:
    with new_account(server) as stranger:
        name = f"{client.organization}/sizes"
        client.push(onnx_file, name="sizes")
        with pytest.raises(ArgosyAPIError, match="404"):
            stranger.model(name)
        client.push(onnx_file, name="sizes", visibility="public")
        assert stranger.model(name).visibility == "public"
        client.push(onnx_file, name="sizes")
        assert client.model("sizes").visibility == "public"


def test_a_push_to_anothers_organization_makes_nothing_in_ones_own(
    server: ServerProcess, client: Argosy, onnx_file: Path
) -> None:
    with new_account(server) as stranger, person(server, client) as signed_in:
        for caller in (client, signed_in):
            with pytest.raises(ArgosyAPIError) as raised:
                caller.push(onnx_file, name=f"{stranger.organization}/sizes")
            assert raised.value.status == 404
        own = [one for one in client.models() if one.full_name.startswith(f"{client.organization}/")]
        assert own == []


def test_a_pickle_is_refused_unless_it_is_trusted(client: Argosy, tmp_path: Path) -> None:
    model, frame = small()
    joblib.dump(model, tmp_path / "model.joblib")
    frame.to_csv(tmp_path / "sample.csv", index=False)
    with pytest.raises(ConversionError, match="trust_pickle"):
        client.push(tmp_path / "model.joblib", name="sizes", sample=tmp_path / "sample.csv")
    version = client.push(tmp_path / "model.joblib", name="sizes", sample=tmp_path / "sample.csv", trust_pickle=True)
    assert (version.model_extra or {})["source_format"] == "onnx"
    (tmp_path / "broken.pkl").write_bytes(b"\x80\x04\x95broken")
    with pytest.raises(ConversionError, match="cannot be loaded"):
        client.push(tmp_path / "broken.pkl", name="sizes", sample=frame, trust_pickle=True)


def test_an_estimator_needs_a_sample(client: Argosy) -> None:
    with pytest.raises(ConversionError, match="sample=X"):
        client.push(small()[0], name="sizes")


def test_the_account_its_organizations_and_keys(server: ServerProcess, client: Argosy) -> None:
    with person(server, client) as signed_in:
        me = signed_in.me()
        assert me.username == client.organization == signed_in.slug
        team = signed_in.create_organization(f"{me.username}-team", "Team")
        assert {one.slug for one in signed_in.organizations()} == {me.username, team.slug}
        assert [one.role for one in signed_in.members()] == ["owner"]
        key = signed_in.create_api_key("short", ["models:read"])
        assert key.key is not None
        assert key.key.startswith("ak_")
        assert "short" in {one.name for one in signed_in.api_keys()}
        with Argosy(server.url, api_key=key.key) as other:
            list(other.models())
            signed_in.revoke_api_key(key.id)
            with pytest.raises(ArgosyAPIError, match="401"):
                list(other.models())
    with Argosy(server.url, username=me.email, password=PASSWORD) as by_email:
        assert by_email.slug == me.username
    with person(server, client, organization=team.slug) as in_team:
        assert in_team.get_organization(team.slug).name == "Team"
        assert [one.role for one in in_team.members(team.slug)] == ["owner"]


@pytest.mark.parametrize("scopes", [["models:read", "predict"], ["models:read", "organization:read"]])
def test_a_key_finds_its_own_organization(server: ServerProcess, client: Argosy, scopes: list[str]) -> None:
    with person(server, client) as signed_in:
        key = signed_in.create_api_key("mine", scopes).key
        # Its slug sorts before the user's own, so that taking the first would be wrong.
        signed_in.create_organization(f"a-{signed_in.slug}", "Other")
    with Argosy(server.url, api_key=key) as own:
        assert own.slug == client.organization


def test_a_teams_key_finds_the_team_whatever_it_may_read(server: ServerProcess, client: Argosy) -> None:
    team = f"{client.organization}-team"
    with person(server, client) as signed_in:
        signed_in.create_organization(team, "Team")
        key = signed_in.create_api_key("a", ["predict"], organization=team).key
    with Argosy(server.url, api_key=key) as found:
        assert found.slug == found.me().organization.slug == team


def test_a_sign_in_lasts_over_its_refresh_token(server: ServerProcess, client: Argosy) -> None:
    kept: list[str] = []
    with person(server, client, on_refresh=kept.append) as first:
        first.me()
    with Argosy(server.url, refresh_token=kept[-1]) as second:
        assert second.me().username == client.organization
        assert second.refresh_token != kept[-1]


def test_wrong_credentials_are_told(server: ServerProcess) -> None:
    with Argosy(server.url, username="nobody", password="wrong") as nobody, pytest.raises(ArgosyAPIError) as raised:
        nobody.me()
    assert raised.value.status == 401


def test_jobs_and_usage(client: Argosy, onnx_file: Path) -> None:
    version = client.push(onnx_file, name="sizes")
    jobs = list(client.jobs())
    assert [one.status for one in jobs] == ["succeeded"]
    assert client.job(jobs[0].id).id == version.job_id
    assert list(client.jobs("failed")) == []
    with pytest.raises(ArgosyAPIError, match="409"):
        client.cancel_job(jobs[0].id)
    client.predict("sizes", [{"X": [3.0, 4.0]}, {"X": [0.0, 0.0]}])
    found = client.usage("model", model=version.model)
    while not found.calls:  # it is counted in batches; the test's own time limit ends this
        time.sleep(0.05)
        found = client.usage("model", model=version.model)
    assert (found.calls, found.rows, found.items[0].model) == (1, 2, version.model)


async def test_usage_of_all_pages_and_as_csv(client: Argosy, onnx_file: Path, tmp_path: Path) -> None:
    client.push(onnx_file, name="sizes")
    for number in (1, 2):
        with pytest.raises(ArgosyAPIError):
            client.predict("sizes", [{"X": "x"}] * number)
    found = client.usage("version", model=client.full_name("sizes"), version=1, sort="-errors", since=date(2020, 1, 1))
    while found.refused < 2:
        await asyncio.sleep(0.05)
        found = client.usage("version", sort="-errors")
    assert (found.calls, found.latency, found.items[0].error_rate) == (0, None, 0.0)
    lines = client.export_usage(tmp_path / "usage.csv", "model", until=date(2999, 1, 1)).read_text().splitlines()
    assert lines[0].startswith("model,calls,rows,refused,errors,ms_1,")
    assert lines[1].startswith(f"{client.full_name('sizes')},0,0,2,0,")
    async with AsyncArgosy(client.url, username=client.organization, password=PASSWORD) as other:
        assert (await other.usage("version", sort="-errors")).items == found.items
        assert (await other.export_usage(tmp_path / "again.csv", "model")).read_text().splitlines() == lines


def test_the_items_of_all_pages_are_one_answer() -> None:
    sent: list[Any] = []

    def send(call: Any) -> Any:
        sent.append(call.params)
        yield
        last = call.params["cursor"] == "second"
        figures = {"calls": 3, "rows": 3, "next_cursor": None if last else "second"}
        return Usage.model_validate({"items": [{"calls": 1 + last, "rows": 1 + last}], **figures})

    flow = collected(send, asked(("day",), key="k"))
    with pytest.raises(StopIteration) as ended:
        while True:
            next(flow)
    assert [item.calls for item in ended.value.value.items] == [1, 2]
    assert [one["cursor"] for one in sent] == ["", "second"]


async def test_the_asynchronous_client_does_the_same(client: Argosy, onnx_file: Path, tmp_path: Path) -> None:
    seen: list[str] = []
    async with AsyncArgosy(client.url, username=client.organization, password=PASSWORD) as other:
        version = await other.push(onnx_file, name="sizes", progress=lambda one: seen.append(one.status))
        assert (version.status, seen[0], seen[-1]) == ("ready", "preparing", "ready")
        assert await other.slug() == client.organization
        assert (await other.predict("sizes", [{"X": [3.0, 4.0]}])).labels == ["large"]
        back = await other.download("sizes", 1, tmp_path / "back", kind="source")
        assert back.stat().st_size == onnx_file.stat().st_size  # noqa: ASYNC240 - a test may block
        assert (await other.me()).username == client.organization
        assert [one.role async for one in other.members()] == ["owner"]
        assert "tests" in {one.name async for one in other.api_keys()}
        with pytest.raises(ArgosyAPIError, match="404"):
            await other.download("sizes", 9, tmp_path / "none")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["back", "sizes.onnx"]  # noqa: ASYNC240


def test_an_explanation_is_asked_for_and_waited_for(client: Argosy, onnx_file: Path, sample_file: Path) -> None:
    client.push(onnx_file, name="sizes", sample=sample_file)
    frame = pd.DataFrame({"width": [3.0, 0.5], "height": [4.0, 0.25]})
    job = client.explain("sizes", frame, background=frame, samples=4, seed=1)
    assert job.kind == "explanation"
    result = client.job_result(job.id)
    assert [one["output"] for one in result["rows"][1]["outputs"]] == ["small", "large"]
    labels = ["large", "small"]
    scored = client.job_result(client.explain("sizes", frame, method="permutation", labels=labels).id)
    assert (scored["score"], scored["baseline"]) == ("accuracy", 1.0)
    many = np.random.RandomState(0).rand(1000, 2)
    cancelled = client.cancel_job(client.explain("sizes", many, samples=1000).id)
    with pytest.raises(JobUnsuccessful):
        client.job_result(cancelled.id)


async def test_the_asynchronous_client_explains(client: Argosy, onnx_file: Path, sample_file: Path) -> None:
    client.push(onnx_file, name="sizes", sample=sample_file)
    async with AsyncArgosy(client.url, api_key=client._api_key) as other:
        job = await other.explain("sizes", [[3.0, 4.0], [0.5, 0.25]], method="permutation")
        assert len((await other.job_result(job.id))["importances"]) == 2

"""The main job, against a real server: push a trained model, get an API that answers as the model does."""

import json
import subprocess
from typing import Any

import httpx2
import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from argosy.client import Argosy, ArgosyAPIError, AsyncArgosy, ConversionError, PushFailed
from argosy.conversion.errors import Failure
from tests.conversion import cases
from tests.support.models import linear_classifier


def people() -> tuple[pd.DataFrame, list[str]]:
    random = np.random.RandomState(3)
    frame = pd.DataFrame(
        {
            "age": random.randint(18, 80, 200),
            "income": np.round(random.lognormal(10, 0.5, 200), 2),
            "city": random.choice(["lisbon", "oslo", "rome"], 200),
            "job": random.choice(["clerk", "driver", "nurse"], 200),
        }
    )
    return frame, ["yes" if value else "no" for value in frame["income"] * (frame["age"] > 40) > 20_000]


def mixed() -> tuple[Any, pd.DataFrame]:
    frame, target = people()
    columns = ColumnTransformer(
        [
            ("text", OneHotEncoder(handle_unknown="ignore"), ["city", "job"]),
            ("numbers", StandardScaler(), ["age", "income"]),
        ]
    )
    return Pipeline([("columns", columns), ("classify", LogisticRegression())]).fit(frame, target), frame


def test_a_mixed_pipeline_answers_over_curl_as_it_did_in_the_notebook(client: Argosy) -> None:
    model, frame = mixed()
    version = client.push(model, name="loans", sample=frame.head(100), metrics={"accuracy": model.score(*people())})
    assert version.status == "ready"

    rows = frame.iloc[100:140]
    command = [
        "curl", "-s", f"{client.url}/api/v1/models/{version.model}/predict",
        "-H", f"Authorization: Bearer {client._api_key}", "-H", "Content-Type: application/json",
        "-d", json.dumps({"rows": rows.to_dict("records")}),
    ]  # fmt: skip
    answer = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    assert [one["label"] for one in answer["predictions"]] == model.predict(rows).tolist()
    served = [[one["probabilities"][name] for name in model.classes_] for one in answer["predictions"]]
    np.testing.assert_allclose(served, model.predict_proba(rows), atol=1e-6)

    document = httpx2.get(
        f"{client.url}/openapi.json", headers={"X-API-Key": "", "Authorization": f"Bearer {client._api_key}"}
    ).json()
    body = document["paths"][f"/api/v1/models/{version.model}/predict"]["post"]["requestBody"]
    name = body["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
    properties = document["components"]["schemas"][f"{name}.Row"]["properties"]
    assert list(properties) == ["age", "income", "city", "job"]
    assert properties["city"]["enum"] == ["lisbon", "oslo", "rome"]
    assert properties["age"]["type"] == "number"

    with pytest.raises(ArgosyAPIError) as refused:
        client.predict("loans", [{"age": 30, "income": 1.0, "city": "atlantis", "job": "nurse"}])
    assert refused.value.status == 422
    assert refused.value.errors[0]["loc"] == ["rows", 0, "city"]
    assert "atlantis" not in json.dumps(refused.value.problem)


def test_the_server_converts_a_skops_file(client: Argosy, tmp_path: Any) -> None:
    model, frame = mixed()
    path = tmp_path / "loans.skops"
    skops.io.dump(model, path)
    frame.head(50).to_csv(tmp_path / "sample.csv", index=False)
    seen: list[str] = []
    version = client.push(
        path, name="loans", sample=tmp_path / "sample.csv", progress=lambda found: seen.append(found.status)
    )
    assert version.status == "ready"
    assert version.model_extra is not None
    assert version.model_extra["source_format"] == "skops"
    assert version.model_extra["provenance"]["estimator"] == "sklearn.pipeline.Pipeline"
    assert version.parity is not None
    assert {check.kind for check in version.parity.checks} >= {"sample", "permuted", "out_of_range", "unseen_category"}
    assert client.predict("loans", frame.iloc[60:70]).labels == model.predict(frame.iloc[60:70]).tolist()
    assert client.download("loans", 1, tmp_path / "back", kind="source").read_bytes() == path.read_bytes()
    assert seen[-1] == "ready"


def test_a_skops_file_with_foreign_code_is_refused(client: Argosy, tmp_path: Any) -> None:
    path = tmp_path / "evil.skops"
    model = make_pipeline(FunctionTransformer(np.exp), LogisticRegression()).fit([[0.0], [1.0]], [0, 1])
    model.steps[0][1].func = people
    skops.io.dump(model, path)
    with pytest.raises(PushFailed) as failed:
        client.push(path, name="evil", sample={"x": [0.0, 1.0]})
    assert failed.value.version.error is not None
    assert failed.value.version.error.code == "untrusted-types"
    assert failed.value.version.error.advice is not None
    assert "SDK" in failed.value.version.error.advice


@pytest.mark.parametrize("name", cases.SILENTLY_WRONG)
def test_a_silently_wrong_model_never_serves(client: Argosy, name: str) -> None:
    model, sample = cases.SILENTLY_WRONG[name]()
    try:
        client.push(model, name="wrong", sample=sample)
    except ConversionError as error:
        refused = error.failure
    except PushFailed as error:
        refused = error.version.error or Failure(code="", reason="")
        with pytest.raises(ArgosyAPIError, match="is failed"):
            client.set_alias("wrong", "live", 1)
    else:
        pytest.fail("the gate let it pass")
    assert refused.reason
    assert refused.advice


def test_a_silently_wrong_skops_file_fails_on_the_server(client: Argosy, tmp_path: Any) -> None:
    model, sample = cases.SILENTLY_WRONG["binary LDA"]()
    skops.io.dump(model, tmp_path / "lda.skops")
    with pytest.raises(PushFailed) as failed:
        client.push(tmp_path / "lda.skops", name="lda", sample=sample)
    assert failed.value.version.error is not None
    assert failed.value.version.error.code == "parity"


def test_boosters_and_plain_onnx_are_served(client: Argosy, tmp_path: Any) -> None:
    for name in ("xgboost binary", "lightgbm multiclass", "text", "two values", "clusters"):
        model, sample = cases.PIPELINES[name]()
        short = name.replace(" ", "-")
        client.push(model, name=short, sample=sample)
        inputs = [{"text": text} for text in sample[:3]] if name == "text" else sample[:3]
        answer = client.predict(short, inputs)
        expected = model.predict(sample[:3])
        served = answer.values if name == "two values" else answer.labels
        np.testing.assert_allclose(np.array(served, dtype=float), expected, rtol=1e-4)
    path = tmp_path / "model.onnx"
    path.write_bytes(linear_classifier())
    assert client.push(path, name="plain").status == "ready"
    assert client.predict("plain", [{"X": [3.0, 4.0]}]).labels == ["large"]


async def test_the_asynchronous_client_does_the_same(client: Argosy, tmp_path: Any) -> None:
    model, frame = mixed()
    async with AsyncArgosy(client.url, api_key=client._api_key, organization=client.organization) as other:
        version = await other.push(model, name="loans", sample=frame.head(60), tags=["async"])
        assert version.status == "ready"
        answer = await other.predict("loans", frame.head(3))
        assert answer.labels == model.predict(frame.head(3)).tolist()
        own = [one.full_name async for one in other.models() if one.full_name.startswith(f"{client.organization}/")]
        assert own == [version.model], "beside the public ones of others"
        assert [one.version async for one in other.versions("loans")] == [1]
        assert (await other.update_version("loans", 1, description="hello")).model_extra is not None
        assert (await other.aliases("loans"))[0].name == "live"
        await other.set_alias("loans", "champion", 1)
        await other.remove_alias("loans", "champion")
        assert [one.to_version async for one in other.alias_history("loans", "champion")] == [None, 1]
        assert [one.status async for one in other.jobs()] == ["succeeded"]
        path = await other.download("loans", 1, tmp_path / "model.onnx")
        assert path.stat().st_size > 0
        assert (await other.signature("loans", 1))["version"] == 1
        assert (await other.me()).username == client.organization
        await other.update_model("loans", description="x")
        await other.delete_model("loans")

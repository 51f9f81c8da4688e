"""Explanations: contributions add up and are right, importances tell what matters, and the job behaves as jobs do."""

import asyncio
from itertools import combinations
from math import factorial
from typing import Any

import httpx2
import numpy as np
import pytest
from fastapi import FastAPI
from numpy.typing import NDArray
from skl2onnx import to_onnx
from sklearn.datasets import load_diabetes, load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression
from sqlalchemy import select

from argosy.jobs.models import JobContent
from argosy.settings import JobsSettings, Settings
from tests.support.callers import Caller
from tests.support.models import pushed, settled, sums, upload

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
ROWS = [{"width": 3.0, "height": 4}, {"width": 0.1, "height": 0.2}]
BACKGROUND = [{"width": 1.0, "height": 0.5}, {"width": 2.0, "height": 0.0}, {"width": 0.0, "height": 3.0}]


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"jobs": JobsSettings(explanation_runs=100_000_000)})


async def ask(caller: Caller, model: str = "sizes", **fields: Any) -> httpx2.Response:
    return await caller.post(
        "/jobs", json={"kind": "explanation", "model": f"owner/{model}", "method": "shap"} | fields
    )


async def ended(caller: Caller, job_id: str) -> dict[str, Any]:
    job: dict[str, Any] = {}
    for _ in range(1200):
        job = (await caller.get(f"/jobs/{job_id}")).json()
        if job["status"] not in {"queued", "running"}:
            return job
        await asyncio.sleep(0.05)
    raise AssertionError(job)


async def explained(caller: Caller, model: str = "sizes", **fields: Any) -> dict[str, Any]:
    asked = await ask(caller, model, **fields)
    assert asked.status_code == 202, asked.text
    job = await ended(caller, asked.json()["id"])
    assert job["status"] == "succeeded", job
    result = await caller.get(job["result_url"].removeprefix("/api/v1"))
    assert result.status_code == 200, result.text
    found: dict[str, Any] = result.json()
    return found


async def fitted(owner: Caller, name: str, model: Any, X: NDArray[Any], names: list[str], **outputs: Any) -> None:
    """Register a fitted model, converted here."""
    options = {"zipmap": False} if hasattr(model, "predict_proba") else {}
    content = to_onnx(model, X[:1], options=options).SerializeToString()
    assert (await owner.post("/models", json={"name": name})).status_code == 201
    few = {key: value[:5].tolist() for key, value in outputs.items()}
    sample = {"inputs": {one: X[:5, index].tolist() for index, one in enumerate(names)}, "outputs": few}
    assert (await upload(owner, name, content, sample)).status_code == 202
    ready = await settled(owner, name)
    assert ready["status"] == "ready", ready["error"]


async def test_contributions_add_up_to_what_is_predicted(owner: Caller) -> None:
    await pushed(owner)
    result = await explained(owner, rows=ROWS, background=BACKGROUND, samples=7)
    assert (result["method"], result["model"], result["version"]) == ("shap", "owner/sizes", 1)
    assert (result["features"], result["background"], result["samples"]) == (["width", "height"], 3, 9)
    predicted = (await owner.post("/models/owner/sizes/predict", json={"rows": ROWS})).json()["predictions"]
    for row, prediction in zip(result["rows"], predicted, strict=True):
        assert [one["output"] for one in row["outputs"]] == ["small", "large"]
        for one in row["outputs"]:
            assert one["value"] == pytest.approx(prediction["probabilities"][one["output"]], abs=1e-6)
            assert one["base"] + sum(one["contributions"].values()) == pytest.approx(one["value"], abs=1e-9)
    large = result["rows"][0]["outputs"][1]["contributions"]
    assert large["height"] > 0
    again = await explained(owner, data=[[3.0, 4], [0.1, 0.2]], background=[[1, 0.5], [2, 0], [0, 3]], samples=7)
    assert again == result


@on_sqlite
async def test_a_linear_model_is_explained_exactly_with_any_samples(owner: Caller) -> None:
    X, y = load_diabetes(return_X_y=True)
    X, names = (X * 10).astype(np.float32), [f"x{index}" for index in range(10)]
    model = LinearRegression().fit(X, y)
    await fitted(owner, "line", model, X, names, value=model.predict(X))
    result = await explained(owner, "line", data=X[:4].tolist(), background=X[100:120].tolist(), samples=3, seed=5)
    assert result["background"] == 3
    bases = {row["outputs"][0]["base"] for row in result["rows"]}
    assert len(bases) == 1
    # Differences between two rows have no background in them: they are the coefficients times the differences.
    one, other = (np.array(list(result["rows"][row]["outputs"][0]["contributions"].values())) for row in (0, 1))
    assert one - other == pytest.approx(model.coef_ * (X[0] - X[1]), abs=1e-3)
    whole = await explained(owner, "line", data=X[:1].tolist(), background=X[100:120].tolist(), samples=20)
    found = list(whole["rows"][0]["outputs"][0]["contributions"].values())
    assert found == pytest.approx(model.coef_ * (X[0] - X[100:120].mean(axis=0)), abs=1e-3)
    assert whole["rows"][0]["outputs"][0]["value"] == pytest.approx(model.predict(X[:1])[0], rel=1e-5)


def shapley(predict: Any, row: NDArray[Any], background: NDArray[Any]) -> NDArray[Any]:
    """The definition, over every coalition."""
    width = len(row)

    def worth(chosen: tuple[int, ...]) -> NDArray[Any]:
        mixed = background.copy()
        mixed[:, list(chosen)] = row[list(chosen)]
        return np.asarray(predict(mixed).mean(axis=0))

    found = np.zeros((width, predict(background).shape[1]))
    for feature in range(width):
        others = [one for one in range(width) if one != feature]
        for size in range(width):
            weight = factorial(size) * factorial(width - size - 1) / factorial(width)
            for chosen in combinations(others, size):
                found[feature] += weight * (worth((*chosen, feature)) - worth(chosen))
    return found


@on_sqlite
async def test_a_forest_is_explained_as_the_definition_says(owner: Caller) -> None:
    X, y = load_iris(return_X_y=True)
    X, names = X.astype(np.float32), ["sepal length", "sepal width", "petal length", "petal width"]
    forest = RandomForestClassifier(20, max_depth=4, random_state=0).fit(X, y)
    await fitted(owner, "iris", forest, X, names, label=y, probabilities=forest.predict_proba(X))
    background = X[::10]
    result = await explained(owner, "iris", data=X[[0, 75]].tolist(), background=background.tolist(), samples=1500)
    for row, outputs in zip(X[[0, 75]], (one["outputs"] for one in result["rows"]), strict=True):
        expected = shapley(forest.predict_proba, row, background)
        found = np.array([[one["contributions"][name] for one in outputs] for name in names])
        assert found == pytest.approx(expected, abs=0.03)
        total = [one["base"] + sum(one["contributions"].values()) for one in outputs]
        assert total == pytest.approx(forest.predict_proba(row[np.newaxis])[0], abs=1e-5)

    labelled = await explained(owner, "iris", method="permutation", data=X.tolist(), labels=y.tolist(), samples=5)
    assert labelled["score"] == "accuracy"
    assert labelled["baseline"] == pytest.approx(forest.score(X, y))
    means = {one["feature"]: one["mean"] for one in labelled["importances"]}
    assert means["petal width"] > 0.05 > means["sepal width"]
    bare = await explained(owner, "iris", method="permutation", data=X.tolist())
    assert (bare["score"], bare["baseline"], bare["samples"]) == ("change", None, 10)
    changes = {one["feature"]: one["mean"] for one in bare["importances"]}
    assert min(changes["petal width"], changes["petal length"]) > changes["sepal width"] >= 0
    assert all(one["deviation"] >= 0 for one in bare["importances"])


@on_sqlite
async def test_importance_of_a_regression_is_measured_by_r2(owner: Caller) -> None:
    X, y = load_diabetes(return_X_y=True)
    X = X[:60, :3].astype(np.float32)
    model = LinearRegression().fit(X, y[:60])
    await fitted(owner, "line", model, X, ["a", "b", "c"], value=model.predict(X))
    result = await explained(owner, "line", method="permutation", data=X.tolist(), labels=y[:60].tolist())
    assert result["score"] == "r2"
    assert result["baseline"] == pytest.approx(model.score(X, y[:60]), abs=1e-4)


REFUSED: dict[str, tuple[dict[str, Any], list[Any]]] = {
    "no rows": ({}, ["body"]),
    "two forms": ({"rows": ROWS, "data": [[1, 2]]}, ["body"]),
    "a wrong value": ({"rows": [{"width": "x", "height": 1}]}, ["body", "rows", 0, "width"]),
    "a wrong background": ({"rows": ROWS, "background": [{"width": 1}]}, ["body", "background", 0, "height"]),
    "a mixed background": ({"rows": ROWS, "background": [{"width": 1}, [1, 2]]}, ["body", "background"]),
    "one row": ({"rows": ROWS[:1]}, ["body", "background"]),
    "too much": ({"rows": ROWS, "samples": 100_000}, ["body", "samples"]),
    "no method": ({"rows": ROWS, "method": "guess"}, ["body", "method"]),
    "another kind": ({"rows": ROWS, "kind": "dance"}, ["body", "kind"]),
    "labels for shap": ({"rows": ROWS, "labels": ["small", "large"]}, ["body"]),
    "too few labels": ({"rows": ROWS, "method": "permutation", "labels": ["small"]}, ["body", "labels"]),
    "no class": ({"rows": ROWS, "method": "permutation", "labels": ["small", "huge"]}, ["body", "labels", 1]),
    "version and alias": ({"rows": ROWS, "version": 1, "alias": "live"}, ["body"]),
}


@on_sqlite
async def test_what_cannot_be_explained_is_refused_at_once(app: FastAPI, owner: Caller) -> None:
    app.state.settings = app.state.settings.model_copy(update={"jobs": JobsSettings(explanation_runs=10_000)})
    await pushed(owner)
    for name, (fields, loc) in REFUSED.items():
        refused = await ask(owner, **fields)
        assert refused.status_code == 422, (name, refused.text)
        assert refused.json()["errors"][0]["loc"] == loc, (name, refused.text)
    assert (await ask(owner, "nothing", rows=ROWS)).status_code == 404
    assert (await ask(owner, rows=ROWS, version=9)).json()["type"] == "urn:argosy:problem:version-not-found"
    assert [job["kind"] for job in (await owner.get("/jobs")).json()["items"]] == ["register_version"]


async def test_a_stranger_may_explain_a_public_model_and_sees_no_other_explanation(
    owner: Caller, stranger: Caller
) -> None:
    await pushed(owner)
    assert (await ask(stranger, rows=ROWS)).status_code == 404
    mine = (await ask(owner, rows=ROWS)).json()
    await ended(owner, mine["id"])
    for path in (f"/jobs/{mine['id']}", f"/jobs/{mine['id']}/result"):
        assert (await stranger.get(path)).status_code == 404
    await owner.patch("/models/owner/sizes", json={"visibility": "public"})
    theirs = await explained(stranger, rows=ROWS)
    assert len(theirs["rows"]) == 2
    assert [job["id"] for job in (await owner.get("/jobs?status=succeeded")).json()["items"]].count(mine["id"]) == 1


@on_sqlite
async def test_the_same_key_asks_once_and_the_runs_are_metered(owner: Caller) -> None:
    await pushed(owner)
    body = {"kind": "explanation", "model": "owner/sizes", "method": "permutation", "rows": ROWS, "samples": 3}
    asked = [await owner.post("/jobs", json=body, headers={"Idempotency-Key": "k"}) for _ in range(2)]
    assert asked[0].json() == asked[1].json()
    assert asked[0].headers["location"] == f"/api/v1/jobs/{asked[0].json()['id']}"
    job = await ended(owner, asked[0].json()["id"])
    assert job["progress"] == {"done": 16, "total": 16}
    usage: dict[str, Any] = {}
    for _ in range(100):
        usage = (await owner.get("/usage")).json()
        if usage["calls"]:
            break
        await asyncio.sleep(0.05)
    assert (usage["calls"], usage["rows"]) == (1, 16)


@on_sqlite
async def test_a_running_explanation_is_cancelled_and_holds_up_no_other_job(owner: Caller) -> None:
    await pushed(owner)
    rows = [{"width": number / 100, "height": 1.0} for number in range(10_000)]
    job = (await ask(owner, rows=rows, samples=9_000)).json()
    result = await owner.get(f"/jobs/{job['id']}/result")
    assert (result.status_code, result.json()["type"]) == (409, "urn:argosy:problem:job-not-succeeded")
    for _ in range(200):
        if (await owner.get(f"/jobs/{job['id']}")).json()["progress"]["done"]:
            break
        await asyncio.sleep(0.05)
    await pushed(owner)  # a second version becomes ready meanwhile
    running = (await owner.get(f"/jobs/{job['id']}")).json()
    assert running["status"] == "running"
    assert 0 < running["progress"]["done"] < running["progress"]["total"]
    assert (await owner.post(f"/jobs/{job['id']}/cancel")).status_code == 200
    cancelled = await ended(owner, job["id"])
    assert cancelled["status"] == "cancelled"
    assert (await owner.get(f"/jobs/{job['id']}/result")).status_code == 409


@on_sqlite
async def test_what_was_given_is_forgotten_when_the_job_ends(app: FastAPI, owner: Caller) -> None:
    await pushed(owner)
    await explained(owner, rows=ROWS)
    async with app.state.database.read() as session:
        assert [one.role for one in await session.scalars(select(JobContent))] == ["result"]


@on_sqlite
async def test_a_model_of_several_tensors_is_mixed_feature_by_feature(owner: Caller) -> None:
    await owner.post("/models", json={"name": "sums"})
    await upload(owner, "sums", sums(2.0), {"inputs": {"a": [1.0], "b": [2.0]}, "outputs": {"total": [6.0]}})
    assert (await settled(owner, "sums"))["status"] == "ready"
    result = await explained(owner, "sums", rows=[{"a": 1, "b": 2}], background=[{"a": 0, "b": 0}, {"a": 4, "b": 0}])
    (output,) = result["rows"][0]["outputs"]
    assert output == {"output": "total", "base": 4.0, "value": 6.0, "contributions": {"a": -2.0, "b": 4.0}}

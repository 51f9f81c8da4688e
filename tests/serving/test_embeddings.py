"""Embeddings in OpenAI's shape: from tokens with a tokenizer, from texts as they are, and what is refused."""

import asyncio
import base64
import json
import sys
from datetime import timedelta
from typing import Any

import httpx2
import numpy as np
import pytest
from fastapi import FastAPI
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris, load_wine
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline

from argosy.conversion.convert import convert
from argosy.registry.maintenance import collect_orphans
from tests.support.callers import Caller
from tests.support.embeddings import graph, pushed, trained
from tests.support.models import linear_classifier
from tests.support.models import pushed as pushed_classifier

TEXTS = [
    "a list of items",
    "Tuples are immutable sequences.",
    "an exception was raised and not caught",
    "x",
    "the except clause of a try statement handles the exception that the suite raised",
]
# What someone looks for, by the text that is the nearest of these.
THEMES = {
    "a float, an integer or a complex number": "decimal digits",
    "the except clause of a try statement": "an exception is raised",
    "import a module from a package": "imported modules",
    "a list, a tuple or a dictionary": "items of a set",
}
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


async def embed(caller: Caller, model: str = "words", **body: Any) -> httpx2.Response:
    headers = {"Authorization": f"Bearer {caller.key}"}
    return await caller.http.post("/v1/embeddings", json={"model": model, **body}, headers=headers)


def vectors(response: httpx2.Response) -> Any:
    assert response.status_code == 200, response.text
    data = response.json()["data"]
    assert [one["index"] for one in data] == list(range(len(data)))
    return np.array([one["embedding"] for one in data], dtype=np.float32)


async def words(caller: Caller, name: str = "words", **metadata: Any) -> None:
    model = trained()
    version = await pushed(caller, name, graph(model.table), model.tokenizer_json, **metadata)
    assert version["status"] == "ready", version["error"]


async def test_vectors_are_those_of_numpy_and_their_neighbours_make_sense(owner: Caller) -> None:
    model = trained()
    await words(owner, embedding={"normalize": True})
    expected = np.stack([model.expected(text, normalized=True) for text in TEXTS])
    response = await embed(owner, input=TEXTS)
    found = vectors(response)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    answer = response.json()
    tokens = sum(len(model.tokenizer.encode(text).ids) for text in TEXTS)
    assert answer["usage"] == {"prompt_tokens": tokens, "total_tokens": tokens}
    assert (answer["object"], answer["model"], answer["data"][0]["object"]) == ("list", "owner/words", "embedding")
    themes = vectors(await embed(owner, input=list(THEMES)))
    asked = vectors(await embed(owner, input=list(THEMES.values())))
    assert np.argmax(asked @ themes.T, axis=1).tolist() == list(range(len(THEMES)))

    for text, vector in zip(TEXTS, found, strict=True):  # alone, a text is not padded
        np.testing.assert_allclose(vectors(await embed(owner, input=text))[0], vector, atol=1e-6)
    coded = (await embed(owner, input=TEXTS, encoding_format="base64")).json()["data"]
    raw = np.stack([np.frombuffer(base64.b64decode(one["embedding"]), "<f4") for one in coded])
    np.testing.assert_array_equal(raw, found)
    ids = [model.tokenizer.encode(text).ids for text in TEXTS]
    np.testing.assert_array_equal(vectors(await embed(owner, input=ids)), found)
    np.testing.assert_allclose(vectors(await embed(owner, input=ids[0]))[0], found[0], atol=1e-6)
    short = vectors(await embed(owner, input=TEXTS, dimensions=8))
    cut = found[:, :8] / np.linalg.norm(found[:, :8], axis=1, keepdims=True)
    np.testing.assert_allclose(short, cut, atol=1e-6)
    many = [f"{TEXTS[place % 5]} {'list ' * (place % 30)}" for place in range(600)]
    every = np.stack([model.expected(text, normalized=True) for text in many])
    np.testing.assert_allclose(vectors(await embed(owner, input=many)), every, atol=1e-5)

    await asyncio.sleep(0.3)
    usage = (await owner.get("/usage")).json()
    # Five inputs in four calls, the themes in two, five alone, one as tokens, and the many.
    assert (usage["calls"], usage["rows"]) == (13, 4 * 5 + 2 * 4 + 5 + 1 + 600)


async def test_the_tokenizer_is_kept_with_the_version(owner: Caller, app: FastAPI) -> None:
    model = trained()
    await words(owner)
    version = (await owner.get("/models/owner/words/versions/1")).json()
    assert version["tokenizer"]["size"] == len(model.tokenizer_json.encode())
    assert version["signature"]["embedding"] == {
        "output": "token_embeddings",
        "pooling": "mean",
        "normalize": False,
        "max_tokens": 64,
    }
    limits = {one["name"]: (one["minimum"], one["maximum"]) for one in version["signature"]["inputs"]}
    assert limits == {"input_ids": (0, len(model.table) - 1), "attention_mask": (0, 1)}
    assert await collect_orphans(app.state.database, app.state.store, timedelta(seconds=-60)) == 0
    kept = await owner.get("/models/owner/words/versions/1/artifact?kind=tokenizer")
    assert kept.text == model.tokenizer_json
    np.testing.assert_allclose(vectors(await embed(owner, input="a list"))[0], model.expected("a list"), atol=1e-6)
    await pushed_classifier(owner)
    missing = await owner.get("/models/owner/sizes/versions/1/artifact?kind=tokenizer")
    assert missing.status_code == 409
    assert "embedding" not in (await owner.get("/models/owner/sizes/versions/1")).json()["signature"]


@on_sqlite
async def test_a_graph_may_pool_take_types_or_have_its_first_token_taken(owner: Caller) -> None:
    model = trained()
    tokenizer = model.tokenizer_json
    expected = np.stack([model.expected(text) for text in TEXTS])
    pooled = await pushed(owner, "pooled", graph(model.table, pools=True), tokenizer, embedding={"pooling": "none"})
    assert pooled["signature"]["embedding"]["output"] == "sentence_embedding", pooled["error"]
    np.testing.assert_allclose(vectors(await embed(owner, "pooled", input=TEXTS)), expected, atol=1e-6)
    typed = graph(model.table, types=True)
    assert (await pushed(owner, "typed", typed, tokenizer))["status"] == "ready"
    np.testing.assert_allclose(vectors(await embed(owner, "typed", input=TEXTS)), expected, atol=1e-6)
    await words(owner, "first", embedding={"pooling": "cls"})
    start = model.table[model.tokenizer.token_to_id("[CLS]")]
    np.testing.assert_array_equal(vectors(await embed(owner, "first", input=TEXTS)), np.stack([start] * 5))


@on_sqlite
async def test_a_pipeline_over_texts_makes_embeddings_without_a_tokenizer(owner: Caller) -> None:
    described = [data().DESCR for data in (load_iris, load_breast_cancer, load_diabetes, load_wine)]
    lines = [line for text in described for line in text.split("\n") if len(line.split()) > 4]
    pipeline = make_pipeline(TfidfVectorizer(), TruncatedSVD(12, random_state=0)).fit(lines)
    version = await pushed(owner, "topics", convert(pipeline, lines[:50]).onnx, None)
    assert version["status"] == "ready", version["error"]
    expected = pipeline.transform(lines[:20])
    response = await embed(owner, "owner/topics", input=lines[:20])
    np.testing.assert_allclose(vectors(response), expected, atol=1e-5)
    assert response.json()["usage"]["total_tokens"] == sum(len(line.split()) for line in lines[:20])
    for given in ([1, 2], [[1], [2]]):
        assert (await embed(owner, "topics", input=given)).status_code == 422
    nul = await embed(owner, "topics", input=["fine", "a\0b"])
    assert nul.json()["errors"][0]["loc"] == ["input", 1]


@on_sqlite
async def test_versions_and_aliases_are_named_in_the_model(owner: Caller, stranger: Caller) -> None:
    model = trained()
    await words(owner)
    double = await pushed(owner, "words", graph(model.table * 2), model.tokenizer_json, alias="next")
    assert double["status"] == "ready"
    one = model.expected("a list")
    for name, factor in (("words", 1), ("words:1", 1), ("words:2", 2), ("owner/words@next", 2), ("owner/words", 1)):
        np.testing.assert_allclose(vectors(await embed(owner, name, input="a list"))[0], one * factor, atol=1e-5)
    for name in ("nothing", "owner/nothing", "words:3", "words@never", "words@live:1", "BAAI/Words", "", "a/b/c"):
        missing = await embed(owner, name, input="a list")
        assert missing.status_code == 404, name
        assert missing.json()["error"]["type"] == "invalid_request_error"
    hidden = await embed(stranger, "owner/words", input="a list")
    assert (hidden.status_code, hidden.json()["error"]["code"]) == (404, "model_not_found")


REFUSED: dict[str, tuple[dict[str, Any], int, str | None]] = {
    "no input": ({}, 422, "input"),
    "an empty list": ({"input": []}, 422, "input"),
    "an object": ({"input": {"text": "a"}}, 422, "input"),
    "a number": ({"input": 1}, 422, "input"),
    "null": ({"input": None}, 422, "input"),
    "texts and tokens": ({"input": ["a", 1]}, 422, "input.1"),
    "a null text": ({"input": ["a", None]}, 422, "input.1"),
    "a boolean token": ({"input": [[1, True]]}, 422, "input.0.1"),
    "a fraction": ({"input": [[1, 1.5]]}, 422, "input.0.1"),
    "a negative token": ({"input": [1, -1]}, 422, "input.1"),
    "no tokens": ({"input": [[1], []]}, 422, "input.1"),
    "an unknown token": ({"input": [[1], [9_999_999]]}, 422, "input.1"),
    "a token beyond int32": ({"input": [2**40]}, 422, "input.0"),
    "too long": ({"input": ["a", "list " * 100]}, 422, "input.1"),
    "too many tokens": ({"input": [[1] * 65]}, 422, "input.0"),
    "too many texts": ({"input": ["a"] * 2049}, 413, None),
    "a format": ({"input": "a", "encoding_format": "hex"}, 422, "encoding_format"),
    "a list for a format": ({"input": "a", "encoding_format": ["float"]}, 422, "encoding_format"),
    "no dimensions": ({"input": "a", "dimensions": 0}, 422, "dimensions"),
    "too many dimensions": ({"input": "a", "dimensions": 49}, 422, "dimensions"),
    "dimensions as text": ({"input": "a", "dimensions": "8"}, 422, "dimensions"),
    "a user no text": ({"input": "a", "user": 1}, 422, "user"),
    "an unknown member": ({"input": "a", "temperature": 1}, 422, "temperature"),
    "a model no text": ({"input": "a", "model": 1}, 422, "model"),
}


@on_sqlite
async def test_what_is_refused_is_told_both_ways(owner: Caller) -> None:
    await words(owner)
    for what, (body, status, param) in REFUSED.items():
        answer = await embed(owner, **{"model": "words", **body})
        assert answer.status_code == status, (what, answer.text)
        assert answer.headers["content-type"] == "application/problem+json"
        shown = answer.json()
        assert shown["error"]["message"] == shown["detail"], what
        assert (shown["error"]["param"], shown["error"]["type"]) == (param, "invalid_request_error"), what
    for content in (b"{", b'{"model": "words", "model": "words", "input": "a"}', b'{"input": "\\ud800", "model": "a"}'):
        broken = await owner.post("/v1/embeddings", content=content)
        assert (broken.status_code, broken.json()["error"]["code"]) == (400, "bad_request")
    await pushed_classifier(owner)
    other = await embed(owner, "sizes", input="a")
    assert (other.status_code, other.json()["error"]["code"]) == (422, "not_an_embedding_model")
    nobody = await owner.http.post("/v1/embeddings", json={"model": "words", "input": "a"})
    assert (nobody.status_code, nobody.json()["error"]["code"]) == (401, "unauthenticated")


def unfit() -> dict[str, tuple[bytes, str | None, dict[str, Any], str]]:
    table, tokenizer = trained().table, trained().tokenizer_json
    mismatch = "embedding-mismatch"
    return {
        "a tokenizer that is none": (graph(table), "{}", {}, "tokenizer-invalid"),
        "a graph without tokens": (linear_classifier(), tokenizer, {}, mismatch),
        "no tokenizer": (graph(table), None, {"embedding": {}}, mismatch),
        "two outputs that could be": (graph(table, pools=True), tokenizer, {}, mismatch),
        "an output it lacks": (graph(table), tokenizer, {"embedding": {"output": "nothing"}}, mismatch),
        "fewer words than the tokenizer": (graph(table[:500]), tokenizer, {}, mismatch),
        "vectors that are not finite": (graph(table * np.nan), tokenizer, {}, mismatch),
    }


@on_sqlite
async def test_what_makes_no_embeddings_is_not_registered_as_if(owner: Caller) -> None:
    for what, (artifact, tokenizer, metadata, code) in unfit().items():
        version = await pushed(owner, "unfit", artifact, tokenizer, **metadata)
        assert version["status"] == "failed", what
        assert version["error"]["code"] == code, (what, version["error"])


@on_sqlite
async def test_a_tokenizer_that_panics_refuses_the_text_only(owner: Caller) -> None:
    model = trained()
    slow = json.loads(model.tokenizer_json)
    pattern = {"type": "Split", "pattern": {"Regex": "(q|qq)+$"}, "behavior": "Isolated", "invert": False}
    slow["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [pattern, slow["pre_tokenizer"]]}
    version = await pushed(owner, "slow", graph(model.table), json.dumps(slow))
    assert version["status"] == "ready", version["error"]
    refused = await embed(owner, "slow", input="q" * 60 + "!")
    assert (refused.status_code, refused.json()["error"]["code"]) == (422, "model_rejected_input")
    np.testing.assert_allclose(
        vectors(await embed(owner, "slow", input="a list"))[0], model.expected("a list"), atol=1e-6
    )


@on_sqlite
async def test_without_the_library_it_says_what_to_install(owner: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    await words(owner)
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "tokenizers", None)
        refused = await embed(owner, input="a list")
    assert refused.status_code == 503
    assert "argosy[embeddings]" in refused.json()["error"]["message"]
    assert (await embed(owner, input="a list")).status_code == 200

"""OpenAI's request for embeddings, and its answer."""

import base64
import re
from dataclasses import dataclass

import jiter
from pydantic import JsonValue
from pydantic_core import to_json

from argosy.embeddings.vectors import Vectors
from argosy.signature.refusal import Refusal, cut, refuse

MEMBERS = frozenset({"model", "input", "encoding_format", "dimensions", "user"})
FORMATS = ("float", "base64")
MAX_DIMENSIONS = 65_536
MAX_USER = 512
_SLUG = r"[a-z0-9][a-z0-9._-]{0,62}"
_MODEL = re.compile(
    rf"(?:(?P<org>{_SLUG})/)?(?P<name>{_SLUG})(?:@(?P<alias>{_SLUG})|:(?P<version>[1-9][0-9]{{0,8}}))?", re.ASCII
)


@dataclass(frozen=True, slots=True)
class ModelName:
    """`name` or `org/name`, with `@alias` or `:version`."""

    org: str | None
    name: str
    alias: str | None
    version: int | None

    @classmethod
    def parse(cls, text: str) -> "ModelName | None":
        """Return what a model's name says; None when no model is called so."""
        found = _MODEL.fullmatch(text)
        if found is None:
            return None
        version = found["version"]
        return cls(found["org"], found["name"], found["alias"], None if version is None else int(version))


@dataclass(frozen=True, slots=True)
class EmbeddingRequest:
    """What a client asks: texts, or lists of token ids."""

    model: str
    inputs: list[str] | list[list[int]]
    in_base64: bool
    dimensions: int | None


def decode(body: bytes) -> EmbeddingRequest:
    """Read a request; raises `InvalidInput`."""
    try:
        request = jiter.from_json(body, allow_inf_nan=False, catch_duplicate_keys=True)
    except ValueError as error:
        raise refuse(["body"], f"The body is not valid JSON: {str(error)[:200]}", "json_invalid", status=400) from None
    if not isinstance(request, dict):
        raise refuse(["body"], "Input should be an object with model and input", "dict_type")
    refusal = Refusal()
    for name in request:
        if name not in MEMBERS:
            refusal.add([cut(name)], "Extra inputs are not permitted", "extra_forbidden")
    for name in ("model", "input"):
        if name not in request:
            refusal.add([name], "Field required", "missing")
    refusal.settle()
    model, user, shown = request["model"], request.get("user"), request.get("encoding_format")
    if not isinstance(model, str):
        raise refuse(["model"], "Input should be the name of a model", "string_type")
    if user is not None and not (isinstance(user, str) and len(user) <= MAX_USER):
        raise refuse(["user"], f"Input should be a string of at most {MAX_USER} characters", "string_type")
    if shown is not None and shown not in FORMATS:
        raise refuse(["encoding_format"], "Input should be 'float' or 'base64'", "enum")
    return EmbeddingRequest(model, _inputs(request["input"]), shown == "base64", _dimensions(request))


def _dimensions(request: dict[str, JsonValue]) -> int | None:
    given = request.get("dimensions")
    if given is not None and (type(given) is not int or not 0 < given <= MAX_DIMENSIONS):
        raise refuse(["dimensions"], f"Input should be an integer from 1 to {MAX_DIMENSIONS}", "int_range")
    return given


def _inputs(given: JsonValue) -> list[str] | list[list[int]]:
    if isinstance(given, str):
        return [given]
    if not isinstance(given, list) or not given:
        raise refuse(["input"], "Input should be a string, a list of strings, or tokens", "list_type")
    kinds = set(map(type, given))
    if kinds == {int}:
        return [_tokens(given, [])]
    if kinds == {str}:
        return [text for text in given if isinstance(text, str)]
    if kinds == {list}:
        return [_tokens(tokens, [place]) for place, tokens in enumerate(given)]
    expected = type(given[0]) if type(given[0]) in {int, str, list} else str
    place = next(place for place, item in enumerate(given) if type(item) is not expected)
    raise refuse(["input", place], "Input should hold strings only, or tokens only", "string_type")


def _tokens(given: JsonValue, where: list[int]) -> list[int]:
    if not isinstance(given, list) or not given:
        raise refuse(["input", *where], "Input should be a list of tokens", "list_type")
    tokens = [token for token in given if type(token) is int and 0 <= token < 2**31]
    if len(tokens) < len(given):
        place = next(place for place, token in enumerate(given) if type(token) is not int or not 0 <= token < 2**31)
        raise refuse(["input", *where, place], "Input should be a token: an integer from 0", "int_type")
    return tokens


def encode(model: str, vectors: Vectors, tokens: int, *, in_base64: bool) -> bytes:
    """Return the body of an answer; in base64 a vector is its little-endian float32 numbers."""
    data: list[dict[str, object]] = [
        {
            "object": "embedding",
            "index": index,
            "embedding": base64.b64encode(vector.astype("<f4").tobytes()).decode() if in_base64 else vector.tolist(),
        }
        for index, vector in enumerate(vectors)
    ]
    answer: bytes = to_json(
        {"object": "list", "data": data, "model": model, "usage": {"prompt_tokens": tokens, "total_tokens": tokens}}
    )
    return answer

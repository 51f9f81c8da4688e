"""JSON Schema 2020-12 of what goes in and what comes out, and an example."""

import math
from typing import Any

from pydantic import BaseModel

from argosy.signature.predictions import class_name, is_vector, keys
from argosy.signature.schema import JSON_TYPES, Schema, enforced
from argosy.signature.spec import DType, Feature, Output, Role, Scalar, Signature

DIALECT = "https://json-schema.org/draft/2020-12/schema"
NOT_FINITE = "Null where the model answers NaN or infinity, which JSON lacks."


def row_schema(model: type[BaseModel]) -> Schema:
    """Return the schema of one row."""
    return model.model_json_schema(by_alias=True)


def request_schema(signature: Signature, row: Schema) -> Schema:
    """Return the schema of a request: rows, columns, or data in the signature's order."""
    values = {feature.name: row["properties"][feature.name] for feature in signature.inputs}
    batch = {"type": "array", "minItems": 1} | ({} if signature.batched else {"maxItems": 1})
    columns = {name: {**batch, "items": schema} for name, schema in values.items()}
    compact = {
        "type": "array",
        "prefixItems": list(values.values()),
        "minItems": len(values),
        "maxItems": len(values),
    }
    return {
        "title": "Request",
        "oneOf": [
            _form("rows", {**batch, "items": {"$ref": "#/$defs/Row"}}),
            _form(
                "columns",
                {"type": "object", "properties": columns, "required": list(columns), "additionalProperties": False},
            ),
            _form("data", {**batch, "items": compact}),
        ],
        "$defs": {"Row": row},
    }


def _form(name: str, schema: Schema) -> Schema:
    return {
        "title": name.capitalize(),
        "type": "object",
        "properties": {name: schema},
        "required": [name],
        "additionalProperties": False,
    }


def response_schema(signature: Signature) -> Schema:
    """Return the schema of an answer."""
    return {
        "title": "Response",
        "type": "object",
        "required": ["id", "model", "version", "predictions"],
        "properties": {
            "id": {"type": "string", "format": "uuid"},
            "model": {"type": "string", "description": "The model that answered, as org/name."},
            "version": {"type": "integer", "description": "The version that answered."},
            "predictions": {
                "type": "array",
                "description": "One prediction for each row, in the order of the request.",
                "items": {"$ref": "#/$defs/Prediction"},
            },
            "latency_ms": {"type": "number"},
            "request_id": {"type": "string"},
        },
        "$defs": {"Prediction": prediction_schema(signature)},
    }


def prediction_schema(signature: Signature) -> Schema:
    """Return the schema of one prediction; numbers are null where the model says NaN or infinity."""
    named = zip(keys(signature), signature.outputs, strict=True)
    properties = {key: _output(output, signature.classes) for key, output in named}
    return {"title": "Prediction", "type": "object", "properties": properties, "required": list(properties)}


def _output(output: Output, classes: list[Scalar] | None) -> Schema:
    described = {"description": output.description} if output.description else {}
    if output.role is Role.PROBABILITIES:
        names = [class_name(label) for label in classes or []]
        return {
            "type": "object",
            "properties": {name: {"type": ["number", "null"]} for name in names},
            "required": names,
            "additionalProperties": False,
            "description": f"The probability of each class by name. {NOT_FINITE}",
            **described,
        }
    if output.role is Role.LABEL and classes:
        schema: Schema = {"enum": list(classes)}
    elif output.dtype.is_float:
        schema = {"type": ["number", "null"], "description": NOT_FINITE}
    else:
        schema = {"type": JSON_TYPES.get(output.dtype, "integer")}
    for _ in output.shape if is_vector(output) or output.role is Role.TENSOR else []:
        schema = {"type": "array", "items": schema}
    return {**schema, **described}


def example_value(feature: Feature) -> Any:  # noqa: ANN401 - any JSON
    """Return an example of a feature's value: the given one, or one that its limits allow."""
    if feature.example is not None:
        return feature.example
    value: Any = _example_scalar(feature)
    for size in reversed(feature.shape):
        value = [value] * (1 if size is None else size)
    return value


def _example_scalar(feature: Feature) -> Scalar:
    if feature.enum:
        return feature.enum[0]
    if feature.dtype is DType.STRING:
        return "text"
    if feature.dtype is DType.BOOL:
        return False
    low, high = enforced(feature, "minimum"), enforced(feature, "maximum")
    value = feature.seen_minimum if feature.seen_minimum is not None else 0.0
    value = max(value, value if low is None else low)
    value = min(value, value if high is None else high)
    if feature.dtype.is_float:
        return value
    return math.ceil(value) if low is not None and value <= low else math.floor(value)

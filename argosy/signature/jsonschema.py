"""JSON Schema 2020-12 of what goes in and what comes out."""

from typing import Any

from pydantic import BaseModel

from argosy.signature.fields import JSON_TYPES
from argosy.signature.predictions import is_vector, key
from argosy.signature.spec import Feature, Output, Role, Scalar, Signature

DIALECT = "https://json-schema.org/draft/2020-12/schema"
Schema = dict[str, Any]


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
    return {"type": "object", "properties": {name: schema}, "required": [name], "additionalProperties": False}


def response_schema(signature: Signature) -> Schema:
    """Return the schema of an answer."""
    return {
        "type": "object",
        "required": ["id", "model", "version", "predictions"],
        "properties": {
            "id": {"type": "string", "format": "uuid"},
            "model": {"type": "string"},
            "version": {"type": "integer"},
            "predictions": {"type": "array", "items": {"$ref": "#/$defs/Prediction"}},
            "latency_ms": {"type": "number"},
            "request_id": {"type": "string"},
        },
        "$defs": {"Prediction": prediction_schema(signature)},
    }


def prediction_schema(signature: Signature) -> Schema:
    """Return the schema of one prediction; numbers are null where the model says NaN or infinity."""
    properties = {key(output): _output(output, signature.classes) for output in signature.outputs}
    return {"type": "object", "properties": properties, "required": list(properties)}


def _output(output: Output, classes: list[Scalar] | None) -> Schema:
    number: Schema = {"type": ["number", "null"]}
    described = {"description": output.description} if output.description else {}
    if output.role is Role.PROBABILITIES:
        names = [str(label).lower() if isinstance(label, bool) else str(label) for label in classes or []]
        return {"type": "object", "properties": dict.fromkeys(names, number), "required": names, **described}
    if output.role is Role.LABEL and classes:
        return {"enum": list(classes), **described}
    scalar = number if output.dtype.is_float else {"type": JSON_TYPES.get(output.dtype, "integer")}
    shape = output.shape if is_vector(output) or output.role is Role.TENSOR else []
    for _ in shape:
        scalar = {"type": "array", "items": scalar}
    return {**scalar, **described}


def example_value(feature: Feature) -> Any:  # noqa: ANN401 - any JSON
    """Return an example of a feature's value."""
    if feature.example is not None:
        return feature.example
    if feature.enum:
        return feature.enum[0]
    low = next((bound for bound in (feature.minimum, feature.seen_minimum) if bound is not None), 0.0)
    scalar: Any = JSON_EXAMPLES.get(feature.dtype.value, float(low) if feature.dtype.is_float else int(low))
    for size in reversed(feature.shape):
        scalar = [scalar] * (size or 1)
    return scalar


JSON_EXAMPLES: dict[str, Any] = {"string": "text", "bool": False}

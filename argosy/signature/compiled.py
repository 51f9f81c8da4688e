"""A signature made ready to serve: the one class protocols use."""

from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, create_model

from argosy.signature import jsonschema
from argosy.signature.fields import field_type
from argosy.signature.parsing import RequestParser
from argosy.signature.predictions import Prediction, PredictionEncoder
from argosy.signature.spec import Feature, Signature
from argosy.signature.tensors import Batch, TensorPacker

Schema = dict[str, Any]


class CompiledSignature:
    """What passes `parse` fits the model, and nothing else does.

    The Pydantic model of a row is built once, here: keep one instance a version.

    >>> signature = CompiledSignature(version_signature)
    >>> batch = signature.parse(b'{"rows": [{"sepal_length": 5.1, ...}]}', max_rows=1000)
    >>> signature.encode(outputs, batch.rows)
    [{'label': 'setosa', 'probabilities': {'setosa': 0.98, ...}}]
    """

    def __init__(self, signature: Signature) -> None:
        self.signature = signature
        self.row_model = _row_model(signature)
        fields = self.row_model.model_fields
        adapters: dict[str, TypeAdapter[list[Any]]] = {
            feature.name: TypeAdapter(list[fields[f"feature_{position}"].rebuild_annotation()])  # type: ignore[arg-type,misc]
            for position, feature in enumerate(signature.inputs)
        }
        self._parser = RequestParser(adapters, batched=signature.batched)
        self._packer = TensorPacker(signature)
        self._encoder = PredictionEncoder(signature)

    def parse(self, body: bytes, *, max_rows: int) -> Batch:
        """Read a JSON request into tensors; raises `InvalidInput`."""
        columns, rows = self._parser.parse(body, max_rows)
        return self._packer.pack(columns, rows)

    def to_tensors(self, columns: Mapping[str, Sequence[Any]]) -> Batch:
        """Check columns given as Python values and pack them into tensors; raises `InvalidInput`."""
        listed = {name: list(values) for name, values in columns.items()}
        checked = self._parser.check(listed, lambda name, row: ["columns", name, row])
        return self._packer.pack(checked, len(next(iter(checked.values()))))

    def encode(self, outputs: Mapping[str, NDArray[Any]], rows: int) -> list[Prediction]:
        """Return one prediction a row from the graph's outputs."""
        return self._encoder.encode(outputs, rows)

    def request_json_schema(self) -> Schema:
        """Return the JSON Schema of a request."""
        return jsonschema.request_schema(self.signature, jsonschema.row_schema(self.row_model))

    def response_json_schema(self) -> Schema:
        """Return the JSON Schema of an answer."""
        return jsonschema.response_schema(self.signature)

    def json_schema(self) -> Schema:
        """Return the JSON Schema of a row and of a prediction."""
        return {
            "$schema": jsonschema.DIALECT,
            "type": "object",
            "properties": {
                "input": jsonschema.row_schema(self.row_model),
                "output": jsonschema.prediction_schema(self.signature),
            },
            "required": ["input", "output"],
        }

    def example_request(self) -> Schema:
        """Return a request that the model answers."""
        return {"rows": [{feature.name: jsonschema.example_value(feature) for feature in self.signature.inputs}]}


def _row_model(signature: Signature) -> type[BaseModel]:
    # A feature may be called anything, also what is no Python name: the attribute is a position, the alias the name.
    fields: dict[str, Any] = {
        f"feature_{position}": (
            field_type(feature),
            Field(alias=feature.name, title=feature.name, description=feature.description, examples=_examples(feature)),
        )
        for position, feature in enumerate(signature.inputs)
    }
    return create_model("Row", __config__=ConfigDict(extra="forbid", arbitrary_types_allowed=True), **fields)


def _examples(feature: Feature) -> list[Any] | None:
    return None if feature.example is None else [feature.example]

"""A signature made ready to serve: the one class protocols use."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, JsonValue, WithJsonSchema

from argosy.signature import jsonschema
from argosy.signature.arrays import ScalarReader
from argosy.signature.columns import TableReader, nested
from argosy.signature.parse import RequestParser, strict_json
from argosy.signature.predictions import Prediction, PredictionEncoder
from argosy.signature.quick import QuickReader
from argosy.signature.schema import Schema, check_carrier, nested_schema, row_model, scalar_type
from argosy.signature.spec import DType, Feature, Signature
from argosy.signature.tensors import Batch
from argosy.signature.whole import TensorReader


class CompiledSignature:
    """What passes `parse` fits the model, and nothing else does.

    The Pydantic model of a row is built once, here: keep one instance a version. Raises ValueError for a signature
    whose tensors cannot carry its features.

    >>> signature = CompiledSignature(version_signature)
    >>> batch = signature.parse(b'{"rows": [{"sepal_length": 5.1, ...}]}', max_rows=1000)
    >>> signature.encode(outputs, batch.rows)
    [{'label': 'setosa', 'probabilities': {'setosa': 0.98, ...}}]
    """

    def __init__(self, signature: Signature) -> None:
        self.signature = signature
        held_in = {tensor.name: tensor.dtype for tensor in signature.tensors}
        types: dict[str, Any] = {}
        scalars: dict[str, ScalarReader] = {}
        for feature in signature.inputs:
            dtype = held_in[feature.tensor]
            check_carrier(feature, dtype)
            scalars[feature.name] = ScalarReader(feature, dtype)
            types[feature.name] = _field_type(feature, dtype, scalars[feature.name])
        self.row_model = row_model(signature, types)
        self._nullable_floats = {one.name for one in signature.inputs if one.nullable and one.dtype.is_float}
        self._parser = RequestParser([feature.name for feature in signature.inputs], batched=signature.batched)
        self.quick = QuickReader.of(signature)
        self._reader = TableReader(signature, self.row_model, scalars)
        self._encoder = PredictionEncoder(signature)
        self._tensors = TensorReader(signature, self._read_columns)

    def parse(self, body: bytes, *, max_rows: int) -> Batch:
        """Read a JSON request into tensors; raises `InvalidInput`."""
        batch = self.quick.read(body, max_rows) if self.quick is not None else None
        return batch or self.read(strict_json(body), max_rows=max_rows)

    def read(self, request: JsonValue, *, max_rows: int) -> Batch:
        """Read a request whose JSON is read already into tensors; raises `InvalidInput`."""
        return self._reader.read(self._parser.parse(request, max_rows))

    def to_tensors(self, columns: Mapping[str, Sequence[Any] | NDArray[Any]]) -> Batch:
        """Check columns of Python values or arrays and pack them into tensors; raises `InvalidInput`.

        NaN stands for null here, as it does in data frames and arrays.
        """
        return self._read_columns(columns, None)

    def _read_columns(self, columns: Mapping[str, Sequence[Any] | NDArray[Any]], max_rows: int | None) -> Batch:
        listed = {name: self._listed(name, values) for name, values in columns.items()}
        return self._reader.read(self._parser.from_columns(listed, max_rows))

    def check_tensors(self, tensors: Mapping[str, NDArray[Any]], *, max_rows: int) -> Batch:
        """Check tensors as a client of an inference protocol gives them; raises `InvalidInput`.

        They are the model's own, by name, or one for each feature. NaN stands for null.
        """
        return self._tensors.read(tensors, max_rows)

    def _listed(self, name: str, values: Sequence[Any] | NDArray[Any]) -> list[Any]:
        listed: list[Any] = values.tolist() if isinstance(values, np.ndarray) else list(values)
        if name not in self._nullable_floats:
            return listed
        return [None if isinstance(value, float) and value != value else value for value in listed]  # noqa: PLR0124 - NaN

    def encode(self, outputs: Mapping[str, NDArray[Any]], rows: int) -> list[Prediction]:
        """Return one prediction a row from the graph's outputs."""
        return self._encoder.encode(outputs, rows)

    def encode_json(self, outputs: Mapping[str, NDArray[Any]], rows: int) -> list[bytes]:
        """Return the JSON of one prediction a row, as `encode` tells it."""
        return self._encoder.encode_json(outputs, rows)

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


def _field_type(feature: Feature, held_in: DType, scalar: ScalarReader) -> Any:  # noqa: ANN401 - made at run time
    element = scalar_type(feature, held_in)
    if not feature.shape:
        return element
    schema = WithJsonSchema(nested_schema(feature), mode="validation")
    return Annotated[list[Any], AfterValidator(nested(feature, scalar, element)), schema]

"""The clauses of the public documents: the protocol's own, and Triton's for its stream.

https://github.com/kserve/open-inference-protocol, specification/protocol/inference_grpc.md. What the calls answer is in
`test_grpc.py`; here is that the messages are the public ones, number by number, and what only bytes can show.
"""

import json
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from google.protobuf.descriptor import Descriptor

from argosy.serving.protocols.grpc_codec import FIELDS, decode, encode
from argosy.serving.protocols.oip_plane import Found
from argosy.serving.protocols.oip_tensors import DTYPES
from argosy.serving.protocols.proto import inference_pb2 as pb
from tests.support.grpc import SERVICE, raw_request, typed_request
from tools.proto import FOLDER, render

# In a process of its own, for the same reason that ours have a pool of their own: both have the same names.
PUBLIC = """
import json, sys
from tritonclient.grpc import service_pb2 as pb

def fields(message):
    yield message.full_name, sorted(
        [one.name, one.number, one.type, one.is_repeated, one.message_type.full_name if one.message_type else ""]
        for one in message.fields
    )
    for inner in message.nested_types:
        yield from fields(inner)

service = pb.DESCRIPTOR.services_by_name["GRPCInferenceService"]
methods = {one.name: [one.input_type.full_name, one.output_type.full_name] for one in service.methods}
print(json.dumps([methods, dict(item for one in pb.DESCRIPTOR.message_types_by_name.values() for item in fields(one))]))
"""
# The documents' table of sizes; BYTES are as long as they are.
SIZES = {"BOOL": 1, "UINT8": 1, "UINT16": 2, "UINT32": 4, "UINT64": 8, "INT8": 1, "INT16": 2, "INT32": 4, "INT64": 8,
         "FP16": 2, "FP32": 4, "FP64": 8, "BYTES": None}  # fmt: skip
# The documents' table of fields.
CONTENTS = {"bool_contents": 1, "int_contents": 2, "int64_contents": 3, "uint_contents": 4, "uint64_contents": 5,
            "fp32_contents": 6, "fp64_contents": 7, "bytes_contents": 8}  # fmt: skip


def fields(message: Descriptor) -> dict[str, Any]:
    shown = sorted(
        [one.name, one.number, one.type, one.is_repeated, one.message_type.full_name if one.message_type else ""]
        for one in message.fields
    )
    found: dict[str, Any] = {message.full_name: shown}
    for inner in message.nested_types:
        found |= fields(inner)
    return found


@pytest.fixture(scope="module")
def public() -> list[dict[str, Any]]:
    told = subprocess.run([sys.executable, "-c", PUBLIC], capture_output=True, text=True, check=True).stdout
    methods, messages = json.loads(told)
    return [methods, messages]


def test_the_generated_messages_are_in_step_with_their_source() -> None:
    for name, text in render().items():
        assert (FOLDER / name).read_text() == text, "python -m tools.proto"


def test_every_message_and_field_is_the_public_one(public: list[dict[str, Any]]) -> None:
    _, theirs = public
    for message in pb.DESCRIPTOR.message_types_by_name.values():
        for name, shown in fields(message).items():
            if name != "inference.InferParameter":  # the protocol's own has kinds of values that Triton may not have
                assert shown == theirs[name], name
    assert {one.name: one.number for one in pb.InferParameter.DESCRIPTOR.fields} == {
        "bool_param": 1, "int64_param": 2, "string_param": 3, "double_param": 4, "uint64_param": 5,
    }  # fmt: skip
    assert {one.name: one.number for one in pb.InferTensorContents.DESCRIPTOR.fields} == CONTENTS


def test_every_method_is_the_public_one(public: list[dict[str, Any]]) -> None:
    theirs, _ = public
    ours = {one.name: [one.input_type.full_name, one.output_type.full_name] for one in SERVICE.methods}
    assert ours.items() <= theirs.items()
    required = {"ServerLive", "ServerReady", "ModelReady", "ServerMetadata", "ModelMetadata", "ModelInfer"}
    assert set(ours) == required | {"ModelStreamInfer"}
    stream = SERVICE.methods_by_name["ModelStreamInfer"]
    assert (stream.client_streaming, stream.server_streaming) == (True, True)


def test_every_datatype_has_its_size_and_its_field() -> None:
    assert set(SIZES) == set(DTYPES)
    for datatype, size in SIZES.items():
        array = np.zeros((2, 3), DTYPES[datatype])
        if size is None:
            array[:] = "ab"
        answer = encode("m", "1", decode(raw_request()), [Found("y", datatype, array)])
        (raw,) = answer.raw_output_contents
        assert len(raw) == 6 * (size or 4 + 2), datatype
    assert {name for name in SIZES if name not in FIELDS} == {"FP16"}, "which is raw only"
    assert set(FIELDS.values()) == set(CONTENTS)


def test_elements_are_row_major_and_little_endian_without_gaps() -> None:
    array = np.arange(6, dtype=">i4").reshape(3, 2).T  # neither in order nor in the order of bytes
    answer = encode("m", "1", decode(raw_request()), [Found("y", "INT32", array)])
    assert answer.raw_output_contents[0] == np.array([0, 2, 4, 1, 3, 5], "<i4").tobytes()
    typed = encode("m", "1", decode(typed_request()), [Found("y", "INT32", array)])
    assert list(typed.outputs[0].contents.int_contents) == [0, 2, 4, 1, 3, 5]


def test_raw_contents_are_in_the_order_of_the_tensors_and_contents_are_not_given_with_them() -> None:
    found = [Found("a", "FP32", np.zeros(1, "f4")), Found("b", "FP16", np.ones(2, "f2"))]
    for asked in (raw_request(), typed_request()):  # FP16 has no other form, so the other is raw too
        answer = encode("m", "1", decode(asked), found)
        assert [len(raw) for raw in answer.raw_output_contents] == [4, 4]
        assert [(one.name, one.HasField("contents")) for one in answer.outputs] == [("a", False), ("b", False)]


def test_parameters_that_are_not_known_are_let_be() -> None:
    request = raw_request()
    request.parameters["priority"].uint64_param = 1
    request.inputs[0].parameters["anything"].double_param = 0.5
    assert decode(request).inputs["X"].shape == (2, 2)

"""Tensors over gRPC: every datatype, as bytes and as contents."""

import numpy as np
import pytest

from argosy.serving.protocols.grpc_codec import FIELDS, decode, encode
from argosy.serving.protocols.oip_plane import Found
from argosy.serving.protocols.oip_tensors import DATATYPES, DTYPES
from argosy.serving.protocols.proto import inference_pb2 as pb
from tests.support.grpc import raw_request, typed_request


@pytest.mark.parametrize("datatype", DATATYPES.values())
def test_every_datatype_survives_the_way_there_and_back(datatype: str) -> None:
    dtype = DTYPES[datatype]
    if datatype == "BYTES":
        array = np.array([["", "ä€"], ["x" * 300, "\n"]], dtype=object)
    elif dtype.kind in "fb":
        array = np.array([[1, 0], [0, 1]], dtype=dtype)
    else:
        limits = np.iinfo(datatype.lower())
        array = np.array([[limits.min, limits.max], [0, 1]], dtype=dtype)
    for raw in (True, False):
        asked = decode(raw_request() if raw else typed_request())
        answer = encode("m", "1", asked, [Found("X", datatype, array)])
        (tensor,) = answer.outputs
        given = pb.ModelInferRequest.InferInputTensor(name="X", datatype=datatype, shape=tensor.shape)
        if raw or datatype == "FP16":
            assert not tensor.HasField("contents")
            again = pb.ModelInferRequest(inputs=[given], raw_input_contents=answer.raw_output_contents)
        else:
            assert [field.name for field, _ in tensor.contents.ListFields()] == [FIELDS[datatype]]
            given.contents.CopyFrom(tensor.contents)
            again = pb.ModelInferRequest(inputs=[given])
        back = decode(again).inputs["X"]
        assert (back.dtype, back.tolist()) == (array.dtype, array.tolist())

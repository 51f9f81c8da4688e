"""The ONNX model as a custom runtime of MLServer, after its documentation: it has no runtime for ONNX."""

from pathlib import Path

import numpy as np
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse

from bench.apps.models import load


class OnnxModel(MLModel):  # type: ignore[misc] # it is installed in its own environment only
    """Runs the model in the folder that the settings name."""

    async def load(self) -> bool:
        """Load the model."""
        self.model = load("onnx", Path(self.settings.parameters.uri))
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Run the model on the first input."""
        rows = NumpyCodec.decode_input(payload.inputs[0])
        output = NumpyCodec.encode_output("predict", self.model(rows).astype(np.float64))
        return InferenceResponse(model_name=self.name, outputs=[output])

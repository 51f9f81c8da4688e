"""Saves the model as MLflow serves it, with the signature that its documentation asks for."""

import sys
from pathlib import Path

import joblib
import mlflow
import numpy as np
import onnx
from mlflow.models import infer_signature

folder, mode, features = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
target = folder / f"mlflow-{mode}"
rows = np.zeros((1, features), dtype=np.float32 if mode == "onnx" else np.float64)
estimator = joblib.load(folder / "model.joblib")
signature = infer_signature(rows, estimator.predict(rows))
if mode == "sklearn":
    mlflow.sklearn.save_model(
        estimator,
        target,
        signature=signature,
        pip_requirements=[],
        skops_trusted_types=["sklearn.tree._tree.Tree"],  # of forests
    )
else:
    mlflow.onnx.save_model(
        onnx.load(folder / "model.onnx"),
        target,
        signature=signature,
        onnx_execution_providers=["CPUExecutionProvider"],
        onnx_session_options={"intra_op_num_threads": 1},
        pip_requirements=[],
    )

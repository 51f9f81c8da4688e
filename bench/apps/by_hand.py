"""What one writes by hand: a typed FastAPI route over the model, as its documentation shows it."""

import sys
from pathlib import Path

import numpy as np
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

from bench.apps.models import load

folder, mode, port = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
predict_rows = load(mode, folder)
app = FastAPI()


class Request(BaseModel):
    """Rows of features."""

    rows: list[list[float]]


class Answer(BaseModel):
    """A value a row."""

    values: list[float]


@app.post("/predict")
def predict(request: Request) -> Answer:
    """Predict; in a thread, as FastAPI does with what blocks."""
    return Answer(values=predict_rows(np.array(request.rows, dtype=np.float32)).tolist())


@app.post("/predict-inline")
async def predict_inline(request: Request) -> Answer:
    """Predict on the event loop: faster for small models, and blocks it for large ones."""
    return Answer(values=predict_rows(np.array(request.rows, dtype=np.float32)).tolist())


uvicorn.run(app, port=port, log_level="error", access_log=False)

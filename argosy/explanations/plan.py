"""What an explanation is asked for, checked: rows that fit the model, labels that fit its answers, bounded work."""

from dataclasses import dataclass

from pydantic import JsonValue
from pydantic_core import to_json

from argosy.explanations.schemas import ExplanationCreate, Method
from argosy.explanations.shapley import walks
from argosy.explanations.subject import fits
from argosy.kit.errors import Invalid, invalid
from argosy.signature.compiled import CompiledSignature
from argosy.signature.errors import ErrorItem, InvalidInput
from argosy.signature.predictions import class_name, is_vector
from argosy.signature.spec import DType, Output, Role, Signature, Task
from argosy.signature.tensors import Batch


@dataclass(frozen=True, slots=True)
class Limits:
    """Rows given, and rows that the model may be run on for one explanation."""

    rows: int
    runs: int


@dataclass(frozen=True, slots=True)
class Plan:
    """An explanation that can be made: what of, against what, and how many rows the model is run on for it."""

    request: ExplanationCreate
    batch: Batch
    background: Batch
    runs: int


def make_plan(signature: CompiledSignature, request: ExplanationCreate, limits: Limits) -> Plan:
    """Return the plan of a request; raises `Invalid`."""
    if not signature.signature.batched:
        raise invalid(["body", "model"], "this model takes one row at a time; its rows cannot be mixed", "not_batched")
    batch = _parsed(signature, request.inputs, limits.rows, None)
    background = batch
    if request.background is not None:
        background = _background(signature, request.background, limits.rows)
    if not fits(batch, background) or (request.method is Method.SHAP and batch is background and batch.rows == 1):
        message = "one row cannot be compared with itself: give typical rows" if batch is background else _SHAPES
        raise invalid(["body", "background"], message, "background")
    if request.labels is not None:
        _check_labels(signature.signature, request.labels, batch.rows)
    runs = _runs(request, batch.rows, background.rows, len(signature.signature.inputs))
    if runs > limits.runs:
        message = f"the model would be run on {runs} rows, and at most {limits.runs} are allowed; give fewer "
        raise invalid(["body", "samples"], message + "rows, samples or, of wide models, features", "too_much_work")
    return Plan(request, batch, background, runs)


_SHAPES = "values of free sizes should have the same size in every row"


def _parsed(signature: CompiledSignature, inputs: JsonValue, max_rows: int, within: str | None) -> Batch:
    try:
        return signature.parse(to_json(inputs), max_rows=max_rows)
    except InvalidInput as error:
        shown = [
            ErrorItem(
                loc=["body", *([within] if within else []), *one["loc"][1 if within else 0 :]],
                msg=one["msg"],
                type=one["type"],
            )
            for one in error.errors
        ]
        raise Invalid(errors=shown) from error


def _background(signature: CompiledSignature, rows: object, max_rows: int) -> Batch:
    assert isinstance(rows, list)  # noqa: S101 - what the schema says
    kinds = {type(row) for row in rows}
    if len(kinds) != 1:
        raise invalid(["body", "background"], "the rows should all be objects, or all lists", "mixed_rows")
    return _parsed(signature, {"rows" if kinds == {dict} else "data": rows}, max_rows, "background")


def _runs(request: ExplanationCreate, rows: int, background: int, features: int) -> int:
    if request.method is Method.PERMUTATION:
        return rows * (features * request.repeats + (2 if request.labels is None else 1))
    used, times = walks(request.repeats, background)
    return rows * (1 + used * times * (features - 1)) + used


def _check_labels(signature: Signature, labels: list[JsonValue], rows: int) -> None:
    if len(labels) != rows:
        raise invalid(["body", "labels"], f"there are {len(labels)} labels for {rows} rows", "label_count")
    label, value = signature.output(Role.LABEL), _value(signature)
    if signature.task is Task.CLASSIFICATION and not (label and is_vector(label)):
        known = {class_name(one) for one in signature.classes or []}
        for index, one in enumerate(labels):
            text = class_name(one) if isinstance(one, bool | int | float | str) else None
            if text is None or (known and text not in known):
                raise invalid(["body", "labels", index], "should be one of the model's classes", "unknown_class")
    elif value is not None:
        _check_numbers(labels, value.shape[0] or 1 if is_vector(value) else 1)
    else:
        message = "labels are compared with the one label or the numbers that a classifier or a regressor answers"
        raise invalid(["body", "labels"], message, "no_labels")


def _value(signature: Signature) -> Output | None:
    """Return what labels of a regressor are compared with: an ONNX file may not say that it is one."""
    if signature.task is Task.OTHER and len(signature.outputs) == 1 and signature.outputs[0].dtype is not DType.STRING:
        return signature.outputs[0]
    return signature.output(Role.VALUE) if signature.task is Task.REGRESSION else None


def _check_numbers(labels: list[JsonValue], width: int) -> None:
    columns: list[set[float]] = [set() for _ in range(width)]
    for index, one in enumerate(labels):
        values = one if isinstance(one, list) else [one]
        numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
        if len(numbers) != width or len(values) != width:
            expected = "a number" if width == 1 else f"a list of {width} numbers"
            raise invalid(["body", "labels", index], f"should be {expected}", "label_type")
        for column, number in zip(columns, numbers, strict=True):
            column.add(float(number))
    if any(len(column) == 1 for column in columns):
        raise invalid(["body", "labels"], "should not all be the same", "constant_labels")

"""XGBoost and LightGBM inside scikit-learn's converter."""

from typing import Any

from skl2onnx import update_registered_converter
from skl2onnx.common.shape_calculator import (
    calculate_linear_classifier_output_shapes,
    calculate_linear_regressor_output_shapes,
)

from argosy.conversion.errors import ConversionError, missing_extra
from argosy.conversion.thresholds import steps_of

_CLASSIFIER_OPTIONS = {"nocl": [True, False], "zipmap": [True, False, "columns"]}


def family(model: Any) -> str:  # noqa: ANN401 - any estimator
    """Return the top package of an estimator's class."""
    return type(model).__module__.partition(".")[0]


def register(model: Any) -> None:  # noqa: ANN401 - any estimator
    """Make the converters of the boosters in a model known to skl2onnx; raises `ConversionError`."""
    families = {family(step) for step in steps_of(model)}
    if "xgboost" in families:
        _register_xgboost(model)
    if "lightgbm" in families:
        _register_lightgbm()


def _register_xgboost(model: Any) -> None:  # noqa: ANN401 - any estimator
    try:
        from onnxmltools.convert.xgboost.operator_converters.XGBoost import convert_xgboost  # noqa: PLC0415
        from xgboost import XGBClassifier, XGBRegressor, XGBRFClassifier, XGBRFRegressor  # noqa: PLC0415
    except ImportError as error:
        raise missing_extra("onnxmltools", "xgboost") from error
    for step in steps_of(model):
        if family(step) == "xgboost" and getattr(step, "booster", None) == "dart":
            raise ConversionError(
                "unsupported-model",
                "XGBoost's dart booster weights its trees, and the converter drops the weights: answers would be wrong",
                "train with booster='gbtree' and push that",
            )
    for kind in (XGBClassifier, XGBRFClassifier):
        update_registered_converter(
            kind, kind.__name__, calculate_linear_classifier_output_shapes, convert_xgboost, options=_CLASSIFIER_OPTIONS
        )
    for kind in (XGBRegressor, XGBRFRegressor):
        update_registered_converter(kind, kind.__name__, calculate_linear_regressor_output_shapes, convert_xgboost)


def _register_lightgbm() -> None:
    try:
        from lightgbm import LGBMClassifier, LGBMRegressor  # noqa: PLC0415
        from onnxmltools.convert.lightgbm.operator_converters.LightGbm import convert_lightgbm  # noqa: PLC0415
    except ImportError as error:
        raise missing_extra("onnxmltools", "lightgbm") from error
    update_registered_converter(
        LGBMClassifier,
        "LightGbmLGBMClassifier",
        calculate_linear_classifier_output_shapes,
        convert_lightgbm,
        options=_CLASSIFIER_OPTIONS,
    )
    update_registered_converter(
        LGBMRegressor,
        "LightGbmLGBMRegressor",
        calculate_linear_regressor_output_shapes,
        convert_lightgbm,
        options={"split": None},
    )

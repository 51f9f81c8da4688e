"""Where a tree model splits: the inputs at which a wrong conversion shows first."""

import json
from collections import defaultdict
from typing import Any

import numpy as np

Splits = dict[int, list[float]]


def steps_of(model: Any) -> list[Any]:  # noqa: ANN401 - any estimator
    """Return the estimators of nested pipelines in order, the last one last."""
    steps = getattr(model, "steps", None)
    return [inner for _, step in steps for inner in steps_of(step)] if steps else [model]


def is_tree_model(model: Any) -> bool:  # noqa: ANN401 - any estimator
    """Tell whether an estimator decides by thresholds."""
    return bool(splits_of(model))


def splits_of(model: Any) -> Splits:  # noqa: ANN401 - any estimator
    """Return split thresholds by column, for an estimator that splits on its own inputs."""
    splits: Splits = defaultdict(list)
    if hasattr(model, "get_booster"):
        _from_xgboost(model.get_booster(), splits)
    elif hasattr(model, "booster_"):
        _from_lightgbm(model.booster_, splits)
    elif hasattr(model, "_predictors"):
        _from_histogram(model, splits)
    else:
        for tree in _trees(model):
            inner = tree.tree_.feature >= 0
            for column, value in zip(tree.tree_.feature[inner], tree.tree_.threshold[inner], strict=True):
                splits[int(column)].append(float(value))
    return {column: sorted(set(values)) for column, values in splits.items()}


def splits_in_double(model: Any) -> bool:  # noqa: ANN401 - any estimator
    """Tell whether a tree model compares in float64: LightGBM and HistGradientBoosting; the others cast to float32."""
    return hasattr(model, "booster_") or hasattr(model, "_predictors")


def _trees(model: Any) -> list[Any]:  # noqa: ANN401 - any estimator
    if hasattr(model, "tree_"):
        return [model]
    found = getattr(model, "estimators_", None)
    if found is None:
        return []
    columns = getattr(model, "estimators_features_", None)
    if columns is not None and any(len(one) != getattr(model, "n_features_in_", -1) for one in columns):
        return []  # each tree numbers the columns of its own subset
    return [tree for tree in np.asarray(found, dtype=object).ravel() if hasattr(tree, "tree_")]


def _from_histogram(model: Any, splits: Splits) -> None:  # noqa: ANN401 - HistGradientBoosting*
    for iteration in model._predictors:  # noqa: SLF001 - there is no public way to the thresholds
        for predictor in iteration:
            nodes = predictor.nodes
            inner = nodes[(nodes["is_leaf"] == 0) & (nodes["is_categorical"] == 0)]
            for column, value in zip(inner["feature_idx"], inner["num_threshold"], strict=True):
                if np.isfinite(value):
                    splits[int(column)].append(float(value))


def _from_xgboost(booster: Any, splits: Splits) -> None:  # noqa: ANN401 - xgboost.Booster
    names = booster.feature_names or [f"f{index}" for index in range(booster.num_features())]
    position = {name: index for index, name in enumerate(names)}
    pending = [json.loads(tree) for tree in booster.get_dump(dump_format="json")]
    while pending:
        node = pending.pop()
        if isinstance(node.get("split_condition"), int | float) and node["split"] in position:
            splits[position[node["split"]]].append(float(node["split_condition"]))
        pending.extend(node.get("children", []))


def _from_lightgbm(booster: Any, splits: Splits) -> None:  # noqa: ANN401 - lightgbm.Booster
    pending = [tree["tree_structure"] for tree in booster.dump_model()["tree_info"]]
    while pending:
        node = pending.pop()
        if node.get("decision_type") == "<=":
            splits[int(node["split_feature"])].append(float(node["threshold"]))
        pending.extend(node[side] for side in ("left_child", "right_child") if side in node)

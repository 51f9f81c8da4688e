"""Where a tree model splits: the inputs at which a wrong conversion shows first."""

import json
from collections import defaultdict
from typing import Any

import numpy as np

Splits = dict[int, list[float]]
Tree = list[tuple[int, float]]


def steps_of(model: Any) -> list[Any]:  # noqa: ANN401 - any estimator
    """Return the estimators of nested pipelines in order, the last one last."""
    steps = getattr(model, "steps", None)
    return [inner for _, step in steps for inner in steps_of(step)] if steps else [model]


def is_tree_model(model: Any) -> bool:  # noqa: ANN401 - any estimator
    """Tell whether an estimator decides by thresholds."""
    return bool(splits_of(model))


def splits_of(model: Any) -> Splits:  # noqa: ANN401 - any estimator
    """Return split thresholds by column, for an estimator that splits on its own inputs."""
    splits: dict[int, set[float]] = defaultdict(set)
    for tree in trees_of(model):
        for column, value in tree:
            splits[column].add(value)
    return {column: sorted(values) for column, values in splits.items()}


def trees_of(model: Any) -> list[Tree]:  # noqa: ANN401 - any estimator
    """Return the columns and thresholds of each tree, in the order in which converters number the trees."""
    if hasattr(model, "get_booster"):
        return _from_xgboost(model.get_booster())
    if hasattr(model, "booster_"):
        return _from_lightgbm(model.booster_)
    if hasattr(model, "_predictors"):
        return _from_histogram(model)
    return [_from_arrays(tree.tree_.feature, tree.tree_.threshold, tree.tree_.feature >= 0) for tree in _trees(model)]


def _from_arrays(columns: Any, values: Any, inner: Any) -> Tree:  # noqa: ANN401 - arrays
    return [(int(column), float(value)) for column, value in zip(columns[inner], values[inner], strict=True)]


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


def _from_histogram(model: Any) -> list[Tree]:  # noqa: ANN401 - HistGradientBoosting*
    found = []
    for iteration in model._predictors:  # noqa: SLF001 - there is no public way to the thresholds
        for predictor in iteration:
            nodes = predictor.nodes
            inner = (nodes["is_leaf"] == 0) & (nodes["is_categorical"] == 0) & np.isfinite(nodes["num_threshold"])
            found.append(_from_arrays(nodes["feature_idx"], nodes["num_threshold"], inner))
    return found


def _from_xgboost(booster: Any) -> list[Tree]:  # noqa: ANN401 - xgboost.Booster
    names = booster.feature_names or [f"f{index}" for index in range(booster.num_features())]
    position = {name: index for index, name in enumerate(names)}
    found = []
    for text in booster.get_dump(dump_format="json"):
        tree: Tree = []
        pending = [json.loads(text)]
        while pending:
            node = pending.pop()
            if isinstance(node.get("split_condition"), int | float) and node["split"] in position:
                tree.append((position[node["split"]], float(node["split_condition"])))
            pending.extend(node.get("children", []))
        found.append(tree)
    return found


def _from_lightgbm(booster: Any) -> list[Tree]:  # noqa: ANN401 - lightgbm.Booster
    found = []
    for described in booster.dump_model()["tree_info"]:
        tree: Tree = []
        pending = [described["tree_structure"]]
        while pending:
            node = pending.pop()
            if node.get("decision_type") == "<=":
                tree.append((int(node["split_feature"]), float(node["threshold"])))
            pending.extend(node[side] for side in ("left_child", "right_child") if side in node)
        found.append(tree)
    return found

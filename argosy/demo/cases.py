"""The models of the demonstration, trained on data that ships with scikit-learn."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd
from sklearn import datasets
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score, r2_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

SEED = 7


@dataclass(frozen=True, slots=True)
class Case:
    """A trained model with the rows it was not trained on."""

    name: str
    model: Any
    sample: pd.DataFrame
    held_out: pd.DataFrame
    metrics: dict[str, float]
    as_skops: bool = False

    @property
    def estimator(self) -> str:
        """The name of the estimator, of a pipeline its last step's."""
        last = self.model.steps[-1][1] if isinstance(self.model, Pipeline) else self.model
        return type(last).__name__

    @property
    def is_classifier(self) -> bool:
        """Whether it answers with labels."""
        return hasattr(self.model, "predict_proba")


def _plain_names(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.rename(columns=lambda name: str(name).replace(" (cm)", "").replace(" ", "_"))


def _case(name: str, model: Any, inputs: pd.DataFrame, target: Any, *, as_skops: bool = False) -> Case:  # noqa: ANN401
    train, held_out, known, truth = train_test_split(inputs, target, test_size=0.3, random_state=SEED)
    model.fit(train, known)
    predicted = model.predict(held_out)
    if hasattr(model, "predict_proba"):
        metrics = {
            "accuracy": float(accuracy_score(truth, predicted)),
            "f1_score": float(f1_score(truth, predicted, average="macro")),
        }
    else:
        metrics = {"r2": float(r2_score(truth, predicted))}
    return Case(name, model, train, held_out, metrics, as_skops)


def iris() -> Case:
    """Flowers: a scaled linear model, pushed as a skops file that the server converts."""
    data = datasets.load_iris(as_frame=True)
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))
    return _case("iris", model, _plain_names(data.data), data.target_names[data.target], as_skops=True)


def breast_cancer() -> Case:
    """Tumours: a forest over thirty numbers."""
    data = datasets.load_breast_cancer(as_frame=True)
    model = RandomForestClassifier(60, random_state=SEED)
    return _case("breast-cancer", model, _plain_names(data.data), data.target_names[data.target])


def diabetes() -> Case:
    """Disease progression: gradient boosting."""
    data = datasets.load_diabetes(as_frame=True, scaled=False)
    return _case("diabetes", HistGradientBoostingRegressor(random_state=SEED), data.data, data.target)


def digits() -> Case:
    """Handwriting: 64 pixels to ten classes."""
    data = datasets.load_digits(as_frame=True)
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))
    return _case("digits", model, data.data, data.target)


def clinic() -> Case:
    """Mixed columns: the diabetes data with sex and an age group as text, and whether progression is high."""
    data = datasets.load_diabetes(as_frame=True, scaled=False)
    frame = data.data.rename(columns={"sex": "sex_code"})
    groups = pd.cut(frame["age"], [0, 35, 50, 65, 120], labels=["under 35", "35-50", "50-65", "over 65"])
    mixed = frame.assign(
        sex=frame["sex_code"].map({1.0: "female", 2.0: "male"}).astype(str), age_group=groups.astype(str)
    ).drop(columns=["sex_code"])
    text = ["sex", "age_group"]
    numbers = [name for name in mixed.columns if name not in text]
    columns = ColumnTransformer([("text", OneHotEncoder(), text), ("numbers", StandardScaler(), numbers)])
    model = Pipeline([("columns", columns), ("classify", LogisticRegression(max_iter=500))])
    target = (data.target > data.target.median()).map({True: "high", False: "low"})
    return _case("clinic", model, mixed, target)


CASES: tuple[Callable[[], Case], ...] = (iris, breast_cancer, diabetes, digits, clinic)

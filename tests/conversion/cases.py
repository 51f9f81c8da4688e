"""Fitted models for the conversion table: what converts right, and what is known to convert silently wrong."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from sklearn.cluster import KMeans, MiniBatchKMeans
from sklearn.compose import ColumnTransformer
from sklearn.datasets import make_classification, make_regression
from sklearn.decomposition import KernelPCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    IsolationForest,
    RandomForestClassifier,
)
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import TunedThresholdClassifierCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, QuantileTransformer, StandardScaler
from sklearn.svm import SVC, NuSVC, OneClassSVM
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from sklearn.utils import all_estimators

Case = tuple[Any, Any]
XB, YB = make_classification(200, 6, n_informative=4, random_state=0)
XM, YM = make_classification(200, 6, n_informative=4, n_classes=3, random_state=0)
XR, YR = make_regression(200, 6, random_state=0)
XN = XB.copy()
XN[::5, 0] = np.nan
XN[::7, 2] = np.nan
RANDOM = np.random.RandomState(0)
MIXED = pd.DataFrame(
    {
        "city": np.array(["paris", "rome", "oslo"])[RANDOM.randint(0, 3, 200)],
        "age": RANDOM.randint(18, 80, 200),
        "income": XB[:, 0],
    }
)
TEXTS = ["good movie", "bad film", "great plot", "awful acting"] * 20

CLASSIFIERS = [
    "AdaBoostClassifier",
    "BaggingClassifier",
    "BernoulliNB",
    "ComplementNB",
    "DecisionTreeClassifier",
    "ExtraTreeClassifier",
    "ExtraTreesClassifier",
    "GaussianNB",
    "GradientBoostingClassifier",
    "HistGradientBoostingClassifier",
    "KNeighborsClassifier",
    "LinearSVC",
    "LogisticRegression",
    "LogisticRegressionCV",
    "MLPClassifier",
    "MultinomialNB",
    "NuSVC",
    "Perceptron",
    "RandomForestClassifier",
    "RidgeClassifier",
    "SGDClassifier",
    "SVC",
]
REGRESSORS = [
    "ARDRegression",
    "AdaBoostRegressor",
    "BaggingRegressor",
    "BayesianRidge",
    "DecisionTreeRegressor",
    "ElasticNet",
    "ExtraTreesRegressor",
    "GammaRegressor",
    "GaussianProcessRegressor",
    "GradientBoostingRegressor",
    "HistGradientBoostingRegressor",
    "HuberRegressor",
    "KNeighborsRegressor",
    "Lars",
    "Lasso",
    "LassoLars",
    "LinearRegression",
    "LinearSVR",
    "MLPRegressor",
    "NuSVR",
    "OrthogonalMatchingPursuit",
    "PLSRegression",
    "PoissonRegressor",
    "QuantileRegressor",
    "RandomForestRegressor",
    "Ridge",
    "SGDRegressor",
    "SVR",
    "TheilSenRegressor",
    "TweedieRegressor",
]
OTHERS = [
    "BayesianGaussianMixture",
    "GaussianMixture",
    "IncrementalPCA",
    "IsolationForest",
    "KMeans",
    "KNNImputer",
    "KernelPCA",
    "MaxAbsScaler",
    "MiniBatchKMeans",
    "MinMaxScaler",
    "Normalizer",
    "OneClassSVM",
    "PCA",
    "PolynomialFeatures",
    "PowerTransformer",
    "RobustScaler",
    "SelectKBest",
    "SimpleImputer",
    "StandardScaler",
    "TruncatedSVD",
    "VarianceThreshold",
]
COUNTS = {"ComplementNB", "MultinomialNB", "GammaRegressor", "PoissonRegressor", "TweedieRegressor"}


def estimator(name: str, kind: str) -> Case:
    """Return an estimator of scikit-learn by name, fitted, with its inputs."""
    cls = dict(all_estimators())[name]
    allowed = cls().get_params()
    wanted = {"random_state": 0, "n_estimators": 10, "max_iter": 200 if name != "MLPClassifier" else 50}
    model = cls(**{key: value for key, value in wanted.items() if key in allowed and allowed[key] != "deprecated"})
    inputs, target = {"binary": (XB, YB), "multiclass": (XM, YM), "number": (XR, YR), "none": (XB, YB)}[kind]
    if name in COUNTS:
        inputs = np.abs(inputs)
        target = np.abs(target) + 1 if kind == "number" else target
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(inputs, target), inputs[:100]


def _columns(last: Any) -> Pipeline:
    encoded = ("text", OneHotEncoder(handle_unknown="ignore"), ["city"])
    return make_pipeline(ColumnTransformer([encoded, ("numbers", StandardScaler(), ["age", "income"])]), last)


def _fitted(model: Any, inputs: Any, target: Any) -> Case:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(inputs, target), inputs[:100]


def _boosters() -> dict[str, Callable[[], Case]]:
    import lightgbm  # noqa: PLC0415
    import xgboost  # noqa: PLC0415

    def xgb(**options: Any) -> Any:
        return xgboost.XGBClassifier(n_estimators=10, **options)

    def lgb() -> Any:
        return lightgbm.LGBMClassifier(n_estimators=10, verbose=-1)

    return {
        "xgboost binary": lambda: _fitted(xgb(), XB, YB),
        "xgboost multiclass": lambda: _fitted(xgb(), XM, YM),
        "xgboost regression": lambda: _fitted(xgboost.XGBRegressor(n_estimators=10), XR, YR),
        "xgboost with missing values": lambda: _fitted(xgb(), XN, YB),
        "scaler and xgboost": lambda: _fitted(make_pipeline(StandardScaler(), xgb()), XB, YB),
        "lightgbm binary": lambda: _fitted(lgb(), XB, YB),
        "lightgbm multiclass": lambda: _fitted(lgb(), XM, YM),
        "lightgbm text labels": lambda: _fitted(lgb(), XB, np.array(["no", "yes"])[YB]),
        "lightgbm regression": lambda: _fitted(lightgbm.LGBMRegressor(n_estimators=10, verbose=-1), XR, YR),
        "lightgbm with missing values": lambda: _fitted(lgb(), XN, YB),
        "scaler and lightgbm": lambda: _fitted(make_pipeline(StandardScaler(), lgb()), XB, YB),
    }


PIPELINES: dict[str, Callable[[], Case]] = {
    **_boosters(),
    "scaler and forest": lambda: _fitted(
        make_pipeline(StandardScaler(), RandomForestClassifier(10, random_state=0)), XB, YB
    ),
    "scaler and tree": lambda: _fitted(make_pipeline(StandardScaler(), DecisionTreeRegressor(random_state=0)), XR, YR),
    "mixed columns, linear": lambda: _fitted(_columns(LogisticRegression()), MIXED, YB),
    "mixed columns, forest": lambda: _fitted(_columns(RandomForestClassifier(10, random_state=0)), MIXED, YB),
    "imputed columns": lambda: _fitted(
        make_pipeline(
            ColumnTransformer(
                [
                    ("text", OneHotEncoder(), ["city"]),
                    ("numbers", make_pipeline(SimpleImputer(), StandardScaler()), ["age", "income"]),
                ]
            ),
            LogisticRegression(),
        ),
        MIXED.assign(income=MIXED["income"].where(MIXED.index % 6 != 0)),
        YB,
    ),
    "ordinal column": lambda: _fitted(
        make_pipeline(
            ColumnTransformer(
                [("text", OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), ["city"])],
                remainder="passthrough",
            ),
            RandomForestClassifier(10, random_state=0),
        ),
        MIXED,
        YB,
    ),
    "text": lambda: (make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(TEXTS, [1, 0, 1, 0] * 20), TEXTS[:20]),
    "boolean labels": lambda: _fitted(LogisticRegression(), XB, YB.astype(bool)),
    "text labels": lambda: _fitted(LogisticRegression(), XB, np.array(["no", "yes"])[YB]),
    "two values": lambda: _fitted(Ridge(), XR, np.c_[YR, YR * 2]),
    "large numbers": lambda: _fitted(make_pipeline(StandardScaler(), LogisticRegression()), XB * 1e6 + 1.6e9, YB),
    "boosting with missing values": lambda: _fitted(HistGradientBoostingClassifier(max_iter=10), XN, YB),
    "clusters": lambda: (KMeans(3, random_state=0).fit(XB), XB[:50]),
    "clusters in batches": lambda: (MiniBatchKMeans(3, random_state=0).fit(XB), XB[:50]),
    "boosted numbers": lambda: _fitted(HistGradientBoostingRegressor(max_iter=10), XR, YR),
}


def _dart() -> Case:
    import xgboost  # noqa: PLC0415

    return _fitted(xgboost.XGBClassifier(n_estimators=10, booster="dart", rate_drop=0.3), XB, YB)


CATEGORICAL = np.c_[RANDOM.randint(0, 4, 200), XB[:, 1:]]

SILENTLY_WRONG: dict[str, Callable[[], Case]] = {
    "binary LDA": lambda: _fitted(LinearDiscriminantAnalysis(), XB, YB),
    "tuned threshold": lambda: _fitted(TunedThresholdClassifierCV(LogisticRegression()), XB, YB),
    "tree fitted with missing values": lambda: _fitted(DecisionTreeClassifier(random_state=0), XN, YB),
    "forest fitted with missing values": lambda: _fitted(RandomForestClassifier(10, random_state=0), XN, YB),
    "boosting with categories": lambda: _fitted(
        HistGradientBoostingClassifier(max_iter=10, categorical_features=[0]), CATEGORICAL, YB
    ),
    "xgboost dart": _dart,
}


def _suspect(model: Any, target: Any = YB) -> tuple[Any, Any, Any]:
    fitted, sample = _fitted(model, XB, target)
    return fitted, sample, XB[100:]


SUSPECTS: dict[str, Callable[[], tuple[Any, Any, Any]]] = {
    "KernelPCA": lambda: _suspect(KernelPCA(3)),
    "KernelPCA rbf": lambda: _suspect(KernelPCA(3, kernel="rbf")),
    "OneClassSVM": lambda: _suspect(OneClassSVM()),
    "QuantileTransformer": lambda: _suspect(QuantileTransformer(n_quantiles=40)),
    "QuantileTransformer normal": lambda: _suspect(QuantileTransformer(n_quantiles=40, output_distribution="normal")),
    "binary SVC": lambda: _suspect(SVC()),
    "binary SVC with probabilities": lambda: _suspect(SVC(probability=True, random_state=0)),
    "binary NuSVC": lambda: _suspect(NuSVC()),
    "binary NuSVC with probabilities": lambda: _suspect(NuSVC(probability=True, random_state=0)),
    "IsolationForest": lambda: _suspect(IsolationForest(n_estimators=20, random_state=0)),
    "LDA with shrinkage": lambda: _suspect(LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")),
}

"""Estimators of scikit-learn by skl2onnx, with the converter's default options.

Every estimator that scikit-learn lists is fitted with its own defaults on plain, unscaled data
and is an entry when skl2onnx has a converter for it; then those that need other estimators, and
the pipelines that people write.
"""

import functools

import numpy as np
import pandas
from entry import Entry, Family, Made, floats
from onnx import helper
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn import datasets
from sklearn.base import BaseEstimator
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    BaggingClassifier,
    RandomForestClassifier,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.feature_selection import RFE, SelectFromModel, SelectKBest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier, MultiOutputRegressor
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import (
    KBinsDiscretizer,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    StandardScaler,
)
from sklearn.svm import SVC, SVR, LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from sklearn.utils import all_estimators

CLASSIFIERS = Family("sklearn-classifiers")
REGRESSORS = Family("sklearn-regressors")
TRANSFORMERS = Family("sklearn-transformers")
PIPELINES = Family("sklearn-pipelines")

SETTINGS = {
    "MLPClassifier": {"max_iter": 60},
    "MLPRegressor": {"max_iter": 60},
    "GaussianRandomProjection": {"n_components": 4},
    "SparseRandomProjection": {"n_components": 4},
    "NMF": {"n_components": 3},
    "MiniBatchNMF": {"n_components": 3},
    "SelectKBest": {"k": 4},
    "KBinsDiscretizer": {"encode": "ordinal"},
    "SplineTransformer": {"sparse_output": False},
    "RadiusNeighborsClassifier": {"radius": 400.0},
    "RadiusNeighborsRegressor": {"radius": 120.0},
}
"""Of estimators that cannot be fitted on these data as they are."""
OPSET = 17
NEWER = {"KNNImputer": 18}
"""Of estimators whose converters write nothing for OPSET."""


@functools.cache
def wine() -> tuple[np.ndarray, np.ndarray]:
    """Three classes by 13 features as they were measured. Shapes: [178, 13], [178]."""
    found = datasets.load_wine()
    order = np.random.default_rng(0).permutation(len(found.target))
    return floats(found.data[order]), found.target[order]


@functools.cache
def cancer() -> tuple[np.ndarray, np.ndarray]:
    """Two classes by 30 features. Shapes: [569, 30], [569]."""
    found = datasets.load_breast_cancer()
    order = np.random.default_rng(0).permutation(len(found.target))
    return floats(found.data[order]), found.target[order]


@functools.cache
def diabetes() -> tuple[np.ndarray, np.ndarray]:
    """A number by 10 features. Shapes: [442, 10], [442]."""
    found = datasets.load_diabetes(scaled=False)
    order = np.random.default_rng(0).permutation(len(found.target))
    return floats(found.data[order]), floats(found.target[order])


def exported(
    estimator: BaseEstimator, x: np.ndarray, y: np.ndarray | None, opset: int = OPSET
) -> Made:
    """The fitted estimator by the converter's defaults."""
    estimator.fit(x) if y is None else estimator.fit(x, y)
    # Its converters for outliers still write version 3 of the classical operators.
    model = to_onnx(estimator, x[:1], target_opset={"": opset, "ai.onnx.ml": 3})
    return Made(model.SerializeToString(), {model.graph.input[0].name: x})


def _every(family: Family, kind: str, x: np.ndarray, y: np.ndarray | None) -> None:
    for name, made in all_estimators(type_filter=kind):
        settings = SETTINGS.get(name, {})
        try:
            estimator = made(**settings)
        except TypeError:  # it needs another estimator: see below
            continue
        opset = NEWER.get(name, OPSET)
        family.add(name, functools.partial(exported, estimator, x, y, opset))


def _several(x: np.ndarray) -> np.ndarray:
    """Two classes, or two numbers, for each row."""
    return np.stack([x[:, 0] > x[:, 0].mean(), x[:, 1] > x[:, 1].mean()], axis=1).astype(np.int64)


_every(CLASSIFIERS, "classifier", *wine())
_every(REGRESSORS, "regressor", *diabetes())
_every(TRANSFORMERS, "transformer", *wine())
_every(TRANSFORMERS, "cluster", wine()[0], None)
for name in ("IsolationForest", "OneClassSVM", "GaussianMixture", "BayesianGaussianMixture"):
    found = dict(all_estimators())[name]
    TRANSFORMERS.add(name, functools.partial(exported, found(), wine()[0], None))

for name in ("MultiTaskElasticNet", "MultiTaskLasso", "PLSCanonical", "CCA"):
    found = dict(all_estimators())[name]
    answers = floats(_several(diabetes()[0]))
    REGRESSORS.add(f"{name}-two", functools.partial(exported, found(), diabetes()[0], answers))

for name, estimator in {
    "LogisticRegression": LogisticRegression(max_iter=5000),
    "DecisionTree": DecisionTreeClassifier(),
    "RandomForest": RandomForestClassifier(),
    "SVC-probability": SVC(probability=True),
    "SVC-poly": SVC(kernel="poly"),
    "SVC-linear": SVC(kernel="linear"),
    "KNeighbors-distance": KNeighborsClassifier(weights="distance"),
    "MLP": MLPClassifier((32, 16), max_iter=60),
}.items():
    CLASSIFIERS.add(f"{name}-two-classes", functools.partial(exported, estimator, *cancer()))


def _pipe(name: str, estimator: BaseEstimator, data=wine) -> None:
    PIPELINES.add(name, functools.partial(exported, estimator, *data()))


_LOGISTIC = LogisticRegression(max_iter=2000)
_pipe("scaler-logistic", make_pipeline(StandardScaler(), _LOGISTIC))
_pipe("scaler-logistic-two-classes", make_pipeline(StandardScaler(), _LOGISTIC), cancer)
_pipe("scaler-pca-svc", make_pipeline(StandardScaler(), PCA(5), SVC()))
_pipe("scaler-svc-probability", make_pipeline(StandardScaler(), SVC(probability=True)), cancer)
_pipe("scaler-knn", make_pipeline(StandardScaler(), KNeighborsClassifier()))
_pipe("scaler-mlp", make_pipeline(StandardScaler(), MLPClassifier((32,), max_iter=200)))
_pipe("minmax-forest", make_pipeline(MinMaxScaler(), RandomForestClassifier(50)))
_pipe("imputer-forest", make_pipeline(SimpleImputer(), RandomForestClassifier(50)))
_pipe("imputer-scaler-logistic", make_pipeline(SimpleImputer(), StandardScaler(), _LOGISTIC))
_pipe("polynomial-ridge", make_pipeline(StandardScaler(), PolynomialFeatures(2), Ridge()), diabetes)
_pipe("bins-logistic", make_pipeline(KBinsDiscretizer(4, encode="onehot-dense"), _LOGISTIC))
_pipe("best-logistic", make_pipeline(StandardScaler(), SelectKBest(k=5), _LOGISTIC))
_pipe(
    "from-model",
    make_pipeline(SelectFromModel(RandomForestClassifier(20)), DecisionTreeClassifier()),
)
_pipe("elimination", RFE(DecisionTreeClassifier(), n_features_to_select=5))
_pipe("union", make_pipeline(FeatureUnion([("s", StandardScaler()), ("p", PCA(3))]), _LOGISTIC))
_pipe("bagging-logistic", make_pipeline(StandardScaler(), BaggingClassifier(LogisticRegression())))
_pipe(
    "voting-hard",
    VotingClassifier(
        [
            ("t", DecisionTreeClassifier()),
            ("f", RandomForestClassifier(10)),
            ("k", KNeighborsClassifier()),
        ],
        flatten_transform=False,
    ),
)
_pipe(
    "voting-soft",
    VotingClassifier(
        [("t", DecisionTreeClassifier()), ("f", RandomForestClassifier(10))],
        voting="soft",
        flatten_transform=False,
    ),
)
_pipe(
    "voting-regressor",
    VotingRegressor([("l", LinearRegression()), ("t", DecisionTreeRegressor())]),
    diabetes,
)
_pipe(
    "stacking",
    StackingClassifier(
        [("t", DecisionTreeClassifier()), ("f", RandomForestClassifier(10))],
        make_pipeline(StandardScaler(), _LOGISTIC),
    ),
)
_pipe(
    "stacking-regressor",
    StackingRegressor([("l", LinearRegression()), ("t", DecisionTreeRegressor())], Ridge()),
    diabetes,
)
_pipe(
    "one-against-rest", make_pipeline(StandardScaler(), OneVsRestClassifier(LogisticRegression()))
)
_pipe("one-against-one", make_pipeline(StandardScaler(), OneVsOneClassifier(LinearSVC())))
_pipe("calibrated", CalibratedClassifierCV(RandomForestClassifier(10)), cancer)
_pipe("calibrated-svc", make_pipeline(StandardScaler(), CalibratedClassifierCV(LinearSVC())))
_pipe("grid", GridSearchCV(DecisionTreeClassifier(), {"max_depth": [2, 4]}))
_pipe("scaler-svr", make_pipeline(StandardScaler(), SVR()), diabetes)
_pipe("target", TransformedTargetRegressor(LinearRegression()), diabetes)


PIPELINES.add(
    "several-classes",
    lambda: exported(
        MultiOutputClassifier(DecisionTreeClassifier()), wine()[0], _several(wine()[0])
    ),
)
PIPELINES.add(
    "several-numbers",
    lambda: exported(MultiOutputRegressor(Ridge()), diabetes()[0], floats(diabetes()[0][:, :2])),
)
PIPELINES.add(
    "chain",
    lambda: exported(ClassifierChain(DecisionTreeClassifier()), wine()[0], _several(wine()[0])),
)
PIPELINES.add(
    "text-classes",
    lambda: exported(
        make_pipeline(StandardScaler(), _LOGISTIC),
        wine()[0],
        np.array(["red", "white", "rosé"])[wine()[1]],
    ),
)
PIPELINES.add(
    "text-classes-forest",
    lambda: exported(
        RandomForestClassifier(20), wine()[0], np.array(["red", "white", "none"])[wine()[1]]
    ),
)


def _cards() -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Payments as a shop's fraud model sees them. Shapes: columns [400, 1], [400]."""
    draw = np.random.default_rng(3)
    columns = {
        "amount": floats(draw.gamma(2.0, 40.0, (400, 1))),
        "age_days": floats(draw.integers(0, 900, (400, 1))),
        "country": draw.choice(np.array(["DE", "FR", "US", "BR"]), (400, 1)),
        "device": draw.choice(np.array(["phone", "desktop", "tablet"]), (400, 1)),
    }
    risk = columns["amount"] / 80 - columns["age_days"] / 400 + (columns["country"] == "BR")
    return columns, (risk[:, 0] > np.median(risk)).astype(np.int64)


def _table(estimator: BaseEstimator, encoder: BaseEstimator) -> Made:
    columns, answer = _cards()
    frame = pandas.DataFrame({name: column[:, 0] for name, column in columns.items()})
    columns_of = ColumnTransformer(
        [
            ("numbers", StandardScaler(), ["amount", "age_days"]),
            ("words", encoder, ["country", "device"]),
        ]
    )
    pipeline = Pipeline([("columns", columns_of), ("model", estimator)]).fit(frame, answer)
    types = [
        (name, (StringTensorType if column.dtype.kind == "U" else FloatTensorType)([None, 1]))
        for name, column in columns.items()
    ]
    return Made(to_onnx(pipeline, initial_types=types).SerializeToString(), columns)


PIPELINES.add(
    "fraud-one-hot-logistic", lambda: _table(_LOGISTIC, OneHotEncoder(handle_unknown="ignore"))
)
PIPELINES.add(
    "fraud-one-hot-forest",
    lambda: _table(RandomForestClassifier(30), OneHotEncoder(handle_unknown="ignore")),
)
PIPELINES.add("fraud-ordinal-tree", lambda: _table(DecisionTreeClassifier(), OrdinalEncoder()))


def _mail(vectorizer: BaseEstimator) -> Made:
    draw = np.random.default_rng(5)
    good, bad = "meeting report lunch team plan budget", "winner free prize money click offer"
    texts = [
        " ".join(draw.choice((bad if spam else good).split(), 6))
        for spam in draw.integers(0, 2, 200)
    ]
    answer = np.array([int("free" in text or "prize" in text or "money" in text) for text in texts])
    pipeline = make_pipeline(vectorizer, _LOGISTIC).fit(texts, answer)
    model = to_onnx(pipeline, initial_types=[("text", StringTensorType([None, 1]))])
    for node in model.graph.node:
        if node.op_type == "StringNormalizer":
            # The default, en_US, is on few machines, and ONNX Runtime takes no other in its place.
            node.attribute.append(helper.make_attribute("locale", "C.UTF-8"))
    return Made(model.SerializeToString(), {"text": np.array(texts)[:, None]})


PIPELINES.add("mail-counts", lambda: _mail(CountVectorizer()))
PIPELINES.add("mail-tfidf", lambda: _mail(TfidfVectorizer()))

ENTRIES: list[Entry] = [*CLASSIFIERS, *REGRESSORS, *TRANSFORMERS, *PIPELINES]

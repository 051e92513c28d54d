"""Ensembles of boosted trees by the libraries' own exporters, in the objectives that have one."""

import functools
import tempfile
from pathlib import Path
from typing import Any

import catboost
import lightgbm
import numpy as np
import xgboost
from entry import Entry, Family, Made, floats
from of_sklearn import cancer, diabetes, wine
from onnxmltools import convert_lightgbm, convert_xgboost
from onnxmltools.convert.common.data_types import FloatTensorType

BOOSTING = Family("boosting")
TREES = 50


def _converted(convert: Any, model: Any, x: np.ndarray, y: np.ndarray) -> Made:
    model.fit(x, y)
    onnx = convert(model, initial_types=[("x", FloatTensorType([None, x.shape[1]]))])
    return Made(onnx.SerializeToString(), {"x": x})


def _own(model: Any, x: np.ndarray, y: np.ndarray) -> Made:
    """CatBoost writes ONNX itself."""
    model.fit(x, y, verbose=False)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        model.save_model(str(path), format="onnx")
        return Made(path.read_bytes(), {"features": x})


def _xgb(name: str, model: Any, data: tuple[np.ndarray, np.ndarray]) -> None:
    BOOSTING.add(f"xgboost-{name}", functools.partial(_converted, convert_xgboost, model, *data))


def _lgb(name: str, model: Any, data: tuple[np.ndarray, np.ndarray]) -> None:
    BOOSTING.add(f"lightgbm-{name}", functools.partial(_converted, convert_lightgbm, model, *data))


def _cat(name: str, model: Any, data: tuple[np.ndarray, np.ndarray]) -> None:
    BOOSTING.add(f"catboost-{name}", functools.partial(_own, model, *data))


_X, _TARGET = diabetes()
_POSITIVE = (_X, floats(np.abs(_TARGET) + 1))
_SHARE = (_X, floats(_TARGET / _TARGET.max()))
_MANY = datasets = (lambda rng: (floats(rng.normal(size=(3000, 20))), rng))(
    np.random.default_rng(2)
)
_LARGE = (_MANY[0], ((_MANY[0] @ _MANY[1].normal(size=20)) ** 2 > 20).astype(np.int64))

_xgb("two-classes", xgboost.XGBClassifier(n_estimators=TREES), cancer())
_xgb("classes", xgboost.XGBClassifier(n_estimators=TREES), wine())
_xgb("softmax", xgboost.XGBClassifier(n_estimators=20, objective="multi:softmax"), wine())
_xgb("defaults", xgboost.XGBClassifier(), cancer())
_xgb("500-trees", xgboost.XGBClassifier(n_estimators=500, max_depth=6), _LARGE)
_xgb("forest", xgboost.XGBRFClassifier(n_estimators=TREES), cancer())
_xgb("forest-regressor", xgboost.XGBRFRegressor(n_estimators=TREES), diabetes())
_xgb("dart", xgboost.XGBClassifier(n_estimators=20, booster="dart"), cancer())
for objective, target in {
    "reg:squarederror": diabetes(),
    "reg:absoluteerror": diabetes(),
    "reg:squaredlogerror": _POSITIVE,
    "reg:pseudohubererror": diabetes(),
    "reg:logistic": _SHARE,
    "count:poisson": _POSITIVE,
    "reg:gamma": _POSITIVE,
    "reg:tweedie": _POSITIVE,
}.items():
    regressor = xgboost.XGBRegressor(n_estimators=TREES, objective=objective)
    _xgb(objective.replace(":", "-"), regressor, target)

_lgb("two-classes", lightgbm.LGBMClassifier(n_estimators=TREES, verbose=-1), cancer())
_lgb("classes", lightgbm.LGBMClassifier(n_estimators=TREES, verbose=-1), wine())
_lgb("defaults", lightgbm.LGBMClassifier(verbose=-1), cancer())
_lgb("large", lightgbm.LGBMClassifier(n_estimators=300, verbose=-1), _LARGE)
_lgb("dart", lightgbm.LGBMClassifier(n_estimators=20, boosting_type="dart", verbose=-1), cancer())
_lgb(
    "forest",
    lightgbm.LGBMClassifier(
        n_estimators=TREES, boosting_type="rf", bagging_freq=1, bagging_fraction=0.6, verbose=-1
    ),
    cancer(),
)
for objective, target in {
    "regression": diabetes(),
    "regression_l1": diabetes(),
    "huber": diabetes(),
    "quantile": diabetes(),
    "poisson": _POSITIVE,
    "gamma": _POSITIVE,
    "tweedie": _POSITIVE,
    "cross_entropy": _SHARE,
}.items():
    regressor = lightgbm.LGBMRegressor(n_estimators=TREES, objective=objective, verbose=-1)
    _lgb(objective.replace("_", "-"), regressor, target)

_cat(
    "two-classes",
    catboost.CatBoostClassifier(allow_writing_files=False, iterations=TREES),
    cancer(),
)
_cat("classes", catboost.CatBoostClassifier(allow_writing_files=False, iterations=TREES), wine())
_cat("defaults", catboost.CatBoostClassifier(allow_writing_files=False), cancer())
_cat(
    "regressor", catboost.CatBoostRegressor(allow_writing_files=False, iterations=TREES), diabetes()
)
_cat(
    "depth-10",
    catboost.CatBoostRegressor(allow_writing_files=False, iterations=20, depth=10),
    diabetes(),
)
_cat(
    "poisson",
    catboost.CatBoostRegressor(
        allow_writing_files=False, iterations=TREES, loss_function="Poisson"
    ),
    _POSITIVE,
)

ENTRIES: list[Entry] = [*BOOSTING]

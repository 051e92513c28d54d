"""Model intake: cards, loading, preflight, quantisation and commitment of ONNX models.

from inferproof.models import from_sklearn      also from_xgboost, from_lightgbm,
                                                from_catboost, from_torch
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from inferproof.models.importing.base import Imported
    from inferproof.models.importing.boosting import from_catboost, from_lightgbm, from_xgboost
    from inferproof.models.importing.pytorch import from_torch
    from inferproof.models.importing.scikit import from_sklearn

__all__ = [
    "Imported",
    "from_catboost",
    "from_lightgbm",
    "from_sklearn",
    "from_torch",
    "from_xgboost",
]

_HOMES = {
    "Imported": "base",
    "from_catboost": "boosting",
    "from_lightgbm": "boosting",
    "from_sklearn": "scikit",
    "from_torch": "pytorch",
    "from_xgboost": "boosting",
}


def __getattr__(name: str) -> Any:
    # Every module here is reached through this one: it must not import what few of them need.
    if name not in _HOMES:
        raise AttributeError(name)
    home = importlib.import_module(f"inferproof.models.importing.{_HOMES[name]}")
    return getattr(home, name)

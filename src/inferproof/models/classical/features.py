"""What is done to features before a model, and to a model's scores after it."""

import numpy as np
from onnx import NodeProto, TensorProto

from inferproof.models.classical.expansion import Attributes, expands, floats, ints, text
from inferproof.models.expansion import Expansion
from inferproof.models.show import shown

_NORMS = {"L1": 1, "L2": 2}


@expands("Scaler")
def _scaler(made: Expansion, node: NodeProto, given: Attributes) -> None:
    offset, scale = (floats(made, given, name) for name in ("offset", "scale"))
    if not offset.size or not scale.size:
        raise made.invalid("it needs offset and scale")
    moved = made.node("Sub", [made.floats(node.input[0]), made.constant(offset)])
    made.node("Mul", [moved, made.constant(scale)], node.output[0])


@expands("Normalizer")
def _normalizer(made: Expansion, node: NodeProto, given: Attributes) -> None:
    norm = text(made, given, "norm", "MAX")
    x = made.floats(node.input[0])
    if norm == "MAX":
        # Of the numbers, not of their sizes: as ONNX Runtime has it.
        made.node("Div", [x, made.reduced("ReduceMax", x, 1)], node.output[0])
        return
    if norm not in _NORMS:
        raise made.invalid(f"there is no norm {shown(norm)}")
    made.node("LpNormalization", [x], node.output[0], axis=-1, p=_NORMS[norm])


@expands("Binarizer")
def _binarizer(made: Expansion, node: NodeProto, given: Attributes) -> None:
    threshold = given.get("threshold", 0.0)
    if not isinstance(threshold, float):
        raise made.invalid("its threshold is no number")
    above = made.node("Greater", [made.floats(node.input[0]), made.constant(threshold)])
    made.node("Cast", [above], node.output[0], to=TensorProto.FLOAT)


@expands("Imputer")
def _imputer(made: Expansion, node: NodeProto, given: Attributes) -> None:
    """What a missing value is, `finished` of an attribute lets pass here alone: NaN or infinite."""
    whole = bool(given.get("imputed_value_int64s"))
    kind = "int64" if whole else "float"
    values = (ints if whole else floats)(made, given, f"imputed_value_{kind}s")
    missing = given.get(f"replaced_value_{kind}", 0)
    if not values.size or not isinstance(missing, int | float) or not np.isfinite(values).all():
        raise made.invalid("it needs finite imputed values and one replaced value")
    dtype = "<i8" if whole else "<f4"
    x = node.input[0] if whole else made.floats(node.input[0])
    if np.isnan(missing):
        found = made.node("IsNaN", [x])
    elif np.isinf(missing):
        found = made.node(
            "IsInf", [x], None, detect_positive=int(missing > 0), detect_negative=int(missing < 0)
        )
    else:
        found = made.node("Equal", [x, made.constant(missing, dtype)])
    made.node("Where", [found, made.constant(values, dtype), x], node.output[0])


@expands("ArrayFeatureExtractor")
def _array_feature_extractor(made: Expansion, node: NodeProto, _: Attributes) -> None:
    if len(node.input) != 2:
        raise made.invalid("it needs a tensor and indices")
    places = made.node("Reshape", [node.input[1], made.constant([-1], "<i8")])
    made.node("Gather", [node.input[0], places], node.output[0], axis=-1)


@expands("FeatureVectorizer")
def _feature_vectorizer(made: Expansion, node: NodeProto, _: Attributes) -> None:
    made.node("Concat", [made.floats(name) for name in node.input], node.output[0], axis=1)


@expands("ZipMap")
def _zip_map(made: Expansion, node: NodeProto, _: Attributes) -> None:
    made.node("Identity", [node.input[0]], node.output[0])

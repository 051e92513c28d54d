"""What is done to features before a model, and to a model's scores after it."""

from onnx import NodeProto, TensorProto

from inferproof.models.classical.expansion import Attributes, expands, floats, text
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
    if norm not in _NORMS:
        raise made.refused(f"its norm {shown(norm)} is not one of {', '.join(_NORMS)}")
    x = made.floats(node.input[0])
    made.node("LpNormalization", [x], node.output[0], axis=-1, p=_NORMS[norm])


@expands("Binarizer")
def _binarizer(made: Expansion, node: NodeProto, given: Attributes) -> None:
    threshold = given.get("threshold", 0.0)
    if not isinstance(threshold, float):
        raise made.invalid("its threshold is no number")
    above = made.node("Greater", [made.floats(node.input[0]), made.constant(threshold)])
    made.node("Cast", [above], node.output[0], to=TensorProto.FLOAT)


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

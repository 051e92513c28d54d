"""Which ONNX operators a model may use: those whose work and shapes are known beforehand.

An operator that is not on the list is refused, so that a new ONNX release cannot bring in
one that nobody looked at.
"""

from onnx import NodeProto, defs

from inferproof.errors import ModelRejected, Reason
from inferproof.models.classical import EXPANDED
from inferproof.models.contrib import way_out
from inferproof.models.definitions import DEFINED
from inferproof.models.naming import located
from inferproof.models.sequences import SEQUENCES
from inferproof.models.show import shown

_ACCEPTED_NAMES = (
    "Abs Acos Acosh Add And ArgMax ArgMin Asin Asinh Atan Atanh AveragePool "
    "BatchNormalization BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor BlackmanWindow "
    "Cast CastLike Ceil Celu Clip Col2Im Concat Constant ConstantOfShape Conv ConvInteger "
    "ConvTranspose Cos Cosh CumSum DFT DepthToSpace DequantizeLinear Det Div Dropout "
    "DynamicQuantizeLinear Einsum Elu Equal Erf Exp Expand EyeLike Flatten Floor GRU Gather "
    "GatherElements GatherND Gelu Gemm GlobalAveragePool GlobalLpPool GlobalMaxPool Greater "
    "GreaterOrEqual GridSample GroupNormalization HammingWindow HannWindow HardSigmoid "
    "HardSwish Hardmax Identity InstanceNormalization IsInf IsNaN LRN LSTM LayerNormalization "
    "LeakyRelu Less LessOrEqual Log LogSoftmax LpNormalization LpPool MatMul MatMulInteger "
    "Max MaxPool MaxUnpool Mean MeanVarianceNormalization MelWeightMatrix Min Mish Mod Mul "
    "Neg Not OneHot Or PRelu Pad Pow QLinearConv QLinearMatMul QuantizeLinear "
    "RMSNormalization RNN Range Reciprocal ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp "
    "ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare Relu Reshape Resize "
    "ReverseSequence Round STFT Scatter ScatterElements ScatterND Selu Shape Shrink Sigmoid "
    "Sign Sin Sinh Size Slice Softmax Softplus Softsign SpaceToDepth Split Sqrt Squeeze Sub "
    "Sum Swish Tan Tanh TensorScatter ThresholdedRelu Tile TopK Transpose Trilu Unsqueeze "
    "Upsample Where Xor "
)
ACCEPTED = frozenset(_ACCEPTED_NAMES.split())

ML_DOMAIN = "ai.onnx.ml"
TREES = frozenset({"TreeEnsembleClassifier", "TreeEnsembleRegressor"})
"""Accepted of the domain of classical machine learning: ensembles of decision trees."""
ML_OPSET = 3
"""Their last form under these names; those of versions 1 and 2 mean the same in it."""

_RANDOM = "its result is random", "export the model for inference, or make the numbers an input"
_SIZE = (
    "the size of its result would depend on the input",
    "do this step outside of the model, or keep the size and mask with Where",
)
_TEXT = "it works on text or files", "do this step outside of the model"
_OPTIONAL = (
    "it makes or takes optional values",
    "export the model with the value there, or without it",
)
_TRAINING = "it is for training", "export the model for inference"
_REGIONS = (
    "which elements it reads would depend on the input",
    "cut the regions outside of the model and prove the part behind them",
)
BODIES = {"If": ("then_branch", "else_branch"), "Loop": ("body",), "Scan": ("body",)}
"""Operators of control flow, which `unroll` writes out, and where each keeps its graphs."""

_WHY_REFUSED: dict[tuple[str, str], str] = {
    ("it works on sequences", "export it as a Loop or Scan over a tensor"): "SequenceMap",
    _RANDOM: (
        "Bernoulli Multinomial RandomNormal RandomNormalLike RandomUniform RandomUniformLike"
    ),
    _SIZE: "Compress NonZero Unique",
    (
        "the size of its result would depend on the input",
        "end the model in the boxes and their scores, and suppress outside of it",
    ): "NonMaxSuppression",
    _TEXT: "ImageDecoder RegexFullMatch StringConcat StringNormalizer StringSplit TfIdfVectorizer",
    _OPTIONAL: ("Optional OptionalGetElement OptionalHasElement"),
    _TRAINING: "NegativeLogLikelihoodLoss SoftmaxCrossEntropyLoss",
    _REGIONS: "DeformConv MaxRoiPool RoiAlign",
    (
        "the grid would depend on the input",
        "compute it outside of the model, and give it to GridSample as a constant",
    ): "AffineGrid",
    (
        "it reads the bits of one element type as another's",
        "use Cast, or hold the numbers in the type that is read",
    ): "BitCast",
    (
        "its range grows with each factor",
        "add up logarithms with CumSum and take Exp",
    ): "CumProd",
}
REFUSED = {name: why for why, names in _WHY_REFUSED.items() for name in names.split()}
"""Operators that no model may hold: why, and the nearest way out."""

SELECTING = frozenset({"Compress", "NonZero"})
"""Those of them that are taken where what they select by is a constant."""

_MAPS = "its operand is a map, not a tensor", "give the model the features as a tensor"
_LATER = "it has no form here yet", "fit the model on features that are transformed before"
REFUSED_ML: dict[str, tuple[str, str]] = {
    "CastMap": _MAPS,
    "DictVectorizer": _MAPS,
    **dict.fromkeys(
        ("CategoryMapper", "Imputer", "LabelEncoder", "OneHotEncoder", "SVMClassifier"), _LATER
    ),
    "TreeEnsemble": (
        "it has no form here yet",
        "export the ensemble as TreeEnsembleRegressor or TreeEnsembleClassifier (ai.onnx.ml 3)",
    ),
}
"""The same of the domain of classical machine learning, where nothing else takes them."""
_NOT_LISTED = (
    "it is not on the list of operators with fixed shapes and bounded work",
    "write it with operators of docs/reference/operators.md",
)


def operator_schema(node: NodeProto, opset: int) -> defs.OpSchema:
    """The schema of an accepted node's operator at the opset.

    Raises: ModelRejected with MODEL_UNKNOWN_DOMAIN, MODEL_UNKNOWN_OPERATOR or
    MODEL_OPERATOR_REFUSED.
    """
    op, domain = node.op_type, node.domain
    if domain == ML_DOMAIN and op in TREES | EXPANDED:
        return defs.get_schema(op, ML_OPSET, ML_DOMAIN)
    if domain == ML_DOMAIN and op in REFUSED_ML:
        raise _refused(node, *REFUSED_ML[op])
    if domain not in ("", "ai.onnx"):
        raise ModelRejected(
            Reason.MODEL_UNKNOWN_DOMAIN, op=shown(op), domain=shown(domain), instead=way_out(domain)
        )
    try:
        schema = defs.get_schema(op, opset, "")
    except defs.SchemaError:
        raise ModelRejected(Reason.MODEL_UNKNOWN_OPERATOR, op=shown(op), opset=opset) from None
    if op not in ACCEPTED | DEFINED | SELECTING | SEQUENCES | BODIES.keys():
        raise _refused(node, *REFUSED.get(op, _NOT_LISTED))
    if schema.deprecated:
        raise ModelRejected(Reason.MODEL_UNKNOWN_OPERATOR, op=shown(op), opset=opset)
    return schema


def refused(node: NodeProto) -> ModelRejected:
    """The rejection of a node of an operator in REFUSED."""
    return _refused(node, *REFUSED[node.op_type])


def _refused(node: NodeProto, why: str, instead: str) -> ModelRejected:
    return ModelRejected(Reason.MODEL_OPERATOR_REFUSED, op=located(node), why=f"{why}; {instead}")

"""Which ONNX operators a model may use: those whose work and shapes are known beforehand.

An operator that is not on the list is refused, so that a new ONNX release cannot bring in
one that nobody looked at.
"""

from onnx import defs

from inferproof.errors import ModelRejected, Reason
from inferproof.models.classical import EXPANDED
from inferproof.models.contrib import way_out
from inferproof.models.show import shown

_ACCEPTED_NAMES = (
    "Abs Acos Acosh Add And ArgMax ArgMin Asin Asinh Atan Atanh AveragePool "
    "BatchNormalization BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor Cast CastLike "
    "Ceil Celu Clip Concat Constant ConstantOfShape Conv ConvInteger ConvTranspose Cos Cosh "
    "CumSum DepthToSpace DequantizeLinear Div Dropout DynamicQuantizeLinear Einsum Elu Equal "
    "Erf Exp Expand EyeLike Flatten Floor GRU Gather GatherElements GatherND Gelu Gemm "
    "GlobalAveragePool GlobalLpPool GlobalMaxPool Greater GreaterOrEqual GridSample "
    "GroupNormalization HardSigmoid HardSwish Hardmax Identity InstanceNormalization IsInf "
    "IsNaN LRN LSTM LayerNormalization LeakyRelu Less LessOrEqual Log LogSoftmax "
    "LpNormalization LpPool MatMul MatMulInteger Max MaxPool Mean MeanVarianceNormalization "
    "Min Mish Mod Mul Neg Not OneHot Or PRelu Pad Pow QLinearConv QLinearMatMul "
    "QuantizeLinear RMSNormalization RNN Range Reciprocal ReduceL1 ReduceL2 ReduceLogSum "
    "ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare Relu "
    "Reshape Resize ReverseSequence Round Scatter ScatterElements ScatterND Selu Shape Shrink "
    "Sigmoid Sign Sin Sinh Size Slice Softmax Softplus Softsign SpaceToDepth Split Sqrt "
    "Squeeze Sub Sum Swish Tan Tanh ThresholdedRelu Tile TopK Transpose Trilu Unsqueeze "
    "Upsample Where Xor "
)
ACCEPTED = frozenset(_ACCEPTED_NAMES.split())

ML_DOMAIN = "ai.onnx.ml"
TREES = frozenset({"TreeEnsembleClassifier", "TreeEnsembleRegressor"})
"""Accepted of the domain of classical machine learning: ensembles of decision trees."""
_SINCE = {"TreeEnsemble": 5}
ML_OPSET = 3
"""Their last form under these names; those of versions 1 and 2 mean the same in it."""

BODIES = {"If": ("then_branch", "else_branch"), "Loop": ("body",), "Scan": ("body",)}
"""Operators of control flow, which `unroll` writes out, and where each keeps its graphs."""

_WHY_REFUSED = {
    "it works on sequences; export it as a Loop or Scan over a tensor": "SequenceMap",
    "its result is random": (
        "Bernoulli Multinomial RandomNormal RandomNormalLike RandomUniform RandomUniformLike"
    ),
    "the size of its result would depend on the input": (
        "Compress NonMaxSuppression NonZero Unique"
    ),
    "it works on text or files": (
        "ImageDecoder RegexFullMatch StringConcat StringNormalizer StringSplit TfIdfVectorizer"
    ),
    "it makes or takes sequences or optional values": (
        "ConcatFromSequence Optional OptionalGetElement OptionalHasElement SequenceAt "
        "SequenceConstruct SequenceEmpty SequenceErase SequenceInsert SequenceLength "
        "SplitToSequence"
    ),
    "it is for training": "NegativeLogLikelihoodLoss SoftmaxCrossEntropyLoss",
}
REFUSED = {name: why for why, names in _WHY_REFUSED.items() for name in names.split()}
_NOT_LISTED = "it is not on the list of operators with fixed shapes and bounded work"


def operator_schema(op: str, domain: str, opset: int) -> defs.OpSchema:
    """The schema of an accepted operator at the opset.

    Raises: ModelRejected with MODEL_UNKNOWN_DOMAIN, MODEL_UNKNOWN_OPERATOR or
    MODEL_OPERATOR_REFUSED.
    """
    if domain == ML_DOMAIN and op in TREES | EXPANDED:
        return defs.get_schema(op, max(ML_OPSET, _SINCE.get(op, 0)), ML_DOMAIN)
    if domain not in ("", "ai.onnx"):
        raise ModelRejected(
            Reason.MODEL_UNKNOWN_DOMAIN, op=shown(op), domain=shown(domain), instead=way_out(domain)
        )
    try:
        schema = defs.get_schema(op, opset, "")
    except defs.SchemaError:
        raise ModelRejected(Reason.MODEL_UNKNOWN_OPERATOR, op=shown(op), opset=opset) from None
    if op not in ACCEPTED and op not in BODIES:
        raise ModelRejected(
            Reason.MODEL_OPERATOR_REFUSED, op=shown(op), why=REFUSED.get(op, _NOT_LISTED)
        )
    if schema.deprecated:
        raise ModelRejected(Reason.MODEL_UNKNOWN_OPERATOR, op=shown(op), opset=opset)
    return schema

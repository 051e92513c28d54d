"""Which ONNX operators ezkl 23.0.5 turns into a circuit that computes what ONNX says.

Found by probing each operator alone against ONNX Runtime, not by reading ezkl's list. Left out
because the probe failed: Gelu, Mish, GroupNormalization, LRN, Tile, LpNormalization and
ConstantOfShape are refused; ReduceProd cannot be read back; ReduceLogSumExp leaves its table;
ScatterElements and ScatterND panic; Trilu gives a wrong answer.

Some are taken only in part (Pow with a constant exponent, Conv without dilation); a graph that
goes beyond is refused when it is compiled.
"""

_NAMES = (
    "Abs Acos Acosh Add And ArgMax ArgMin Asin Asinh Atan Atanh AveragePool BatchNormalization "
    "Cast Ceil Celu Clip Concat Constant Conv ConvTranspose Cos Cosh CumSum DepthToSpace Div "
    "Dropout Einsum Elu Equal Erf Exp Expand Flatten Floor GRU Gather GatherElements GatherND "
    "Gemm GlobalAveragePool GlobalMaxPool Greater GreaterOrEqual HardSigmoid HardSwish Hardmax "
    "Identity InstanceNormalization LSTM LayerNormalization LeakyRelu Less LessOrEqual Log "
    "LogSoftmax MatMul Max MaxPool Mean Min Mul Neg Not OneHot Or PRelu Pad Pow Reciprocal "
    "ReduceL1 ReduceL2 ReduceLogSum ReduceMax ReduceMean ReduceMin ReduceSum ReduceSumSquare "
    "Relu Reshape Resize Round Selu Shape Shrink Sigmoid Sign Sin Sinh Size Slice Softmax "
    "Softplus Softsign SpaceToDepth Split Sqrt Squeeze Sub Sum Tan Tanh ThresholdedRelu TopK "
    "Transpose Unsqueeze Where Xor"
)
SUPPORTED = frozenset(_NAMES.split())

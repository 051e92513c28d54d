"""What each ONNX operator becomes in the integer graph, in words: the source of the tables.

A test holds this to the registry: every operator that is lowered is described, and no other.
"""

_FORMS: tuple[tuple[str, str, str], ...] = (
    ("Gemm", "Linear, Rescale; MatMul where both operands are computed", ""),
    (
        "MatMul",
        "Linear, Rescale with a constant operand (its columns are committed rows); else MatMul",
        "at most 256 constant matrices in a batch",
    ),
    ("Conv", "Conv, Rescale", "1 to 3 spatial dimensions, constant kernel"),
    (
        "ConvTranspose",
        "Pad and View spread the operand with zeros, then Conv with the turned kernel",
        "1 to 3 spatial dimensions, constant kernel",
    ),
    (
        "BatchNormalization",
        "folded into the contraction before it, else Rescale per channel and Add",
        "inference only, constant parameters",
    ),
    (
        "InstanceNormalization GroupNormalization LayerNormalization MeanVarianceNormalization",
        "Sum, Add, Mul, Sum, SquareRoot, Divide; then Rescale per channel and Add",
        "one output; scale and bias of instances and groups constant",
    ),
    ("RMSNormalization", "Mul, Sum, SquareRoot, Divide", ""),
    ("LpNormalization", "as RMSNormalization; with p = 1 Max, Sum, Divide", ""),
    ("MaxPool", "Pad, View of windows, Max; ArgMax and Lookup for the indices", ""),
    ("AveragePool", "Pad, View of windows, Sum; Divide where windows differ in size", ""),
    ("GlobalAveragePool", "Sum", ""),
    ("GlobalMaxPool", "Max", ""),
    ("LpPool GlobalLpPool", "Max or Mul, then as AveragePool; SquareRoot", "p = 1 or 2"),
    ("LRN", "Mul, View of windows, Sum, Lookup, Mul", ""),
    (
        "MaxUnpool",
        "Add, Rescale (comparison of each index with each place), MatMul",
        "places times elements of a channel at most 2^24",
    ),
    (
        "Identity Dropout Flatten Reshape Squeeze Unsqueeze",
        "nothing, or a View",
        "Dropout for inference: its mask is true",
    ),
    (
        "Constant ConstantOfShape Range Shape Size BlackmanWindow HammingWindow HannWindow "
        "MelWeightMatrix",
        "a constant",
        "constant operands",
    ),
    ("IsNaN IsInf", "a constant: no whole number is either", ""),
    (
        "QuantizeLinear",
        "Rescale, that of the contraction before it where there is one",
        "one constant scale and zero point",
    ),
    ("DequantizeLinear", "another scale, Add of the zero point", "one constant scale"),
    (
        "Cast",
        "nothing; to truth values Rescale; to whole numbers a Lookup, or of an input a Sum of "
        "comparisons, exactly",
        "",
    ),
    ("CastLike", "nothing; to truth values Rescale; to whole numbers a Lookup", ""),
    ("Transpose Expand Split", "View", ""),
    (
        "Slice Tile DepthToSpace SpaceToDepth ReverseSequence",
        "View where addresses are regular, else Take",
        "constant layout",
    ),
    ("Trilu EyeLike", "Take with zeros; a constant", "constant diagonal"),
    ("Concat", "Add to one scale, Concat", ""),
    ("Pad", "Pad; Take in modes edge, reflect and wrap", "constant padding"),
    (
        "Resize Upsample",
        "View or Take; linear and cubic: along each axis Take, Rescale and Add of up to 4 "
        "elements, or Linear of more",
        "constant sizes",
    ),
    (
        "Gather",
        "constant indices: View or Take; computed indices of a constant table: a one-hot tensor "
        "times committed rows; of a computed one: Pick",
        "",
    ),
    ("GatherElements", "constant indices: View or Take; else Add of addresses, Pick", ""),
    ("GatherND", "constant indices: View or Take; else Add of addresses, Pick", ""),
    (
        "Scatter ScatterElements ScatterND",
        "constant indices: Concat, Take, and Sum, Max or Mul of what meets in one place; computed "
        "ones: Add, Rescale (comparison with each place), MatMul, Mul, Add",
        "computed indices replace or add; at most 64 factors in one place",
    ),
    ("TensorScatter", "Concat, Take", "constant indices"),
    ("DFT STFT", "View of frames, Linear with the committed matrix of sines", "constant lengths"),
    ("GridSample", "Take, Mul with the weights, Add", "constant grid"),
    ("Col2Im", "Take, Sum", "constant shapes"),
    (
        "TopK",
        "k times Max, ArgMax and OneHot; or Add and Rescale (comparison of each two), Sum, and "
        "Mul of the one before which there are as many",
        "",
    ),
    ("OneHot", "Add, Rescale (comparison with each number), Add", "constant depth and values"),
    ("Relu Clip", "Rescale with a clamp, joined with the one before it; computed ends as Max", ""),
    (
        "Acos Acosh Asin Asinh Atan Atanh Celu Cos Cosh Elu Erf Exp Gelu HardSigmoid "
        "HardSwish LeakyRelu Log Mish Reciprocal Selu Shrink Sigmoid Sin Sinh Softplus "
        "Softsign Swish Tan Tanh ThresholdedRelu",
        "Lookup; a chain of functions of one value is one Lookup",
        "at most 2^16 entries",
    ),
    ("Ceil Floor", "Lookup; of an input a Sum of comparisons, exactly", "at most 2^16 entries"),
    (
        "Round",
        "Rescale; a Lookup behind another function; of an input a Sum of comparisons, exactly",
        "",
    ),
    ("PRelu", "a Lookup for one slope, else two clamps, Rescale per channel and Add", ""),
    ("Abs", "Concat with the negative, Max", ""),
    ("Neg", "Add", ""),
    ("Sign", "Rescale with a clamp to -1 and 1", ""),
    ("Sqrt", "SquareRoot", ""),
    ("Add Sub Sum Mean", "Add; the mean changes the scale", ""),
    (
        "Mul",
        "by one number: another scale; by a row: Rescale; else Mul; functions of one value: Lookup",
        "",
    ),
    (
        "Div",
        "by a constant as Mul; else Divide; of whole numbers Divide less a half, exactly",
        "the divisor keeps its sign on the calibration data",
    ),
    ("Mod", "Divide as whole numbers, Mul, Add", "as Div"),
    ("BitwiseNot", "Add", ""),
    (
        "BitwiseAnd BitwiseOr BitwiseXor BitShift",
        "Add, Lookup of each pair of operands",
        "at most 2^16 pairs of values",
    ),
    (
        "Pow",
        "a square: Mul; a root: SquareRoot; else Lookup; with a computed exponent Lookup of log, "
        "Mul, Lookup of exp",
        "at most 16 constant exponents; a base above 0 for computed ones",
    ),
    ("Max Min", "Rescale with a clamp for one number, else Concat, Max", ""),
    (
        "Greater Less GreaterOrEqual LessOrEqual Equal",
        "of an input and a constant as trees compare: Take, Add, Rescale, exactly; else Add of the "
        "difference, Rescale",
        "",
    ),
    ("And", "Mul", ""),
    ("Or", "Add, Rescale", ""),
    ("Xor Not", "Add", ""),
    ("Where", "Add, Mul, Add", ""),
    ("ReduceSum ReduceMean CumSum", "View, Sum", "constant axes"),
    ("ReduceMax ReduceMin", "View, Max", "constant axes"),
    ("ReduceL1 ReduceSumSquare ReduceL2", "Max or Mul, Sum; SquareRoot", "constant axes"),
    ("ReduceLogSum", "Sum, Lookup", "constant axes"),
    ("ReduceProd", "Mul, one after another", "at most 8 factors"),
    (
        "ReduceLogSumExp LogSoftmax",
        "Max, Add, Lookup of exp, Sum, Lookup of log, Add",
        "constant axes",
    ),
    (
        "Softmax",
        "Max, Add, Lookup of exp, Sum, Divide; of 2^12 elements and more a Divide a line, then Mul",
        "at most 2^18 elements",
    ),
    ("ArgMax ArgMin", "ArgMax", ""),
    ("Hardmax", "ArgMax, then as OneHot", ""),
    (
        "RNN GRU LSTM",
        "unrolled: for each step Linear, Add, Lookup of the activations, Mul; the recurrent "
        "weights stand in the weights file once for each step",
        "default activations, no clip, no peepholes, full sequences, layout 0",
    ),
    (
        "TreeEnsembleClassifier TreeEnsembleRegressor",
        "Take of features, Add and Rescale (every comparison once), then for each level Take, Mul, "
        "Add, Concat; Linear of committed leaf values",
        "domain ai.onnx.ml; labels are whole numbers; at most 256 levels; MIN and MAX where every "
        "leaf has every target; missing values are not taken as inputs",
    ),
    ("Einsum", "View of diagonals, Sum, then as MatMul, two operands at a time", ""),
)

FORMS: dict[str, tuple[str, str]] = {
    operator: (form, limits) for names, form, limits in _FORMS for operator in names.split()
}
"""For each operator what it becomes, and what of it is not supported or required."""

UNPROVEN: dict[str, str] = {
    "Det": "write out the products of a small matrix with Mul and Add",
}
"""Operators that a model may hold and that have no form, with the nearest way out."""

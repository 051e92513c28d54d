"""The integer graph: what is proven, as frozen values with one encoding.

A graph maps integer tensors to integer tensors. Tensor ids count the inputs first, then one
tensor per node in order. Every tensor holds integers v with lo <= v <= hi and |v| < 2^29.
Weight matrices are int8 and committed, and so are parameters: a graph names the sizes of both and
the ranges of parameters, never their values. What each operation computes is fixed in
specs/quantisation.md.

Encoding, little-endian, one form for one graph:

    graph   = "INFGRAPH" u32 version
              u32 n { dims i32 lo i32 hi }                 inputs
              u32 n { u32 rows u32 cols }                  weight matrices
              u32 n { dims i32... }                        constants, row-major
              u32 n { u8 op i32 lo i32 hi dims list attributes }   nodes; the list holds operands
              list                                         output tensor ids
    dims    = u8 rank, u32 each;   list = u32 count, items

Attributes stand in the order of the fields of the operation's class. The version is 2 where a node
is a Parameter, else 1.
"""

from dataclasses import dataclass, field, fields

import numpy as np
import numpy.typing as npt

VERSION = 1
VERSION_WITH_PARAMETERS = 2
MAGIC = b"INFGRAPH"
NONE = 0xFFFFFFFF
"""Stands for an absent constant."""

VALUE_LIMIT = 2**29
"""Every value v of every tensor has |v| < this."""
MAX_BYTES = 2**28
MAX_RANK = 8
MAX_ELEMENTS = 2**24
"""Of one tensor, one constant, one weight matrix."""
MAX_NODES = 2**16
MAX_OUTPUTS = 64
MAX_OPERANDS = 2**12
MAX_SHIFT = 40

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Linear:
    """y[..., n] = sum over k of W[n, k] * x[..., k] + b[n]. `bias` is a constant or NONE."""

    weight: int
    bias: int = NONE


@dataclass(frozen=True, slots=True)
class Conv:
    """Cross-correlation of x[B, C, s...] over 1 or 2 spatial dimensions; padding reads 0.

    Rows of the weight matrix are output channels, columns (channel in group, kernel...).
    """

    weight: int
    bias: int
    groups: int
    kernel: Shape
    stride: Shape
    dilation: Shape
    pad_begin: Shape
    pad_end: Shape


@dataclass(frozen=True, slots=True)
class MatMul:
    """a[..., M, K] times b[..., K, N] with equal leading dimensions."""


@dataclass(frozen=True, slots=True)
class Add:
    """The sum of coefficient times operand, plus a constant of that shape or of one element."""

    coefficients: tuple[int, ...]
    constant: int = NONE


@dataclass(frozen=True, slots=True)
class Mul:
    """a times b, element by element."""


@dataclass(frozen=True, slots=True)
class Rescale:
    """clamp(floor((m*x + half) / 2^shift), lo, hi) with half = 2^(shift-1), or 0 for shift 0.

    `multipliers` has one element (then axis is 0), or as many as x along `axis`.
    """

    multipliers: int
    axis: int
    shift: int


@dataclass(frozen=True, slots=True)
class Lookup:
    """table[x - first]."""

    table: int
    first: int


@dataclass(frozen=True, slots=True)
class View:
    """y[i...] = x.flat[offset + sum of i_j * strides_j]."""

    offset: int
    strides: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Pad:
    """x with `begin` and `end` elements of value `fill` around it, per dimension."""

    begin: Shape
    end: Shape
    fill: int


@dataclass(frozen=True, slots=True)
class Concat:
    """The operands one after another along an axis."""

    axis: int


@dataclass(frozen=True, slots=True)
class Take:
    """y = x.flat[map], where the entry -1 gives 0. `map` is a constant; y has its shape."""

    map: int


@dataclass(frozen=True, slots=True)
class Pick:
    """y[I..., rest...] = x[index[I...], rest...] for x[V, rest...] and a second operand index."""


@dataclass(frozen=True, slots=True)
class Sum:
    """The sum over the last `axes` dimensions."""

    axes: int


@dataclass(frozen=True, slots=True)
class Max:
    """The maximum over the last `axes` dimensions."""

    axes: int


@dataclass(frozen=True, slots=True)
class ArgMax:
    """The index of the maximum over the last dimension; of equals the first, or with last=1 the
    last."""

    last: int = 0


@dataclass(frozen=True, slots=True)
class Divide:
    """floor((2*k*a + b) / (2*b)) for b > 0."""

    k: int


@dataclass(frozen=True, slots=True)
class SquareRoot:
    """floor(sqrt(k*x)) for x >= 0."""

    k: int


@dataclass(frozen=True, slots=True)
class Const:
    """A constant of the graph as a tensor."""

    constant: int


@dataclass(frozen=True, slots=True)
class Parameter:
    """A committed tensor, whose elements are not in the graph."""


Op = (
    Linear
    | Conv
    | MatMul
    | Add
    | Mul
    | Rescale
    | Lookup
    | View
    | Pad
    | Concat
    | Take
    | Pick
    | Sum
    | Max
    | ArgMax
    | Divide
    | SquareRoot
    | Const
    | Parameter
)

OPS: tuple[type[Op], ...] = (
    Linear,
    Conv,
    MatMul,
    Add,
    Mul,
    Rescale,
    Lookup,
    View,
    Pad,
    Concat,
    Take,
    Pick,
    Sum,
    Max,
    ArgMax,
    Divide,
    SquareRoot,
    Const,
    Parameter,
)
"""Operation number n is OPS[n - 1]."""

_I32 = {(Lookup, "first"), (Pad, "fill"), (Divide, "k"), (SquareRoot, "k")}
_I64 = {(View, "offset")}
_LIST_I32 = {(Add, "coefficients")}
_LIST_I64 = {(View, "strides")}
_LIST_U32 = {
    *((Conv, name) for name in ("kernel", "stride", "dilation", "pad_begin", "pad_end")),
    *((Pad, name) for name in ("begin", "end")),
}


def _form(op: type[Op], name: str) -> tuple[bool, str]:
    """Whether an attribute is a list, and the numpy form of one number of it."""
    key = (op, name)
    if key in _LIST_U32 or key in _LIST_I32 or key in _LIST_I64:
        return True, "<i8" if key in _LIST_I64 else "<i4" if key in _LIST_I32 else "<u4"
    return False, "<i4" if key in _I32 else "<i8" if key in _I64 else "<u4"


ATTRIBUTES: dict[type[Op], tuple[tuple[str, bool, str], ...]] = {
    op: tuple((item.name, *_form(op, item.name)) for item in fields(op)) for op in OPS
}
"""For each operation its attributes in order: name, whether a list, numpy form of a number."""


CONSTANT_OF: dict[type[Op], str] = {
    Linear: "bias",
    Conv: "bias",
    Add: "constant",
    Rescale: "multipliers",
    Lookup: "table",
    Take: "map",
    Const: "constant",
}
"""The attribute that is the number of a constant, of operations that have one."""


@dataclass(frozen=True, slots=True)
class Input:
    """An input tensor and the range its values are in."""

    shape: Shape
    lo: int
    hi: int


@dataclass(frozen=True, slots=True)
class Weight:
    """The size of a committed int8 matrix."""

    rows: int
    cols: int


@dataclass(frozen=True, slots=True, eq=False)
class Constant:
    """A public constant of any int32 values; the array is copied and cannot be written."""

    values: npt.NDArray[np.int32]

    def __post_init__(self) -> None:
        values = np.array(self.values, dtype=np.int32, order="C")
        values.flags.writeable = False
        object.__setattr__(self, "values", values)

    @property
    def shape(self) -> Shape:
        return tuple(int(size) for size in self.values.shape)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Constant)
            and self.shape == other.shape
            and bool(np.array_equal(self.values, other.values))
        )

    def __hash__(self) -> int:
        return hash((self.shape, self.values.tobytes()))


@dataclass(frozen=True, slots=True)
class Node:
    """One operation, its operands' tensor ids, and shape and range of what it computes.

    `step` is the model's node that it was made for, -1 where none is known; `fixed` says of one
    with a constant that a model of the same operators has the same one whatever its weights are.
    Neither is encoded.
    """

    op: Op
    operands: tuple[int, ...]
    shape: Shape
    lo: int
    hi: int
    step: int = field(default=-1, compare=False)
    fixed: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class Graph:
    """An integer graph. Whether it is well formed is for the native module to say."""

    inputs: tuple[Input, ...]
    weights: tuple[Weight, ...]
    constants: tuple[Constant, ...]
    nodes: tuple[Node, ...]
    outputs: tuple[int, ...]

    @property
    def tensors(self) -> int:
        """How many tensors there are."""
        return len(self.inputs) + len(self.nodes)

    @property
    def parameters(self) -> tuple[Node, ...]:
        """The nodes that are parameters, in the order in which their elements are given."""
        return tuple(node for node in self.nodes if isinstance(node.op, Parameter))

    def tensor(self, number: int) -> Input | Node:
        """What declares shape and range of a tensor."""
        count = len(self.inputs)
        return self.inputs[number] if number < count else self.nodes[number - count]

    def shape(self, number: int) -> Shape:
        """The shape of a tensor."""
        return self.tensor(number).shape


def op_name(op: Op) -> str:
    """The name of an operation in messages and specifications."""
    return type(op).__name__

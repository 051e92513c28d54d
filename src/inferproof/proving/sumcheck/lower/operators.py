"""Every lowering, and what of it depends on several subjects."""

from inferproof.proving.sumcheck.lower import (  # noqa: F401  (they register themselves)
    attention,
    dense,
    einsum,
    fourier,
    gridsample,
    logic,
    piecewise,
    pointwise,
    pooling,
    quantised,
    recurrent,
    reduce,
    resize,
    scatter,
    shape,
    sorting,
    trees,
    vision,
    whole,
)
from inferproof.proving.sumcheck.lower.context import REGISTRY
from inferproof.proving.sumcheck.lower.rewrite import NEVER

_MADE = "BlackmanWindow Constant ConstantOfShape HammingWindow HannWindow MelWeightMatrix Range"
FOLDED = frozenset({*_MADE.split(), "Shape", "Size"}) | NEVER
"""Operators whose results are constants once every shape is known."""

SUPPORTED = frozenset(REGISTRY) | FOLDED
"""Operators that a graph may hold; some only in part (specs/quantisation.md)."""

"""The lowering of functions of single features: the piece by comparisons, then a straight line."""

import numpy as np

from inferproof.proving.sumcheck.float_order import numbers_at, places
from inferproof.proving.sumcheck.lower.builder import Builder
from inferproof.proving.sumcheck.lower.context import Context, lowers_made, widened
from inferproof.proving.sumcheck.lower.movement import broadcast, reshape
from inferproof.proving.sumcheck.lower.pieces import FUNCTION, OF, Function, Ints, straight_pieces
from inferproof.proving.sumcheck.lower.program import Step
from inferproof.proving.sumcheck.lower.value import Value, power_of_two_above

_PART_BITS = 12
"""Of the part of a piece that a feature is behind its start."""
_VALUE_BITS = 15
_SPARE_BITS = 11
"""Of a result, which are rounded away."""
_LONGEST = 2**28
"""Of a piece as it is; longer ones are measured by twos, since divisors are no larger."""


@lowers_made(FUNCTION)
def _piecewise(c: Context, step: Step) -> Value:
    """value + rise times the part of the piece that is behind: of the last piece that has begun."""
    b = c.builder
    function: Function = step.attributes[OF]
    x = c.ordered[function.source]
    scale, margin = x.scale, c.options.margin
    seen = zip(function.ranges.low, function.ranges.high, strict=True)
    ends = np.array([widened(float(low), float(high), margin) for low, high in seen]).T
    found = straight_pieces(
        function,
        np.clip(places(ends, scale), x.lo, x.hi),
        x.hi + 1,
        (lambda numbers: places(numbers, scale), lambda at: numbers_at(at, scale)),
    )
    elements, count = found.starts.shape
    flat = reshape(b, x.with_(source=None), (elements, 1))
    # 1 for each piece but the first that has begun.
    wide = broadcast(b, flat, (elements, count))
    begun = b.rescale(b.add([wide], [1], 1 - found.starts), clamp=(0, 1))
    unit = (
        power_of_two_above(
            max(float(np.abs(found.values).max()), float(np.abs(found.rises).max()), 2.0**-60)
        )
        / 2.0**_VALUE_BITS
    )
    whole = [np.floor(part / unit + 0.5).astype(np.int64) for part in (found.values, found.rises)]
    by = int(found.lengths.max() > _LONGEST)
    lengths = (found.lengths + by) >> by
    start, length, value, rise = (
        _of_piece(b, begun, part) for part in (found.starts, lengths, *whole)
    )
    reach = (min(x.hi - int(found.starts[:, 0].min()), 2 * x.hi) + by) >> by
    behind = b.add([reshape(b, flat, (elements,)), start], [1, -1])
    behind = b.rescale(behind, 1, by, clamp=(0, reach))
    part = b.divide(behind, length, 2**_PART_BITS, within=(0, 2**_PART_BITS))
    made = b.add([value, b.mul(part, rise)], [2**_PART_BITS, 1])
    made = b.rescale(made, 1, _SPARE_BITS).with_(scale=unit * 2.0 ** (_SPARE_BITS - _PART_BITS))
    return reshape(b, made, c.shape(step.outputs[0]))


def _of_piece(b: Builder, begun: Value, numbers: Ints) -> Value:
    """For each element the number of its piece. Shapes: begun and numbers [elements, pieces]."""
    more = np.diff(numbers, axis=1, prepend=0)
    # The first has always begun.
    more[:, 0] = 0
    # Where there are fewer pieces the rest never begin.
    held = (int(numbers.min()), int(numbers.max()))
    sums = b.sum(b.mul(begun, b.const(more)), 1, within=(held[0] - held[1], held[1] - held[0]))
    return b.add([sums], [1], numbers[:, 0], within=held)

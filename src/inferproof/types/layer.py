"""What quantising and proving make of one node of a model."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class QuantisedLayer:
    """One node, by its place in the canonical graph, and its result in a quantised model.

    `low` and `high` are what the quantised result can hold, in at most 2^`bits` steps. `error` is
    the largest difference from the float model over the largest float value, on the calibration
    samples that are furthest off; `added` is how much of it the operands did not have. Both are
    None where the float value was not kept. `share` is the node's share of the time that a proof
    takes, by measured costs, or of its elementary steps where none were measured.
    """

    node: int
    operator: str
    value: str
    low: float
    high: float
    bits: int
    error: float | None
    added: float | None
    share: float


def weakest(layers: tuple[QuantisedLayer, ...]) -> QuantisedLayer | None:
    """The layer at which most accuracy is lost, if any is."""
    lossy = [layer for layer in layers if layer.added]
    return max(lossy, key=lambda layer: layer.added or 0.0, default=None)

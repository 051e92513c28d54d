"""What the numbers of an answer are called: labels of its outputs, which the commitment binds.

Source: specs/statement.md, section "Verifier bundle".
"""

from collections.abc import Sequence

from inferproof.types.tensor import FixedTensor, TensorSpec

MAX_LABELS = 10_000
"""Of one output. ImageNet has 1,000 classes, its long form 21,841."""
MAX_LABEL = 100
"""Code points of one label."""


def fits(spec: TensorSpec, labels: Sequence[str]) -> bool:
    """Whether a tensor can have these labels: one for each place of its last axis, none twice; or
    for the numbers 0, 1, … that a tensor of whole numbers holds."""
    if not 1 <= len(labels) <= MAX_LABELS or not all(1 <= len(one) <= MAX_LABEL for one in labels):
        return False
    if spec.names_values:
        return True
    return spec.shape[-1:] == (len(labels),) and len(set(labels)) == len(labels)


def label_of(specs: Sequence[TensorSpec], outputs: Sequence[FixedTensor]) -> str | None:
    """The one name of an answer: that of the class number where an output holds it, else that of
    the largest score, the first where several are; None where nothing is named."""
    pairs = [(s, o) for s, o in zip(specs, outputs, strict=True) if s.labels]
    numbers = [names_of(s, o) for s, o in pairs if s.names_values and len(o.values) == 1]
    if numbers:
        return numbers[0][0]
    for spec, output in pairs:
        if len(spec.labels) == len(output.values) > 1 and not spec.names_values:
            return spec.labels[output.values.index(max(output.values))]
    return None


def scores_of(
    specs: Sequence[TensorSpec], outputs: Sequence[FixedTensor]
) -> dict[str, float] | None:
    """The first output whose places are named, by name; None where there is none."""
    for spec, output in zip(specs, outputs, strict=True):
        if not spec.names_values and len(spec.labels) == len(output.values) > 0:
            return dict(zip(spec.labels, output.to_array().ravel().tolist(), strict=True))
    return None


def names_of(spec: TensorSpec, output: FixedTensor) -> list[str | None]:
    """The name of each number that an output holds; None for a number without one."""
    numbers = [round(value * output.scale) for value in output.values]
    return [
        spec.labels[number]
        if 0 <= number < len(spec.labels) and number == value * output.scale
        else None
        for number, value in zip(numbers, output.values, strict=True)
    ]

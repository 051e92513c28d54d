"""Outputs that are not what their file declares them as."""

from collections.abc import Sequence
from dataclasses import dataclass

from inferproof.models.axes import OpenAxis
from inferproof.models.show import printable


@dataclass(frozen=True, slots=True)
class Misdeclared:
    """An output whose declared shape nothing makes of the computed one, which it has therefore.

    `declared` and `computed` are types with shapes, in words: float32[1, 4].
    """

    name: str
    declared: str
    computed: str

    def __str__(self) -> str:
        return (
            f"output {printable(self.name)} is declared as {self.declared}, but the graph computes "
            f"{self.computed}: answers have the computed shape"
        )


@dataclass(frozen=True, slots=True)
class Unpacked:
    """An output that is a sequence of so many tensors in the file, and an output for each here:
    NAME_0, NAME_1 and so on."""

    name: str
    count: int

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(f"{self.name}_{place}" for place in range(self.count))

    def __str__(self) -> str:
        told = ", ".join(map(printable, self.names))
        return f"output {printable(self.name)} is a sequence, and its tensors outputs: {told}"


def declared_as(
    declared: tuple[int | str, ...], computed: tuple[int, ...], open_axes: Sequence[OpenAxis] = ()
) -> tuple[int, ...] | None:
    """The computed shape as the file declares it, where they differ by axes of size 1 alone.

    A name stands for any size, since exporters give an output that of an input whose size it has
    not; where the numbers of axes differ, for what that axis of the inputs was set to if it is one.
    """
    if len(declared) == len(computed) and all(
        isinstance(told, str) or told == size for told, size in zip(declared, computed, strict=True)
    ):
        return computed
    sizes: dict[str, int | str] = {item.name: item.size for item in open_axes}
    told = [sizes.get(size, size) if isinstance(size, str) else size for size in declared]
    rest = [size for size in computed if size != 1]
    # What the numbers do not account for is left to the names, from the first on.
    left = len(rest) - sum(isinstance(size, int) and size != 1 for size in told)
    shape: list[int] = []
    for size in told:
        if size == 1 or (isinstance(size, str) and left <= 0):
            shape.append(1)
        elif rest and (isinstance(size, str) or size == rest[0]):
            left -= isinstance(size, str)
            shape.append(rest.pop(0))
        else:
            return None
    return None if rest else tuple(shape)


def in_words(dtype: str, shape: tuple[int | str, ...] | None) -> str:
    """A type with its shape: float32[?, 4]; the type alone where the shape is not told."""
    sizes = (printable(str(size)) or "?" for size in shape or ())
    return dtype + ("" if shape is None else f"[{', '.join(sizes)}]")

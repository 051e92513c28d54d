"""Where inputs, salts, the binding and outputs stand among a circuit's public values.

    public   inputs …, binding                     | outputs …
    hashed   hash of each input, hash of binding   | outputs …, binding

The binding is the statement's digest in 16 limbs. As a public input it is absorbed into the
proof's transcript. Hashed circuits show inputs only as Poseidon hashes, so there it is passed
through to an output as well, where a contract can read it without hashing.

A hashed input is a tensor grown along one axis, with its salt in the new cells; ezkl hashes
the grown tensor and the graph cuts the salt off again.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from inferproof.protocol.encoding import tagged_digest
from inferproof.proving.ezkl.field import LIMBS, limbs
from inferproof.types.proof import Visibility
from inferproof.types.tensor import TensorSpec

SALT_TAG = "inferproof/ezkl-input-salt/1"
BINDING = "inferproof.binding"
BOUND = "inferproof.bound"


@dataclass(frozen=True, slots=True)
class Grown:
    """How one input is grown to hold its salt: by `extra` along `axis`."""

    spec: TensorSpec
    axis: int
    extra: int

    @property
    def shape(self) -> tuple[int, ...]:
        shape = list(self.spec.shape)
        shape[self.axis] += self.extra
        return tuple(shape)

    def fill(self, values: list[int], salt: list[int]) -> list[int]:
        """The grown tensor, row-major: values in their place, salt limbs then zeros in the rest."""
        grown = np.zeros(self.shape, dtype=object)
        inside = np.zeros(self.shape, dtype=bool)
        inside[tuple(slice(0, size) for size in self.spec.shape)] = True
        grown[inside] = values
        outside = np.zeros(int((~inside).sum()), dtype=object)
        outside[: len(salt)] = salt
        grown[~inside] = outside
        return [int(v) for v in grown.reshape(-1)]

    def pad(self, array: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """The array with zeros where the salt goes."""
        widths = [(0, self.extra if i == self.axis else 0) for i in range(array.ndim)]
        return np.pad(array, widths)


def grow(spec: TensorSpec) -> Grown:
    """The input grown along the axis that costs the fewest cells.

    The first axis of a tensor with several is left alone: ezkl 23 mistakes channels for
    batches in a convolution whose batch axis was touched.
    """
    if not spec.shape:
        return Grown(TensorSpec(spec.name, spec.dtype, (1,)), 0, LIMBS)
    axes = range(1 if len(spec.shape) > 1 else 0, len(spec.shape))

    def cost(axis: int) -> tuple[int, int]:
        slab = spec.size // spec.shape[axis]
        return -(-LIMBS // slab) * slab, -axis

    axis = min(axes, key=cost)
    slab = spec.size // spec.shape[axis]
    return Grown(spec, axis, -(-LIMBS // slab))


def salt_limbs(salt: bytes, index: int) -> list[int]:
    """The limbs of the salt of input `index`: equal inputs of one call get unequal hashes."""
    return limbs(tagged_digest(SALT_TAG, salt, index.to_bytes(4, "big")).raw)


def public_sizes(
    inputs: tuple[TensorSpec, ...], outputs: tuple[TensorSpec, ...], visibility: Visibility
) -> list[int]:
    """The sizes of the tensors that a circuit shows in the open, in ezkl's order."""
    if visibility is Visibility.PUBLIC:
        return [*(s.size for s in inputs), LIMBS, *(s.size for s in outputs)]
    return [*(s.size for s in outputs), LIMBS]

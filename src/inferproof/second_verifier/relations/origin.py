"""What views have made a divisor of. Source: specs/relations.md, sections 3 and 12."""

from dataclasses import dataclass

from inferproof.second_verifier import graph as g
from inferproof.second_verifier.field import ONE, ZERO, Element, product
from inferproof.second_verifier.graph import Graph
from inferproof.second_verifier.relations.maps import Bit, by_bits
from inferproof.second_verifier.relations.tensors import Point, coordinates, ones, split


@dataclass(frozen=True)
class Origin:
    """A tensor, and how a point of the divisor gives one of it."""

    tensor: int
    bits: tuple[Bit, ...]
    """Of each of its coordinates: which coordinate of the divisor it is, or its value."""
    repeated: tuple[tuple[int, tuple[Bit, ...]], ...]
    """Size and coordinates of each axis that a view repeats."""

    def at(self, point: Point) -> tuple[Element, Point]:
        """F and the point of the tensor that belong to a point of the divisor."""

        def found(bits: tuple[Bit, ...]) -> Point:
            fixed = [ONE if bit.fixed else ZERO for bit in bits]
            return [
                own if bit.source is None else point[bit.source]
                for bit, own in zip(bits, fixed, strict=True)
            ]

        factor = product(ones(found(bits), size) for size, bits in self.repeated)
        return factor, found(self.bits)


def origin(graph: Graph, divisor: int) -> Origin:
    """The first tensor from which views of form 1 lead to the divisor, within its upper bound."""
    most = graph.tensor(divisor).hi
    own = coordinates(graph.tensor(divisor).shape)
    found = Origin(divisor, tuple(Bit(place) for place in range(own)), ())
    while found.tensor >= len(graph.inputs):
        node = graph.nodes[found.tensor - len(graph.inputs)]
        if node.op != g.VIEW:
            break
        before = graph.tensor(node.operands[0])
        bits = by_bits(before.shape, node)
        if before.lo < 0 or before.hi > most or bits is None:
            break
        parts = split(node.out.shape, found.bits)
        repeated = tuple(
            (size, tuple(part))
            for stride, size, part in zip(node.strides, node.out.shape, parts, strict=True)
            if stride == 0
        )
        through = tuple(bit if bit.source is None else found.bits[bit.source] for bit in bits)
        found = Origin(node.operands[0], through, found.repeated + repeated)
    return found

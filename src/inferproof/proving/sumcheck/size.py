"""How much a graph asks of whoever proves or checks it, told before any of it is done."""

import math

from inferproof.errors import ArtifactRejected, Reason
from inferproof.proving.costs import Size
from inferproof.proving.sumcheck import graph as g
from inferproof.proving.sumcheck.graph import Graph, Node
from inferproof.proving.sumcheck.wellformed import work

MAX_KEY_BYTES = 2**24
MAX_CHECK_VALUES = 2**26
"""Elements of all tensors together, 4 bytes each."""
MAX_CHECK_OPERANDS = 2**22
"""Elements of all weighted operands together, 20 bytes each."""
MAX_CHECK_STEPS = 2**30
"""Steps of the run without its contractions, and products that weight their operands."""


def size_of(graph: Graph) -> Size:
    """What the cost of proving a graph depends on."""
    products = sum(
        math.prod(node.shape) * graph.weights[node.op.weight].cols
        for node in graph.nodes
        if isinstance(node.op, g.Linear | g.Conv)
    )
    return Size(
        weights=sum(matrix.rows * matrix.cols for matrix in graph.weights),
        products=products,
        steps=sum(work(graph, node) for node in graph.nodes) - products,
    )


def check_key_size(verifying_key: bytes) -> None:
    """Returns when the key is short enough to be read. Raises: ArtifactRejected KEY_TOO_COSTLY."""
    _check("is of {} bytes", len(verifying_key), MAX_KEY_BYTES)


def check_effort(graph: Graph) -> None:
    """Returns when a proof for this graph is checked in seconds and some hundred megabytes.

    The limits of the specification bound what a key can be; these bound what a stranger's key
    may cost whoever checks a proof under it.
    Raises: ArtifactRejected KEY_TOO_COSTLY.
    """
    values = sum(math.prod(graph.shape(number)) for number in range(graph.tensors))
    _check("makes its checker keep {} values", values, MAX_CHECK_VALUES)
    operands, products = 0, 0
    for node in graph.nodes:
        kept, taken = _weighting(graph, node)
        operands += kept
        products += taken
    _check("makes its checker weight {} operands", operands, MAX_CHECK_OPERANDS)
    _check("makes its checker take {} steps", size_of(graph).steps + products, MAX_CHECK_STEPS)


def _weighting(graph: Graph, node: Node) -> tuple[int, int]:
    """Elements of a contraction's weighted operand, and the products that it takes to make it.

    Source: specs/sumcheck-proof.md, sections 4 and 10.
    """
    op = node.op
    if not isinstance(op, g.Linear | g.Conv):
        return 0, 0
    columns = graph.weights[op.weight].cols
    shape = graph.shape(node.operands[0])
    if isinstance(op, g.Linear):
        return columns, math.prod(shape)
    batch, channels, *image = shape
    elements, products = channels * math.prod(image), 0
    axes = zip(image, op.kernel, node.shape[2:], strict=True)
    for size, kernel, positions in reversed(list(axes)):
        elements = elements // size * kernel
        products += elements * positions
    return op.groups * columns, products * batch


def _check(what: str, got: int, limit: int) -> None:
    if got > limit:
        told = what.format(got)
        raise ArtifactRejected(Reason.KEY_TOO_COSTLY, what=told, limit=limit)

"""Texts as they are, elsewhere: in other shapes, joined, or some of them."""

import math

from onnx import NodeProto, TensorProto

from inferproof.models.operators import ML_DOMAIN
from inferproof.models.texts.front import INSTEAD, Front, Shape, moves
from inferproof.models.texts.reading import MAX_TEXTS, invalid, number, numbers, refused


@moves("Identity")
def _same(front: Front, node: NodeProto) -> None:
    front.text(node, front.read(node), "shape", shape=list(front.read(node)))


@moves("Reshape")
def _reshape(front: Front, node: NodeProto) -> None:
    _shaped(front, node, _reshaped(node, front.read(node), front.whole(node, 1)))


@moves("Flatten")
def _flatten(front: Front, node: NodeProto) -> None:
    given = front.read(node)
    axis = number(node, "axis", 1)
    axis = axis + len(given) if axis < 0 else axis
    if not 0 <= axis <= len(given):
        raise invalid(node, f"its axis {axis} is none of what it reads")
    _shaped(front, node, (_size(given[:axis]), _size(given[axis:])))


@moves("Squeeze")
def _squeeze(front: Front, node: NodeProto) -> None:
    given = front.read(node)
    axes = numbers(node, "axes") or (front.whole(node, 1) if len(node.input) > 1 else ())
    gone = {axis % len(given) for axis in axes} if given else set()
    if not axes:
        gone = {axis for axis, size in enumerate(given) if size == 1}
    if any(given[axis] != 1 for axis in gone):
        raise invalid(node, "it removes an axis whose size is not 1")
    _shaped(front, node, tuple(s for axis, s in enumerate(given) if axis not in gone))


@moves("Unsqueeze")
def _unsqueeze(front: Front, node: NodeProto) -> None:
    given = front.read(node)
    axes = numbers(node, "axes") or front.whole(node, 1)
    rank = len(given) + len(axes)
    places = {axis % rank for axis in axes if -rank <= axis < rank}
    if len(places) != len(axes):
        raise invalid(node, "its axes are none of what it makes, or twice the same")
    rest = iter(given)
    _shaped(front, node, tuple(1 if axis in places else next(rest) for axis in range(rank)))


def _shaped(front: Front, node: NodeProto, shape: Shape) -> None:
    if len(shape) > 8 or shape.count(-1) > 1:
        raise refused(node, f"makes texts of {len(shape)} axes", "at most 8 are taken")
    front.text(node, shape, "shape", shape=list(shape))


@moves("Concat")
def _concat(front: Front, node: NodeProto) -> None:
    shapes = [front.shapes.get(name) for name in node.input]
    first = shapes[0]
    if first is None or any(shape is None or -1 in shape for shape in shapes):
        raise refused(node, "joins texts with what is none, or with words", INSTEAD)
    axis = front.axis(node, 0, len(first))
    found = [shape for shape in shapes if shape is not None]
    if any((s[:axis], s[axis + 1 :]) != (first[:axis], first[axis + 1 :]) for s in found):
        raise invalid(node, "what it joins differs along other axes")
    joined = sum(shape[axis] for shape in found)
    if math.prod(first) // first[axis] * joined > MAX_TEXTS:
        raise refused(node, "joins too many texts", f"at most {MAX_TEXTS} are taken")
    front.text(node, (*first[:axis], joined, *first[axis + 1 :]), "join", axis=axis)


@moves("ArrayFeatureExtractor", ML_DOMAIN)
def _extract(front: Front, node: NodeProto) -> None:
    given = front.read(node)
    if len(given) < 1 or -1 in given:
        raise refused(node, "takes some words of a text", "count the words (TfIdfVectorizer)")
    if len(given) == 1:
        # The operator takes a row for a table of one.
        raise refused(node, "takes columns of a row of texts", "declare the input as [None, n]")
    places = _places(front, node, given[-1])
    _taken(front, node, len(given) - 1, places, (len(places),))


@moves("Gather")
def _gather(front: Front, node: NodeProto) -> None:
    given = front.read(node)
    if -1 in given or not given:
        raise refused(node, "takes some words of a text", "count the words (TfIdfVectorizer)")
    axis = front.axis(node, 0, len(given))
    shape = front.texts.shape(node.input[1])
    if len(shape) > 1:
        raise refused(node, "takes texts by a table of places", "take them by a row of places")
    _taken(front, node, axis, _places(front, node, given[axis]), shape)


def _taken(front: Front, node: NodeProto, axis: int, places: list[int], shape: Shape) -> None:
    given = front.read(node)
    made = (*given[:axis], *shape, *given[axis + 1 :])
    if math.prod(made) > MAX_TEXTS:
        raise refused(node, "takes too many texts", f"at most {MAX_TEXTS} are taken")
    if shape:
        front.text(node, made, "take", axis=axis, places=places)
        return
    row = f"{node.output[0]}/row"
    front.add(row, "take", [node.input[0]], axis=axis, places=places)
    front.add(node.output[0], "shape", [row], shape=list(made))
    front.shapes[node.output[0]] = made


def _places(front: Front, node: NodeProto, size: int) -> list[int]:
    places = front.whole(node, 1)
    if not places or not all(-size <= place < size for place in places):
        raise invalid(node, f"its places are none of the {size} of what it reads")
    return [place % size for place in places]


@moves("Cast")
def _cast(front: Front, node: NodeProto) -> None:
    if number(node, "to", 0) != TensorProto.STRING:
        raise refused(node, "reads numbers written as texts", "declare this input as numbers")
    _same(front, node)


def _size(sizes: Shape) -> int:
    return -1 if -1 in sizes else math.prod(sizes)


def _reshaped(node: NodeProto, given: Shape, wanted: tuple[int, ...]) -> Shape:
    """The shape that Reshape makes, 0 standing for the size that is there."""
    allowed = number(node, "allowzero", 0) == 0
    sizes = [
        given[axis] if size == 0 and allowed and axis < len(given) else size
        for axis, size in enumerate(wanted)
    ]
    if sizes.count(-1) > 1 or any(size < -1 or size == 0 for size in sizes):
        raise invalid(node, "its shape is none")
    known = math.prod(size for size in sizes if size != -1)
    if -1 in given:
        if -1 not in sizes or known != math.prod(size for size in given if size != -1):
            raise refused(node, "gives the words of a text a fixed number", "give it -1")
        return tuple(sizes)
    total = math.prod(given)
    if total % known or (-1 not in sizes and total != known):
        raise invalid(node, "its shape holds another number of texts")
    return tuple(total // known if size == -1 else size for size in sizes)

"""What the second verifier does for one key, as nodes. Source: specs/programs.md, section 5."""

from collections.abc import Sequence
from dataclasses import dataclass

from inferproof.second_verifier import graph as g
from inferproof.second_verifier.field import DEGREE, ONE, ZERO
from inferproof.second_verifier.hiding.shape import Shape, bits_of
from inferproof.second_verifier.hiding.terms import Term, at_point, basis, cells, in_column, scaled
from inferproof.second_verifier.private import links
from inferproof.second_verifier.private.record import Record
from inferproof.second_verifier.private.relation import RelationProof, relate, variables_of
from inferproof.second_verifier.private.verifier import Joined, PrivateKey
from inferproof.second_verifier.program import nodes
from inferproof.second_verifier.program.nodes import Given, Hidden, Known, add, known, mul, sub
from inferproof.second_verifier.program.tape import ELEMENT, Piece, Tape, constant, given, slot
from inferproof.second_verifier.program.tracing import tracing
from inferproof.second_verifier.reader import Rejected
from inferproof.second_verifier.relations.claims import Claim
from inferproof.second_verifier.relations.flow import Flow
from inferproof.second_verifier.relations.tensors import evaluate
from inferproof.second_verifier.relations.values import Value

WORD = 32
EPOCH = 0
"""Slot of the digest of the commitment that is opened."""
FRESH, OPENED = 1, 2
"""Slots of the roots."""
PARENT = 3
"""Slot of the digest of a link's parent; zero where that is the key."""
_DIGEST = b"inferproof/sumcheck/1/link/digest"


@dataclass
class Traced:
    """A program before it is laid out: steps, what must be equal, and the opening's claim."""

    tape: Tape
    words: list[tuple[int, Piece]]
    """What slots hold from the beginning on."""
    equal: list[tuple[object, object]]
    ranges: list[tuple[int, int, int, int]]
    given: int
    """Bytes that the caller gives."""
    sent: int
    first_sent: int
    """Where the first element under a pad is in the proof."""
    weights: list[object]
    """Of each pad, what the claim weighs it with."""
    known: object
    """What is known of the claim but for the elements that were sent."""
    shape: Shape
    forms: list[object]
    """What each vector's form weighs at the point of the opening, times the vector's slot."""
    cells: "Cells | None"


@dataclass(frozen=True)
class Cells:
    """The columns of the pads: of each its variables and the weight of its slot."""

    columns: list[tuple[int, object]]
    point: list[Known]


class _Recorded(Record):
    """Elements under pads as leaves; what must hold of known values is noted."""

    def __init__(self, tape: Tape) -> None:
        super().__init__([], tape)
        self.sums: list[tuple[object, object]] = []

    def take(self, number: int, site: str) -> list[Value]:
        if number:
            self.transcript.take(site, ELEMENT * number)  # type: ignore[attr-defined]
        self._at += number
        return [nodes.leaf(place) for place in range(self._at - number, self._at)]

    def equal(self, left: Value, right: Value, why: str) -> None:  # noqa: ARG002
        difference = sub(left, right)
        if isinstance(difference, Hidden):
            self.linear.append(difference)
        elif difference != ZERO:
            self.sums.append((left, right))

    def end(self) -> None:
        """There are as many as were taken."""


class _Reduced(Flow):
    """What follows from inputs alone is not executed by a contract."""

    def _value(self, place: int, claim: Claim):  # type: ignore[no-untyped-def]
        node = self.graph.nodes[place]
        if node.op != g.CONST:
            raise Rejected(
                "KEY_UNSUPPORTED", "a contract does not execute what follows from inputs"
            )
        return evaluate(self.graph.constants[node.constant].values, node.out.shape, claim.point)


def adjoint(root: object, pads: int) -> tuple[list[object], list[object], object]:
    """What a hidden value weighs elements that were sent with, and pads; and the rest."""
    sent: list[object] = [ZERO] * pads
    of_pads: list[object] = [ZERO] * pads
    rest: object = ZERO
    weights: dict[int, object] = {}
    found: dict[int, Hidden] = {}
    queue = [root]
    while queue:
        node = queue.pop()
        if isinstance(node, Hidden) and node.number not in found:
            found[node.number] = node
            queue += node.args

    def weigh(node: object, weight: object) -> None:
        nonlocal rest
        if isinstance(node, Hidden):
            own = weights.get(node.number, ZERO)
            weights[node.number] = add(own, weight)
        else:
            rest = add(rest, mul(weight, node))

    weigh(root, ONE)
    for number in sorted(found, reverse=True):
        node, weight = found[number], weights.get(number, ZERO)
        op, args = node.op, node.args
        if op == "sent":
            sent[args[0]] = add(sent[args[0]], weight)
        elif op == "pad":
            of_pads[args[0]] = add(of_pads[args[0]], weight)
        elif op == "mul":
            weigh(args[1], mul(args[0], weight))
        else:
            weigh(args[0], weight)
            weigh(args[1], weight if op == "add" else sub(ZERO, weight))
    return sent, of_pads, rest


def _statement(tape: Tape, key: PrivateKey, start: int) -> tuple[int, list[Given], list[Given]]:
    """Absorbs statement, inputs and outputs, which are given from a byte on; where they end."""
    tape.pieces("statement", given(start, WORD))
    start += WORD
    tensors = []
    for site, own in (
        ("inputs", key.graph.inputs),
        ("outputs", [key.graph.tensor(number) for number in key.graph.outputs]),
    ):
        first, found = start, []
        for tensor in own:
            found.append(Given(start, tensor.size))
            start += 4 * tensor.size
        tape.pieces(site, given(first, start - first))
        tensors.append(found)
    return start, tensors[0], tensors[1]


@dataclass(frozen=True)
class Drawn:
    """A commitment that a link leads to, and what the link has drawn for it."""

    commitment: links.Commitment
    point: list[Known]
    alpha: Known
    factor: Known
    value_at: int
    """Where w is among what the caller gives."""
    root_at: int

    @property
    def end(self) -> int:
        return self.value_at + ELEMENT


def _child(tape: Tape, key: PrivateKey, kind: int, parent: Piece, start: int, digest: int) -> Drawn:
    """What a link draws for its child, of which the caller gives root, root of the fresh vector and
    w from a byte on; its digest is left in a slot."""
    tape.restart()
    tape.absorb("protocol", b"inferproof sumcheck 1 private link")
    tape.pieces("link/parent", parent)
    described = kind.to_bytes(1, "little") + key.openings[kind].to_bytes(4, "little")
    child = (given(start, WORD), constant(described))
    tape.pieces("link/child", *child)
    vector = key.shapes[kind].vectors[1]
    half = tape.point(vector.variables - 1)
    tape.pieces("link/fresh", given(start + WORD, WORD))
    point = list(tape.point(max(key.columns)))
    alpha, factor = tape.challenge(), tape.challenge()
    told = WORD + WORD + len(described) + WORD + ELEMENT
    head = len(_DIGEST).to_bytes(4, "little") + _DIGEST + told.to_bytes(8, "little")
    rest = given(start + WORD, WORD + ELEMENT)
    tape.hashed(digest, constant(head), parent, *child, rest)
    value_at = start + 2 * WORD
    value = known("given element", data=(value_at,))
    whole = at_point([*half[: vector.fold], ONE, *half[vector.fold :]], ONE)  # type: ignore[list-item]
    form = [whole, *links._weights(key, vector, point, alpha, factor)]  # type: ignore[arg-type]
    commitment = links.Commitment(kind, b"", b"", (form, value))  # type: ignore[arg-type]
    return Drawn(commitment, point, alpha, factor, value_at, start)


def link(key: PrivateKey, parent: int, child: int, *, linked: bool) -> Traced:
    """The program that checks a link from a commitment of one kind to one of another; whether the
    parent is itself what a link leads to, or the key's own commitment."""
    with tracing():
        return _link(key, parent, child, linked)


def _link(key: PrivateKey, kind: int, child: int, linked: bool) -> Traced:
    tape, shape = Tape(), key.shapes[kind]
    words: list[tuple[int, Piece]]
    if not linked:
        opened, start = key.commitment, 0
        words = [(OPENED, constant(key.root))]
        parent = constant(key.digest)
    else:
        before = _child(tape, key, kind, given(0, WORD), WORD, PARENT)
        opened, start = before.commitment, before.end
        words = [(OPENED, given(before.root_at, WORD))]
        parent = slot(PARENT)
    own = _child(tape, key, child, parent, start, EPOCH)
    words.append((FRESH, given(start + WORD, WORD)))
    tape.pieces("link/value", given(own.value_at, ELEMENT))
    beta = tape.challenge()
    weights = links._weights(key, shape.vectors[1], own.point, own.alpha, own.factor)  # type: ignore[arg-type]
    value: object = own.commitment.binding[1]  # type: ignore[index]
    if opened.binding is not None:
        form, of_parent = opened.binding
        weights += [scaled(term, beta) for term in form]  # type: ignore[arg-type]
        value = add(value, mul(beta, of_parent))
    mask = cells(0, [basis(limb) for limb in range(DEGREE)])
    forms = [[in_column(shape.vectors[0], 0, mask)], weights]
    joint = [known("point", data=(place,)) for place in range(shape.fold + shape.rows)]
    found = []
    for vector, terms in zip(shape.vectors, forms, strict=True):
        part, weight = shape.part(vector, joint)  # type: ignore[arg-type]
        found.append(_at(part, weight, terms))
    return Traced(tape, words, [], [], own.end, 0, 0, [], sub(ZERO, value), shape, found, None)


def proof(key: PrivateKey) -> Traced:
    """The program that checks a proof but for its links."""
    with tracing():
        return _proof(key)


def _proof(key: PrivateKey) -> Traced:
    tape = Tape()
    own = _child(tape, key, key.own_kind, given(0, WORD), WORD, EPOCH)
    epoch, start = own.commitment, own.end
    words = [(OPENED, given(own.root_at, WORD))]
    tape.restart()
    tape.absorb("protocol", key.protocol)
    tape.pieces("key", slot(EPOCH))
    end, inputs, outputs = _statement(tape, key, start)
    tape.word_of_proof(FRESH)
    tape.take("witness", WORD)
    first_sent = tape.at
    record = _Recorded(tape)
    state, counts = key._argue(record, _Reduced, inputs, outputs)
    if record.count != key.sent or record.factors != key.products:
        raise AssertionError("another number of elements or products than the key has")
    sums = RelationProof(*_relation(tape, variables_of(key.products)))
    ends = relate(sums, record.quadratic, key.sent, tape)
    claim = Joined(key, tape.challenge())  # type: ignore[arg-type]
    for form in [*record.linear, *ends]:
        claim.vanishes(form)
    claim.columns(state, counts)
    claim.matrices(state)
    claim.parameters(state)
    claim.inputs(state)
    claim.bound(epoch)
    weights, rest = _pads(claim._rest, key)
    joint = [known("point", data=(place,)) for place in range(key.shape.fold + key.shape.rows)]
    forms, pads = _forms(key, claim._forms, joint)
    ranges = []
    tensors = [*key.graph.inputs, *(key.graph.tensor(number) for number in key.graph.outputs)]
    for tensor, integers in zip(tensors, [*inputs, *outputs], strict=True):
        ranges.append((integers.offset, tensor.size, tensor.lo, tensor.hi))
    sent = (key.sent, first_sent)
    return Traced(
        tape, words, record.sums, ranges, end, *sent, weights, rest, key.shape, forms, pads
    )


def _relation(tape: Tape, variables: int):  # type: ignore[no-untyped-def]
    """The elements of a relation proof, of which none is absorbed yet."""
    elements = tape.elements(1 + 3 * variables + 2)
    rounds = [elements[1 + 3 * place : 4 + 3 * place] for place in range(variables)]
    return elements[0], rounds, elements[-2:]


def _pads(rest: object, key: PrivateKey) -> tuple[list[object], object]:
    """What the claim weighs each pad with, as what was sent; of spares, as what they are."""
    sent, pads, known_rest = adjoint(rest, key.pads)
    if any(weight != ZERO for weight in [*sent[key.sent :], *pads[: key.sent]]):
        raise AssertionError("a pad and an element under it are both named")
    # An element that was sent is its value plus the pad, and the claim is about pads.
    negative = [sub(ZERO, weight) for weight in pads[key.sent :]]
    return [*sent[: key.sent], *negative], known_rest


def _at(own: Sequence[object], weight: object, terms: Sequence[Term]) -> object:
    """What terms weigh at a point of their vector, times the weight of the vector."""
    result: object = ZERO
    for term in terms:
        result = add(result, term(own))  # type: ignore[arg-type]
    return mul(weight, result)


def _forms(
    key: PrivateKey, forms: Sequence[Sequence[Term]], joint: list[Known]
) -> tuple[list[object], Cells]:
    """What each vector's terms weigh at a joint point, and the columns of the pads."""
    found: list[object] = []
    columns: list[tuple[int, object]] = []
    for index, (vector, terms) in enumerate(zip(key.shape.vectors, forms, strict=True)):
        own, weight = key.shape.part(vector, joint)  # type: ignore[arg-type]
        found.append(_at(own, weight, terms))
        if index == 0:
            point = list(own)
            for place in vector.columns[key.first_of_pads : vector.own]:
                slots = nodes.equality_at(
                    own[place.variables :], bits_of(place.slot, len(own) - place.variables)
                )
                columns.append((place.variables, mul(weight, slots)))
    return found, Cells(columns, point)  # type: ignore[arg-type]

"""Lays a traced verifier out as the bytes of a program: instructions, constants, integers."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from inferproof.second_verifier.field import ZERO, canonical_elements
from inferproof.second_verifier.hiding.shape import Shape
from inferproof.second_verifier.keccak import keccak256
from inferproof.second_verifier.program.nodes import Known, add
from inferproof.second_verifier.program.tape import Piece
from inferproof.second_verifier.program.trace import FRESH, OPENED, Traced
from inferproof.second_verifier.transcript import LABEL

# Operations on elements: result and two operands, two bytes each.
MUL, MAC, ADD, SUB, MSC, MULB, EQ, MOVE, INVERSE = range(9)
# All others, which have operands of their own.
(
    DATA,
    GIVEN,
    SLOT,
    ABSORB,
    HASH,
    RESTART,
    DRAW,
    TAKE,
    ROUNDS,
    WORD_OF_GIVEN,
    WORD_OF_PROOF,
    WORD_OF_DATA,
    RANGE,
    ELEMENT,
    GIVEN_ELEMENT,
    TOTAL,
    OF_DATA,
    OF_GIVEN,
    PADS,
    OPEN,
    EQUAL,
    END,
) = range(16, 38)
_ARITHMETIC = {"mul": MUL, "add": ADD, "sub": SUB, "mulb": MULB, "eq": EQ, "inv": INVERSE}
HEADER = 10
_MASKS = {"block": 0, "column": 1, "half": 2}


def numbers_of(shape: Shape) -> list[int]:
    """The numbers of a shape, in the order in which the contracts read them."""
    found = [shape.rows, shape.fold, shape.tails, shape.rate, int(shape.johnson), 3]
    found += [shape.end.count, shape.end.work, len(shape.codes), len(shape.vectors)]
    for code in shape.codes:
        found += [code.queries.count, code.queries.work, int(shape.johnson), code.fold, code.rate]
    for vector in shape.vectors:
        salts = max(0, 9 - (1 << vector.fold))
        found += [vector.fold, vector.slot, salts, _MASKS[vector.mask], int(vector.sampled)]
        found.append(len(vector.columns))
        for place in vector.columns:
            found += [place.variables, place.slot]
    return found


@dataclass
class _Code:
    """Bytes of instructions, and the data that they name."""

    data_at: int
    code: bytearray = field(default_factory=bytearray)
    data: bytearray = field(default_factory=bytearray)
    sites: dict[str, int] = field(default_factory=dict)
    placed: dict[bytes, int] = field(default_factory=dict)
    counts: Counter[int] = field(default_factory=Counter)

    def emit(self, op: int, *operands: tuple[int, int]) -> None:
        """An instruction; an operand is a number and its bytes."""
        self.counts[op] += 1
        self.code.append(op)
        for number, size in operands:
            self.code += (number % (1 << 8 * size)).to_bytes(size, "big")

    def place(self, data: bytes) -> int:
        """Where data is in the program."""
        if data not in self.placed:
            self.placed[data] = self.data_at + len(self.data)
            self.data += data
        return self.placed[data]

    def site(self, label: str) -> int:
        """Where the hash of a site's label is."""
        return self.place(keccak256(LABEL + label.encode()))


class _Registers:
    """Where nodes are while they are needed."""

    def __init__(self, first: int) -> None:
        self.free: list[int] = []
        self.next = first
        self.of: dict[Known, int] = {}

    def new(self) -> int:
        if self.free:
            return self.free.pop()
        self.next += 1
        return self.next - 1


def _needed(outputs: Sequence[object]) -> set[Known]:
    found: set[Known] = set()
    queue = [node for node in outputs if isinstance(node, Known)]
    while queue:
        node = queue.pop()
        if node not in found:
            found.add(node)
            queue += node.operands
    return found


class Assembler:
    """One program."""

    def __init__(self, traced: Traced) -> None:
        self.traced = traced
        tape = traced.tape
        # The value of the claim is what TOTAL leaves, less what is known otherwise.
        self.first = [*traced.weights, traced.known, *(x for pair in traced.equal for x in pair)]
        self.last: object = ZERO
        for form in traced.forms:
            self.last = add(self.last, form)
        columns = [] if traced.cells is None else [slot for _, slot in traced.cells.columns]
        self.second = [self.last, *columns]
        every = _needed([*self.first, *self.second])
        values = {arg for node in every for arg in node.args if isinstance(arg, tuple)}
        outputs = [*self.first, *self.second]
        values |= {output for output in outputs if isinstance(output, tuple)} | {ZERO}
        self.constants = {value: place for place, value in enumerate(sorted(values))}
        self.drawn = len(self.constants)
        self.point = self.drawn + tape.drawn
        self.pads = self.point + traced.shape.fold + traced.shape.rows
        self.registers = _Registers(self.pads + len(traced.weights))
        self.claim = self.registers.new()
        self.out = _Code(0)
        self._plan(every)

    def _plan(self, every: set[Known]) -> None:
        """Which products are added where they are made, and when nodes are needed last."""
        first = _needed(self.first)
        self.order = sorted(first, key=lambda node: node.number)
        self.border = len(self.order)
        self.order += sorted(every - first, key=lambda node: node.number)
        uses: Counter[Known] = Counter()
        for node in self.order:
            uses.update(list(dict.fromkeys(node.operands)))
        fixed = {node for node in [*self.first, *self.second] if isinstance(node, Known)}
        place = {node: at for at, node in enumerate(self.order)}
        stage = {node: node in first for node in self.order}
        self.fused: dict[Known, tuple[Known, Known]] = {}
        self.skipped: set[Known] = set()
        for node in self.order:
            pair = self._fusible(node)
            for acc, product in pair:
                single = uses[product] == 1 and uses[acc] == 1
                same = stage[product] == stage[node] and stage[acc] == stage[node]
                loose = acc.op in _ARITHMETIC and acc not in fixed and product not in fixed
                if single and same and loose and acc not in self.skipped:
                    self.fused[node] = (acc, product)
                    self.skipped.add(product)
                    break
        self.last_use: dict[Known, int] = {}
        for node in self.order:
            if node in self.skipped:
                continue
            operands = list(node.operands)
            if node in self.fused:
                operands = [self.fused[node][0], *self.fused[node][1].operands]
            for operand in operands:
                self.last_use[operand] = place[node]
        for output in self.first:
            if isinstance(output, Known):
                self.last_use[output] = max(self.last_use.get(output, 0), self.border)
        for output in self.second:
            if isinstance(output, Known):
                self.last_use[output] = len(self.order)
        # A weight is made where it is to be.
        self.target: dict[Known, int] = {}
        for pad, weight in enumerate(self.traced.weights):
            made: object = weight
            while isinstance(made, Known) and made not in self.target and made.op in _ARITHMETIC:
                self.target[made] = self.pads + pad
                made = self.fused[made][0] if made in self.fused else None

    def _fusible(self, node: Known) -> list[tuple[Known, Known]]:
        if node.op not in ("add", "sub"):
            return []
        a, b = node.args
        pairs = [(a, b)] if node.op == "sub" else [(a, b), (b, a)]
        return [
            (x, y)
            for x, y in pairs
            if isinstance(x, Known) and isinstance(y, Known) and y.op == "mul" and x is not y
        ]

    def _at(self, node: object) -> int:
        if isinstance(node, tuple):
            return self.constants[node]
        if not isinstance(node, Known):
            raise TypeError("neither a constant nor known")
        if node.op == "drawn":
            return self.drawn + node.data[0]
        if node.op == "point":
            return self.point + node.data[0]
        return self.registers.of[node]

    def _compute(self, first: int, last: int) -> None:
        """Instructions of nodes, and the registers that are free behind each."""
        ends: dict[int, list[Known]] = {}
        for node, at in self.last_use.items():
            ends.setdefault(at, []).append(node)
        for at in range(first, last):
            node = self.order[at]
            if node not in self.skipped:
                self._instruction(node)
            for done in ends.get(at, []):
                register = self.registers.of.get(done)
                if register is not None and register >= self.pads + len(self.traced.weights):
                    fused = node in self.fused and self.fused[node][0] is done
                    if not fused:
                        self.registers.free.append(register)

    def _instruction(self, node: Known) -> None:
        out, registers = self.out, self.registers
        if node.op in ("drawn", "point"):
            return
        if node in self.fused:
            acc, product = self.fused[node]
            register = registers.of[acc]
            a, b = map(self._at, product.args)
            out.emit(MAC if node.op == "add" else MSC, (register, 2), (a, 2), (b, 2))
            registers.of[node] = register
            return
        operands = [self._at(arg) for arg in node.args]
        register = self.target[node] if node in self.target else registers.new()
        registers.of[node] = register
        if node.op in _ARITHMETIC:
            a, b = (*operands, 0)[:2]
            out.emit(_ARITHMETIC[node.op], (register, 2), (a, 2), (b, 2))
        elif node.op == "element":
            out.emit(ELEMENT, (register, 2), (node.data[0], 3))
        elif node.op == "given element":
            out.emit(GIVEN_ELEMENT, (register, 2), (node.data[0], 3))
        else:
            self._dense(node, register, operands)

    def _dense(self, node: Known, register: int, operands: list[int]) -> None:
        points = [(operand, 2) for operand in operands]
        if node.op == "given":
            offset, number = node.data
            own = ((register, 2), (offset, 3), (number, 3), (len(operands), 1))
            self.out.emit(OF_GIVEN, *own, *points)
            return
        size = 1 if max(node.data) < 1 << 8 else 2 if max(node.data) < 1 << 16 else 4
        at = self.out.place(b"".join(value.to_bytes(size, "big") for value in node.data))
        head = ((register, 2), (at, 3), (len(node.data), 3), (size, 1), (len(operands), 1))
        self.out.emit(OF_DATA, *head, *points)

    def _pieces(self, pieces: Sequence[Piece]) -> None:
        out = self.out
        for piece in pieces:
            if piece.kind == "data":
                out.emit(DATA, (out.place(piece.data), 3), (len(piece.data), 3))
            elif piece.kind == "given":
                out.emit(GIVEN, (piece.offset, 3), (piece.length, 3))
            else:
                out.emit(SLOT, (piece.offset, 1))

    def _steps(self) -> None:
        """The transcript's steps; rounds that follow on each other are one."""
        steps, at, drawn = self.traced.tape.steps, 0, self.drawn
        while at < len(steps):
            kind, *own = steps[at]
            if kind == "take":
                repeats = 0
                pattern = [tuple(steps[at]), ("draw",)]
                while [tuple(step) for step in steps[at + 2 * repeats :][:2]] == pattern:
                    repeats += 1
                site = (self.out.site(own[0]), 3)  # type: ignore[arg-type]
                if repeats:
                    rounds = ((own[1], 3), (repeats, 1), (drawn, 2))
                    self.out.emit(ROUNDS, site, *rounds)  # type: ignore[arg-type]
                    drawn += repeats
                    at += 2 * repeats
                    continue
                self.out.emit(TAKE, site, (own[1], 3))  # type: ignore[arg-type]
            elif kind == "draw":
                number = 1
                while steps[at + number : at + number + 1] == [("draw",)]:
                    number += 1
                self.out.emit(DRAW, (drawn, 2), (number, 2))
                drawn += number
                at += number
                continue
            elif kind == "restart":
                self.out.emit(RESTART)
            elif kind == "absorb":
                self._pieces(own[1])  # type: ignore[arg-type]
                self.out.emit(ABSORB, (self.out.site(own[0]), 3))  # type: ignore[arg-type]
            elif kind == "hash":
                self._pieces(own[1])  # type: ignore[arg-type]
                self.out.emit(HASH, (own[0], 1))  # type: ignore[arg-type]
            else:
                self.out.emit(WORD_OF_PROOF, (own[0], 1))  # type: ignore[arg-type]
            at += 1

    def program(self) -> bytes:
        """The program. Its offsets do not depend on how long its instructions are but by their
        number, so that it is made twice."""
        self._laid(0)
        again = Assembler(self.traced)
        program = again._laid(len(self.out.code))
        self.out, self.registers = again.out, again.registers
        return program

    def _laid(self, data_at: int) -> bytes:
        traced, out = self.traced, self.out
        out.data_at = data_at + HEADER
        constants = sorted(self.constants, key=lambda value: self.constants[value])
        out.data += canonical_elements(constants)
        for own in traced.ranges:
            offset, number, low, high = own
            out.emit(RANGE, (offset, 3), (number, 3), (low, 4), (high, 4))
        for number, piece in traced.words:
            if piece.kind == "data":
                out.emit(WORD_OF_DATA, (number, 1), (out.place(piece.data), 3))
            else:
                out.emit(WORD_OF_GIVEN, (number, 1), (piece.offset, 3))
        self._steps()
        self._compute(0, self.border)
        for pad, weight in enumerate(traced.weights):
            if self._at(weight) != self.pads + pad:
                out.emit(MOVE, (self.pads + pad, 2), (self._at(weight), 2), (0, 2))
        for a, b in traced.equal:
            out.emit(EQUAL, (self._at(a), 2), (self._at(b), 2))
        total = ((self.claim, 2), (self.pads, 2), (traced.sent, 2), (traced.first_sent, 3))
        out.emit(TOTAL, *total)
        out.emit(ADD, (self.claim, 2), (self.claim, 2), (self._at(traced.known), 2))
        out.emit(SUB, (self.claim, 2), (self.constants[ZERO], 2), (self.claim, 2))
        numbers = numbers_of(traced.shape)
        at = out.place(b"".join(number.to_bytes(4, "big") for number in numbers))
        roots = ((2, 1), (FRESH, 1), (OPENED, 1))
        point = ((self.claim, 2), (self.point, 2))
        out.emit(OPEN, *point, (at, 3), (len(numbers), 3), *roots)
        self._compute(self.border, len(self.order))
        self._pads()
        out.emit(SUB, (self.claim, 2), (self._at(self.last), 2), (self.claim, 2))
        out.emit(END, (self.claim, 2))
        if self.registers.next >= 1 << 16:
            raise AssertionError("more registers than a program can name")
        parts = (
            (self.registers.next, 2),
            (len(constants), 2),
            (data_at + HEADER, 3),
            (traced.given, 3),
        )
        header = b"".join(number.to_bytes(size, "big") for number, size in parts)
        return header + bytes(out.code) + bytes(out.data)

    def _pads(self) -> None:
        """What the weights of pads come to at the point, which a claim has besides its terms."""
        cells = self.traced.cells
        if cells is None:
            self.out.emit(MOVE, (self.claim, 2), (self.constants[ZERO], 2), (0, 2))
            return
        point = [(self._at(x), 2) for x in cells.point]
        columns = [
            part
            for variables, slot in cells.columns
            for part in ((variables, 1), (self._at(slot), 2))
        ]
        pads = ((self.claim, 2), (self.pads, 2), (len(self.traced.weights), 2))
        sizes = ((len(cells.columns), 1), (len(point), 1))
        self.out.emit(PADS, *pads, *sizes, *columns, *point)


def assemble(traced: Traced) -> bytes:
    """The program's bytes."""
    return Assembler(traced).program()

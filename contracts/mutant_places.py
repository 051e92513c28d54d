"""Which changes of a contract's source there are: each in its place, of one kind.

A place is a statement, a condition, or a constant: what a function does is changed there, and
nothing else. Constructors are left out, whose every line the first test needs. Sources are read as
the formatter leaves them; no more of the language is understood than that needs.

The operators are those of gambit and of slither-mutate, and those of money: another payee, another
amount, another time, another outcome.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

SWAPPED = {
    "<=": ("<", ">"),
    ">=": (">", "<"),
    "==": ("!=",),
    "!=": ("==",),
    "<": ("<=", ">="),
    ">": (">=", "<="),
    "&&": ("||",),
    "||": ("&&",),
    "+=": ("-=",),
    "-=": ("+=",),
    "+": ("-",),
    "-": ("+",),
    "*": ("/",),
    "/": ("*",),
    "|": ("&",),
    "&": ("|",),
    "true": ("false",),
    "false": ("true",),
    "!": ("",),
    "gt": ("lt",),
    "and": ("or",),
    "add": ("sub",),
    "shl": ("shr",),
}
_SYMBOL = re.compile(
    r"<=|>=|==|!=|&&|\|\||\+=|-=|=>|->|:=|<<|>>|\+\+|--|[<>+\-*/|&!]"
    r"|\b(?:true|false)\b|\b(?:gt|and|add|shl)(?=\()"
)
_NUMBER = re.compile(r"(?<![\w.])\d[\d_]*(?![\w.])")
EXCHANGED = (
    ("order.buyer", "acceptor"),
    ("order.buyer", "msg.sender"),
    ("acceptor", "order.buyer"),
    ("deliverer", "order.buyer"),
    ("msg.sender", "slot.server"),
    ("msg.sender", "order.buyer"),
    ("msg.sender", "to"),
    ("slot.server", "msg.sender"),
    ("slot.server", "order.buyer"),
    ("item.to", "msg.sender"),
    ("shares.deliverer", "shares.buyer"),
    ("shares.buyer", "shares.deliverer"),
    ("shares.acceptor", "shares.buyer"),
    ("shares.fee", "shares.buyer"),
    ("order.price", "order.bond"),
    ("order.bond", "order.price"),
    ("order.acceptBy", "order.inputBy"),
    ("order.inputBy", "order.deliverBy"),
    ("order.deliverBy", "order.rescueBy"),
    ("order.rescueBy", "order.deliverBy"),
    ("OrderStatus.Open", "OrderStatus.Accepted"),
    ("OrderStatus.Accepted", "OrderStatus.Open"),
    ("OrderStatus.Rescued", "OrderStatus.Paid"),
    ("OrderStatus.Paid", "OrderStatus.Rescued"),
    ("OrderStatus.Refunded", "OrderStatus.Cancelled"),
    ("OrderStatus.Cancelled", "OrderStatus.Refunded"),
    ("Outcome.Late", "Outcome.Valid"),
    ("Outcome.Valid", "Outcome.Late"),
    ("Outcome.Rescued", "Outcome.Valid"),
    ("Outcome.Missed", "Outcome.Late"),
)
"""Who is paid, what is counted, which time goes and what became of it: one for another."""
_NOT_CODE = re.compile(r'//[^\n]*|/\*.*?\*/|"[^"\n]*"', re.DOTALL)
_FUNCTION = re.compile(r"\b(?:function\s+(\w+)|(constructor))\s*\(")
_CONTRACT = re.compile(r"^(?:abstract )?(?:contract|library) (\w+)", re.MULTILINE)
_CONSTANT = re.compile(
    r"^ +(?P<type>uint\d+) (?P<seen>public|private) constant (?P<name>\w+) = (?P<value>[^;]+);",
    re.MULTILINE,
)
_DECLARED = re.compile(
    r"(?!return\b|emit\b|delete\b)(?P<type>[A-Za-z][\w.]*(?:\[\])?|mapping\([^;]*?\))"
    r"(?P<where> memory| calldata| storage)? (?P<name>\w+)\s*=(?!=)"
)
_DECLARED_MANY = re.compile(r"\((?P<parts>[^()]*\w \w[^()]*)\)\s*=(?!=)")
_UNSET = re.compile(r"(?!return\b|delete\b)[A-Za-z][\w.]* (?:memory )?\w+;")
_YUL = re.compile(r"(?P<let>let )?(?P<name>\w+) := |(?:mstore|calldatacopy)(?=\()")
OPEN, CLOSED = "([{", ")]}"


@dataclass(frozen=True)
class Place:
    """A part of a source, `start` to `end`, that is changed as a whole.

    `kind`: `statement`, `declaration`, `condition`, `constant`, `yul`; `guard`, against being
    entered again; `guarded`, an `if` with the `only` statement that it has, both of which are left
    out together.
    """

    kind: str
    within: str
    start: int
    end: int


@dataclass(frozen=True)
class Mutant:
    """One change: what stands from `start` to `end` becomes `text`. `line` is from 1."""

    file: str
    place: Place
    start: int
    end: int
    text: str
    what: str
    line: int
    code: str

    @property
    def name(self) -> tuple[str, str, str]:
        """Contract and function, the line as it stands, and the change: stays when lines move."""
        return self.place.within, self.code, self.what

    def applied(self, source: str) -> str:
        return source[: self.start] + self.text + source[self.end :]


def masked(source: str) -> str:
    """The source with blanks for comments and what is in quotes, at the same offsets."""
    return _NOT_CODE.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), source)


def matching(code: str, start: int) -> int:
    """Where the bracket that opens at `start` is closed."""
    depth = 0
    for at in range(start, len(code)):
        depth += (code[at] in OPEN) - (code[at] in CLOSED)
        if depth == 0:
            return at
    raise ValueError(f"nothing closes what opens at {start}")


def places(source: str) -> list[Place]:
    """All places of a source, in their order; what encloses another comes before it."""
    code = masked(source)
    contracts = [(match.start(), match[1]) for match in _CONTRACT.finditer(code)]

    def contract(at: int) -> str:
        return [name for start, name in contracts if start < at][-1]

    found = []
    for match in _CONSTANT.finditer(code):
        within = f"{contract(match.start())}.{match['name']}"
        found.append(Place("constant", within, match.start("value"), match.end("value")))
    for match in _FUNCTION.finditer(code):
        at = head = matching(code, match.end() - 1) + 1
        while code[at] not in "{;":
            at = matching(code, at) + 1 if code[at] == "(" else at + 1
        if code[at] == "{" and not match[2]:
            reader = _Reader(code, f"{contract(match.start())}.{match[1]}")
            guard = code.find("nonReentrant", head, at)
            if guard >= 0:
                reader.add("guard", guard, guard + len("nonReentrant"))
            reader.block(at)
            found += reader.found
    return sorted(found, key=lambda place: (place.start, -place.end))


class _Reader:
    """Finds the places of one function."""

    def __init__(self, code: str, within: str) -> None:
        self.code = code
        self.within = within
        self.found: list[Place] = []

    def add(self, kind: str, start: int, end: int) -> None:
        while self.code[start].isspace():
            start += 1
        while self.code[end - 1].isspace():
            end -= 1
        self.found.append(Place(kind, self.within, start, end))

    def block(self, at: int) -> int:
        """Reads a block, and returns where what follows it begins."""
        end = matching(self.code, at)
        at = self.blank(at + 1)
        while at < end:
            at = self.blank(self.statement(at))
        return end + 1

    def blank(self, at: int) -> int:
        while at < len(self.code) and self.code[at].isspace():
            at += 1
        return at

    def statement(self, at: int) -> int:
        word = re.match(r"\w*", self.code[at:])
        name = word[0] if word else ""
        if self.code[at] == "{":
            return self.block(at)
        if name == "if":
            return self.condition(at)
        if name == "for":
            return self.loop(at)
        if name == "try":
            return self.attempt(at)
        if name == "assembly":
            start = self.code.index("{", at)
            self.assembly(start)
            return matching(self.code, start) + 1
        return self.simple(at)

    def simple(self, at: int) -> int:
        end = at
        while self.code[end] != ";":
            end = matching(self.code, end) + 1 if self.code[end] in OPEN else end + 1
        declared = _DECLARED.match(self.code, at) or _DECLARED_MANY.match(self.code, at)
        if not _UNSET.match(self.code, at):
            self.add("declaration" if declared else "statement", at, end + 1)
        return end + 1

    def condition(self, at: int) -> int:
        start = self.code.index("(", at)
        end = matching(self.code, start)
        follows = self.blank(end + 1)
        guard = len(self.found)
        self.add("condition", start + 1, end)
        after = self.statement(follows)
        other = self.blank(after)
        if self.code.startswith("else", other):
            return self.statement(self.blank(other + 4))
        if self.code[follows] != "{":
            self.found[-1] = replace(self.found[-1], kind="only")
            self.found.insert(guard, Place("guarded", self.within, at, after))
        return after

    def loop(self, at: int) -> int:
        start = self.code.index("(", at)
        end = matching(self.code, start)
        first, last = self.code.index(";", start), self.code.rindex(";", start, end)
        self.add("condition", self.code.index("=", start) + 1, first)
        self.add("condition", first + 1, last)
        return self.statement(self.blank(end + 1))

    def attempt(self, at: int) -> int:
        """A `try` and its `catch`: the call itself stays as it is, the blocks are read."""
        while True:
            while self.code[at] != "{" or self.code[at - 1].isalnum():
                at = matching(self.code, at) + 1 if self.code[at] in OPEN else at + 1
            at = self.block(at)
            if not self.code.startswith("catch", self.blank(at)):
                return at

    def assembly(self, at: int) -> None:
        end = matching(self.code, at)
        for match in _YUL.finditer(self.code, at, end):
            last = self.code.index("(", match.end())
            self.add("yul", match.start(), matching(self.code, last) + 1)


def mutants(file: str, source: str) -> list[Mutant]:
    """All changes of a source, in the order of its places; none twice."""
    code = masked(source)
    words = set(re.findall(r"\w+", code))
    found: list[Mutant] = []
    names: set[tuple[str, str, str]] = set()
    for place in places(source):
        for start, end, text, what in _changes(place, code, words):
            line_at = source.rfind("\n", 0, start) + 1
            shown = source[line_at : source.index("\n", start)].split(" //")[0].strip()
            unique, times = what, 1
            while (place.within, shown, unique) in names:
                times += 1
                unique = f"{what}, {times}"
            names.add((place.within, shown, unique))
            line = source.count("\n", 0, start) + 1
            found.append(Mutant(file, place, start, end, text, unique, line, shown))
    return found


def _changes(place: Place, code: str, words: set[str]) -> Iterator[tuple[int, int, str, str]]:
    """Start, end, what comes there, and what it is, of each change of a place."""
    if place.kind in ("guard", "guarded"):
        yield place.start, place.end, "", "left out"
        return
    first = place.start
    if place.kind == "declaration":
        declared = _DECLARED.match(code, first) or _DECLARED_MANY.match(code, first)
        first = declared.end() if declared else first
    elif place.kind in ("statement", "yul") and not code.startswith("return", first):
        if not re.match(r"\w+ := |let ", code[first:]):
            yield place.start, place.end, "", "left out"
    elif place.kind == "condition" and re.fullmatch(r"[A-Za-z_][\w.]*", code[first : place.end]):
        yield first, place.end, "true", "always"
    for match in _SYMBOL.finditer(code, first, place.end):
        for other in SWAPPED.get(match[0], ()):
            yield match.start(), match.end(), other, f"{match[0]} to {other or 'nothing'}"
    for match in _NUMBER.finditer(code, first, place.end):
        for other in (str(int(match[0].replace("_", "")) + 1), "0"):
            if other != match[0]:
                yield match.start(), match.end(), other, f"{match[0]} to {other}"
    for one, other in EXCHANGED:
        if other.split(".")[0] not in words:
            continue
        for match in re.finditer(rf"(?<![\w.]){re.escape(one)}(?![\w.])", code[first : place.end]):
            start, end = first + match.start(), first + match.end()
            yield start, end, other, f"{one} to {other}"

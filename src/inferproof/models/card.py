"""The model card: what a model is, takes, answers and costs, in one strict TOML file.

A card lies in a folder beside the files that it names. It is untrusted: its size is
limited, an unknown key is an error, and no name in it leads out of the folder.

The `preprocessing` table is kept as it was written; `inferproof.inference.preprocess`
reads it, together with its sidecar files, into the form that is committed to.
"""

import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from inferproof.errors import ModelRejected, Reason
from inferproof.models.axes import Axes
from inferproof.models.card_table import Table
from inferproof.protocol.revenue import DEVELOPER_BPS, WHOLE_BPS
from inferproof.types.digest import ZERO_ADDRESS, Address
from inferproof.types.money import format_units, parse_units

CARD_SCHEMA = "inferproof/model-card/1"
# A card is written by a person; the three of the zoo take 4 to 8 KiB.
MAX_CARD_BYTES = 65_536
CURRENCY_DECIMALS = {"USDC": 6}
DEFAULT_SYSTEM = "sumcheck"
"""The proof system that is meant where none is named. Where its native module is missing, no other
takes its place."""
MAX_AXES = 64
MAX_AXIS = 2**31 - 1
"""The largest size that intake takes for anything; a model with more open axes is unheard of."""
INPUT_TYPES = ("text", "vector", "image", "tensor", "features")
CUT, REFUSE = "cut", "refuse"
"""Values beyond a model's range are cut to it, and counted; or the input is refused unpaid."""
CLASSIFICATION = "classification"
OUTPUT_TYPES = (CLASSIFICATION, "regression", "embedding")

_SLUG = re.compile(r"[a-z0-9]{1,40}(-[a-z0-9]{1,40}){0,7}")
_NUMBER = r"(0|[1-9][0-9]{0,8})"
_SEMVER = re.compile(rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}(-[0-9A-Za-z.-]{{1,40}})?")
_PRICE = re.compile(r"(0|[1-9][0-9]{0,11})(\.[0-9]{1,6})?")
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
_FILE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True, slots=True)
class Example:
    """One natural input, and the label that the model is expected to give it."""

    title: str
    value: Any
    label: str | None


@dataclass(frozen=True, slots=True)
class CardInput:
    """What goes in. `max_bytes` bounds the raw input as it comes over the wire; `out_of_range`
    says what becomes of values beyond the range that the model was calibrated for; `axes` sizes
    what the model leaves open."""

    type: str
    max_bytes: int
    examples: tuple[Example, ...]
    out_of_range: str = CUT
    axes: Axes = field(default_factory=Axes)


@dataclass(frozen=True, slots=True)
class CardOutput:
    """What comes out. `labels` name the output's elements in order."""

    type: str
    labels: tuple[str, ...]
    unit: str


@dataclass(frozen=True, slots=True)
class Price:
    """The price of one call. Units: atomic (one millionth of a USDC)."""

    atomic: int
    currency: str

    def __str__(self) -> str:
        return f"{format_units(self.atomic, CURRENCY_DECIMALS[self.currency])} {self.currency}"


@dataclass(frozen=True, slots=True)
class CardProof:
    """How a call is proven, and whether the proof shows the input or a hash of it."""

    system: str
    input_visibility: str


@dataclass(frozen=True, slots=True)
class Revenue:
    """How a payment is shared. Units: basis points, which sum to 10,000. `pay_to` is where the
    developer's share goes; None is the address of who submits the model."""

    developer_bps: int
    platform_bps: int
    pay_to: Address | None = None


@dataclass(frozen=True, slots=True)
class CardFiles:
    """File names beside the card; only the model is required."""

    model: str
    calibration: str | None
    test: str | None
    metrics: str | None
    data_card: str | None


@dataclass(frozen=True, slots=True)
class ModelCard:
    """A checked model card and the folder it came from."""

    id: str
    version: str
    title: str
    description: str
    category: str
    developer: str
    license: str
    files: CardFiles
    input: CardInput
    output: CardOutput
    price: Price
    proof: CardProof
    revenue: Revenue
    preprocessing: dict[str, Any]
    folder: Path

    @property
    def name(self) -> str:
        """Id and version in one word: crypto-news-sentiment@1.0.0."""
        return f"{self.id}@{self.version}"

    @property
    def model_path(self) -> Path:
        return self.folder / self.files.model

    @property
    def calibration_path(self) -> Path | None:
        return self.folder / self.files.calibration if self.files.calibration else None


def load_card(path: Path) -> ModelCard:
    """The card in a file, or in `card.toml` of a folder.

    Raises: ModelRejected with CARD_UNREADABLE (missing, not UTF-8, not TOML), CARD_TOO_LARGE,
    CARD_UNKNOWN_KEY, CARD_MISSING_KEY, CARD_BAD_VALUE or CARD_PATH_ESCAPES.
    """
    return parse_card(*read_card(path))


def read_card(path: Path) -> tuple[dict[str, Any], Path]:
    """The TOML document of a card as it stands, and the folder that it lies in.

    Raises: ModelRejected CARD_UNREADABLE, CARD_TOO_LARGE.
    """
    if path.is_dir():
        path = path / "card.toml"
    text = read_sidecar(path, MAX_CARD_BYTES)
    try:
        return tomllib.loads(text), path.parent
    except tomllib.TOMLDecodeError as error:
        problem = f"it is not TOML: {error}"
    except (RecursionError, ValueError):
        # Deep nesting, or a number or date that Python will not convert.
        problem = "it is not TOML that can be read: too deep, or a number too long"
    raise ModelRejected(Reason.CARD_UNREADABLE, file=path.name, problem=problem)


def parse_card(content: dict[str, Any], folder: Path) -> ModelCard:
    """The card in a parsed TOML document.

    Raises: as `load_card`.
    """
    top = Table(content, "")
    top.exactly("schema", CARD_SCHEMA)
    output = _output(top.table("output"))
    card = ModelCard(
        id=top.text("id", longest=64, pattern=_SLUG, form="words of a-z and 0-9 joined by -"),
        version=top.text("version", longest=64, pattern=_SEMVER, form="a version such as 1.0.0"),
        title=top.text("title", longest=100),
        description=top.text("description", longest=4000),
        category=top.text(
            "category", longest=64, pattern=_SLUG, form="words of a-z and 0-9 joined by -"
        ),
        developer=top.text("developer", longest=100),
        license=top.text("license", longest=100),
        files=_files(top.table("files"), folder),
        input=_input(top.table("input"), output),
        output=output,
        price=_price(top.table("price")),
        proof=_proof(top.table("proof")),
        revenue=_revenue(top),
        preprocessing=top.plain_table("preprocessing"),
        folder=folder,
    )
    top.done()
    return card


def read_sidecar(path: Path, limit: int) -> str:
    """The UTF-8 text of a small file.

    Raises: ModelRejected CARD_UNREADABLE or CARD_TOO_LARGE.
    """
    problem = "it is not UTF-8 text"
    # A pipe or a device would be waited for without end.
    if path.exists() and not path.is_file():
        raise ModelRejected(
            Reason.CARD_UNREADABLE, file=path.name, problem="it is not a plain file"
        )
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
        if len(data) > limit:
            raise ModelRejected(
                Reason.CARD_TOO_LARGE, file=path.name, size=path.stat().st_size, limit=limit
            )
        return data.decode("utf-8")
    except UnicodeDecodeError:
        pass
    except OSError as error:
        problem = error.strerror or type(error).__name__
    raise ModelRejected(Reason.CARD_UNREADABLE, file=path.name, problem=problem)


def beside_card(table: Table, key: str, folder: Path) -> str:
    """The plain file name under a key; neither it nor a link behind it leaves the folder.

    Raises: ModelRejected CARD_BAD_VALUE or CARD_PATH_ESCAPES.
    """
    name = table.text(key, longest=4096)
    if _FILE.fullmatch(name) is None or (folder / name).resolve().parent != folder.resolve():
        raise ModelRejected(Reason.CARD_PATH_ESCAPES, key=table.key(key))
    return name


def _files(table: Table, folder: Path) -> CardFiles:
    def optional(key: str) -> str | None:
        return None if table.take(key, None) is None else beside_card(table, key, folder)

    files = CardFiles(
        model=beside_card(table, "model", folder),
        calibration=optional("calibration"),
        test=optional("test"),
        metrics=optional("metrics"),
        data_card=optional("data_card"),
    )
    table.done()
    return files


def _input(table: Table, output: CardOutput) -> CardInput:
    kind = table.choice("type", INPUT_TYPES)
    max_bytes = table.integer("max_bytes", 1, 64 * 1024 * 1024)
    examples = []
    for example in table.tables("examples", 20):
        title = example.text("title", longest=100)
        value = example.take("value")
        if kind == "text" and not isinstance(value, str):
            example.fail("value", "it must be a text")
        if kind == "vector" and not isinstance(value, dict):
            example.fail("value", "it must be a table of fields")
        label = example.take("label", None)
        if label is not None and label not in output.labels:
            example.fail("label", "it must be one of the output's labels")
        example.done()
        examples.append(Example(title, value, label))
    beyond = table.choice("out_of_range", (CUT, REFUSE), CUT)
    axes = Axes(table.integer("batch", 1, MAX_AXIS, 1), _sizes(table))
    table.done()
    return CardInput(kind, max_bytes, tuple(examples), beyond, axes)


def _sizes(table: Table) -> dict[str, int]:
    """Sizes by the names of open axes: the table input.shape."""
    if table.take("shape", None) is None:
        return {}
    sizes = table.table("shape")
    named = {name: sizes.integer(name, 1, MAX_AXIS) for name in sizes.keys()[:MAX_AXES]}
    sizes.done()
    return named


def _output(table: Table) -> CardOutput:
    kind = table.choice("type", OUTPUT_TYPES)
    labels = table.texts("labels", 10_000, longest=100)
    unit = table.text("unit", longest=100)
    if kind == CLASSIFICATION and len(labels) < 2:
        table.fail("labels", "a classification has at least 2 labels")
    table.done()
    return CardOutput(kind, labels, unit)


def _price(table: Table) -> Price:
    currency = table.choice("currency", tuple(CURRENCY_DECIMALS))
    text = table.text("amount", longest=20, pattern=_PRICE, form='a decimal text such as "0.25"')
    atomic = parse_units(text, CURRENCY_DECIMALS[currency])
    if atomic == 0:
        table.fail("amount", "it must be more than nothing")
    table.done()
    return Price(atomic, currency)


def _proof(table: Table) -> CardProof:
    proof = CardProof(
        system=table.text(
            "system",
            longest=64,
            pattern=_SLUG,
            form="the name of a proof system",
            default=DEFAULT_SYSTEM,
        ),
        input_visibility=table.choice("input_visibility", ("public", "hashed")),
    )
    table.done()
    return proof


def _revenue(top: Table) -> Revenue:
    if top.take("revenue", None) is None:
        return Revenue(DEVELOPER_BPS, WHOLE_BPS - DEVELOPER_BPS)
    table = top.table("revenue")
    developer = table.integer("developer_bps", 0, WHOLE_BPS)
    platform = table.integer("platform_bps", 0, WHOLE_BPS)
    if developer + platform != WHOLE_BPS:
        table.fail("platform_bps", "developer_bps and platform_bps must sum to 10000")
    pay_to = None
    if table.take("pay_to", None) is not None:
        form = "an address: 0x and 40 hex digits"
        pay_to = Address.from_hex(table.text("pay_to", longest=42, pattern=_ADDRESS, form=form))
        if pay_to == ZERO_ADDRESS:
            table.fail("pay_to", "nobody has the zero address")
    table.done()
    return Revenue(developer, platform, pay_to)

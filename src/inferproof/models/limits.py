"""How much an untrusted model file may ask for, and why each bound has its value."""

from dataclasses import asdict, dataclass, fields

OLDEST_OPSET = 6
"""The oldest opset that the converter of the onnx package reads without losing attributes that
opset 1 to 5 had; exporters have not written those since 2018."""

CONVERTED_BELOW = 9
"""Older opsets give broadcasting and batch normalisation other meanings: such a model is brought
to `CONVERTED_TO` before anything else looks at it."""

CONVERTED_TO = 13
"""Far enough for every later rule, and near enough that the converter changes little."""

UNNAMED_OPSET = CONVERTED_TO
"""What is taken for a model that imports the operators of classical machine learning alone."""

NEWEST_OPSET = 26
"""The newest opset that the locked ONNX Runtime (1.31) runs without calling it experimental."""

NEWEST_READ = 28
"""The newest of the onnx package. What is newer than NEWEST_OPSET is read as that: operators only
gained types and attributes since, which are refused where a model uses them."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on one model file. Each default leaves room for models far beyond what can be
    proven today, and is far below what would hurt a machine with 8 GiB of memory.
    """

    file_bytes: int = 256 * 2**20
    """A float32 model of 64 million parameters; proving stops near one million."""

    external_bytes: int = 512 * 2**20
    """External files together. They replace weights in the file, so the bound on weights."""

    weight_bytes: int = 512 * 2**20
    """All constants together. Protobuf itself cannot hold 2 GiB, and the canonical file must."""

    fields: int = 6_000_000
    """Protobuf fields. An empty message is 2 bytes in the file and about 100 in memory, so a
    file within `file_bytes` could otherwise fill 12 GiB. A default forest on 20,000 rows has
    2.5 million; so many are counted in some seconds."""

    message_depth: int = 32
    """Protobuf nesting. A flat graph needs 8 levels; the parser's own limit is 100."""

    nodes: int = 20_000
    """Large transformers export to about 5,000; each node costs some 0.2 ms to check."""

    tensors: int = 20_000
    """Stored tensors. A node rarely has more than one of its own."""

    name_bytes: int = 1024
    """One name. Exporters write module paths of up to about 200 bytes."""

    attribute_bytes: int = 512 * 2**10
    """Of one attribute. Real lists hold a handful of values; weights belong in tensors."""

    ensemble_bytes: int = 32 * 2**20
    """The same of an operator of classical machine learning, which keeps lists of all nodes of its
    trees: XGBoost's thousand trees of depth 6 have 127,000, 1 MiB of whole numbers. How many nodes
    there may be, some 850,000, `fields` says: in a file each value of a list is one."""

    node_attributes: int = 64
    """Attributes of one node. The standard operator with the most has 15."""

    node_arguments: int = 4096
    """Inputs and outputs of one node. Concat and Sum may take hundreds."""

    rank: int = 8
    """Dimensions of a tensor. Video batches have 5; provers stop at 6 or so."""

    tensor_elements: int = 2**26
    """Elements of any tensor, stored or computed: 256 MiB as float32."""

    size_operand: int = 2**31 - 1
    """Any number that sizes a tensor (a repeat, a pad, a target shape). Products of two such
    numbers stay within int64, so that no shape can wrap around to a small one."""

    activation_elements: int = 2**28
    """Computed elements of one run together: 1 GiB as float32 when all are kept."""

    multiply_adds: int = 10**11
    """Work of one run: some seconds on one core, and hours to prove."""

    cpu_seconds: int = 30
    """Of processor time, for reading a model and again for running it on calibration samples.
    Reading 256 MiB takes about 5 s on a slow machine, and 20,000 nodes 2 s."""

    wall_seconds: float = 120.0
    """By the clock: beyond it the machine is at fault."""

    memory_bytes: int = 4 * 2**30
    """Address space of the reading process: the file, its parsed form, its arrays and the
    canonical file stand beside each other once, about 4 x 512 MiB, besides libraries."""

    def to_dict(self) -> dict[str, int | float]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, int | float]) -> "Limits":
        """The limits written by `to_dict`. Raises: ValueError for unknown or missing names."""
        if set(values) != {field.name for field in fields(cls)}:
            raise ValueError("limits are written with exactly their fields")
        return cls(**values)  # type: ignore[arg-type]


DEFAULT_LIMITS = Limits()

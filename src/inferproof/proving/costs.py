"""What proving costs on one machine: measured points in a file, and the law through them.

    costs.json = document "inferproof/costs/2" {
        system, version, measured_at,
        machine: { cpu, cores, memory_bytes, system, build },
        points:  [ { weights, products, steps, prove_us, verify_us }, … ] }

Only what was measured is kept; the law is fitted when the file is read.
"""

import os
import platform
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
import numpy.typing as npt

from inferproof.errors import ArtifactRejected, Reason
from inferproof.protocol.documents import decode_document, encode_document
from inferproof.protocol.encoding import Json
from inferproof.protocol.fields import Fields

FILE = "costs.json"
"""Its name in the data folder."""
FORMAT = "inferproof/costs/2"
MAX_BYTES = 2**20
MAX_POINTS = 1024


@dataclass(frozen=True, slots=True)
class Size:
    """What the cost of a proof depends on: committed weights, multiply-adds with them, and all
    other steps of one run (comparisons, copies, products of computed values)."""

    weights: int
    products: int
    steps: int


@dataclass(frozen=True, slots=True)
class Point:
    """One measured size. Units: microseconds, medians."""

    size: Size
    prove_us: int
    verify_us: int


@dataclass(frozen=True, slots=True)
class Machine:
    """Where it was measured. `build` names the proof system's build. Units: bytes."""

    cpu: str
    cores: int
    memory_bytes: int
    system: str
    build: str


@dataclass(frozen=True, slots=True)
class Costs:
    """What proofs of one system cost on one machine. `measured_at` is in Unix seconds."""

    system: str
    version: str
    measured_at: int
    machine: Machine
    points: tuple[Point, ...]

    def seconds(self, size: Size) -> tuple[float, float]:
        """What a proof of this size takes to make and to verify, by the law through the points."""
        sizes = [point.size for point in self.points]
        prove = fit(sizes, [point.prove_us for point in self.points])
        verify = fit(sizes, [point.verify_us for point in self.points])
        row = _row(size)
        return float(row @ prove) / 1e6, float(row @ verify) / 1e6


def fit(sizes: Sequence[Size], measured: Sequence[int]) -> npt.NDArray[np.float64]:
    """The cost of a proof as such and of each weight, product and step, none below 0.

    Least squares of the errors relative to each measurement, so that small proofs count as much as
    large ones. Every set of terms is tried and those with a negative one are left out: a cost
    below nothing would foresee proofs that take no time.
    """
    rows = np.array([_row(size) for size in sizes])
    times = np.array(measured, dtype=np.float64)
    rows, ones = rows / times[:, None], np.ones(len(times))
    best, least = np.zeros(rows.shape[1]), float(len(times))
    for count in range(1, rows.shape[1] + 1):
        for chosen in combinations(range(rows.shape[1]), count):
            columns = rows[:, chosen]
            # Columns differ by ten powers of ten: brought to one length before they are compared.
            lengths = np.linalg.norm(columns, axis=0)
            found = np.linalg.lstsq(columns / lengths, ones, rcond=None)[0] / lengths
            error = float(np.square(columns @ found - ones).sum())
            if (found >= 0).all() and error < least:
                best, least = np.zeros(rows.shape[1]), error
                best[list(chosen)] = found
    return best


def _row(size: Size) -> npt.NDArray[np.float64]:
    return np.array([1, *astuple(size)], dtype=np.float64)


def this_machine(build: str) -> Machine:
    """The facts of the machine that this runs on."""
    return Machine(
        cpu=_cpu()[:200],
        cores=os.cpu_count() or 1,
        memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        system=f"{platform.system()} {platform.machine()}",
        build=build,
    )


def _cpu() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    except OSError:
        return platform.processor() or "unknown"
    line = next((line for line in text.splitlines() if line.startswith("model name")), "")
    return " ".join(line.partition(":")[2].split()) or "unknown"


def encode_costs(costs: Costs) -> bytes:
    """The file's bytes."""
    machine = costs.machine
    points: list[Json] = [
        {
            "weights": point.size.weights,
            "products": point.size.products,
            "steps": point.size.steps,
            "prove_us": point.prove_us,
            "verify_us": point.verify_us,
        }
        for point in costs.points
    ]
    body: dict[str, Json] = {
        "system": costs.system,
        "version": costs.version,
        "measured_at": costs.measured_at,
        "machine": {
            "cpu": machine.cpu,
            "cores": machine.cores,
            "memory_bytes": machine.memory_bytes,
            "system": machine.system,
            "build": machine.build,
        },
        "points": points,
    }
    return encode_document(FORMAT, body)


def decode_costs(data: bytes) -> Costs:
    """The costs in these bytes. Raises: ArtifactRejected with a decoding reason."""
    return decode_document(data, FORMAT, _costs, max_bytes=MAX_BYTES, kind=ArtifactRejected)


def _costs(fields: Fields) -> Costs:
    machine = fields.child(fields.take("machine", dict), "machine")
    points = fields.take("points", list)
    if not 1 <= len(points) <= MAX_POINTS:
        raise fields.malformed("points")
    costs = Costs(
        system=fields.text("system", most=64),
        version=fields.text("version", most=64),
        measured_at=fields.integer("measured_at"),
        machine=Machine(
            cpu=machine.text("cpu"),
            cores=machine.integer("cores", least=1),
            memory_bytes=machine.integer("memory_bytes"),
            system=machine.text("system"),
            build=machine.text("build", most=64),
        ),
        points=tuple(_point(fields.child(item, "points")) for item in points),
    )
    machine.end()
    fields.end()
    return costs


def _point(fields: Fields) -> Point:
    size = Size(*(fields.integer(name, least=1) for name in ("weights", "products", "steps")))
    times = (fields.integer("prove_us", least=1), fields.integer("verify_us", least=1))
    point = Point(size, *times)
    fields.end()
    return point


def read_costs(path: Path, system: str, version: str) -> Costs | None:
    """What was measured for this version of a system; None where nothing was.

    The machine is not compared: gateways and workers may share the folder.
    Raises: ArtifactRejected COSTS_OTHER, FILE_UNREADABLE or a decoding reason.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        why = (error.strerror or type(error).__name__).lower()
        raise ArtifactRejected(Reason.FILE_UNREADABLE, path=path, why=why) from None
    try:
        costs = decode_costs(data)
    except ArtifactRejected as error:
        if error.reason is not Reason.DOCUMENT_FORMAT:
            raise
        got = error.facts["got"]
        raise ArtifactRejected(Reason.COSTS_OTHER, path=path, got=got, expected=FORMAT) from None
    got, expected = f"{costs.system} {costs.version}", f"{system} {version}"
    if got != expected:
        raise ArtifactRejected(Reason.COSTS_OTHER, path=path, got=got, expected=expected)
    return costs

"""Calls to ezkl in one working folder: settings, circuits and witnesses for given parameters."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from inferproof.proving.ezkl.field import LIMBS, from_felt
from inferproof.proving.ezkl.layout import grow
from inferproof.proving.ezkl.library import ezkl_errors, library
from inferproof.proving.ezkl.settings import INNER_COLUMNS, canonical_settings
from inferproof.types.proof import Visibility
from inferproof.types.tensor import TensorSpec

MIN_LOGROWS = 6
MARGIN_ROWS = 32
"""Rows that halo2 keeps for blinding, and a little more."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """What is tuned: binary scale of inputs and weights, digits of decompositions, lookup range."""

    scale: int
    base_bits: int
    legs: int
    lookup: tuple[int, int] = (-(2**15), 2**15)

    @property
    def bits(self) -> int:
        return self.base_bits * self.legs


@dataclass(frozen=True, slots=True)
class Size:
    """How large a circuit is: rows of its widest part, and the log2 of rows it needs."""

    rows: int
    logrows: int
    lookups: bool


class Bench:
    """A working folder with the bound graph. Shapes: samples are one array per graph input."""

    def __init__(
        self,
        folder: Path,
        graph: bytes,
        inputs: tuple[TensorSpec, ...],
        outputs: tuple[TensorSpec, ...],
        visibility: Visibility,
    ) -> None:
        self.folder = folder
        self.inputs = inputs
        self.outputs = outputs
        self.visibility = visibility
        self._ezkl = library()
        self.graph = folder / "circuit.onnx"
        self.graph.write_bytes(graph)
        self.settings = folder / "settings.json"
        self.network = folder / "network.compiled"

    def measure(self, parameters: Parameters, logrows: int = 17) -> Size:
        """Writes settings.json for the parameters; the circuit's size. Raises: EzklFailed."""
        run = self._ezkl.PyRunArgs()
        run.input_visibility = self.visibility.value
        run.output_visibility = "public"
        run.param_visibility = "fixed"
        run.input_scale = run.param_scale = parameters.scale
        run.num_inner_cols = INNER_COLUMNS
        run.decomp_base = 2**parameters.base_bits
        run.decomp_legs = parameters.legs
        run.lookup_range = parameters.lookup
        run.logrows = logrows
        with ezkl_errors():
            self._ezkl.gen_settings(str(self.graph), str(self.settings), run)
        self.settings.write_bytes(canonical_settings(self.settings.read_bytes()))
        return _size(json.loads(self.settings.read_bytes()), parameters)

    def compile(self) -> None:
        """Writes network.compiled for settings.json. Raises: EzklFailed."""
        with ezkl_errors():
            self._ezkl.compile_circuit(str(self.graph), str(self.network), str(self.settings))

    def write_input(self, name: str, sample: list[npt.NDArray[np.float32]]) -> Path:
        """A sample as ezkl reads it, salts and binding at zero."""
        path = self.folder / name
        path.write_text(
            json.dumps({"input_data": input_data(sample, self.inputs, self.visibility)})
        )
        return path

    def witness(self, sample: Path) -> dict[str, Any]:
        """ezkl's witness of a sample written before. Raises: EzklFailed."""
        with ezkl_errors():
            witness: dict[str, Any] = self._ezkl.gen_witness(
                str(sample), str(self.network), str(self.folder / "witness.json")
            )
        return witness

    def output_scales(self) -> list[int]:
        """The binary scales of the outputs in settings.json."""
        scales = json.loads(self.settings.read_bytes())["model_output_scales"]
        return [int(s) for s in scales[: len(self.outputs)]]


def input_data(
    sample: list[npt.NDArray[np.float32]],
    inputs: tuple[TensorSpec, ...],
    visibility: Visibility,
) -> list[list[float]]:
    """The input data of a witness, with salts and binding at zero."""
    if visibility is Visibility.HASHED:
        sample = [grow(spec).pad(array) for spec, array in zip(inputs, sample, strict=True)]
    return [*(array.reshape(-1).tolist() for array in sample), [0] * LIMBS]


def output_values(witness: dict[str, Any], count: int) -> list[list[int]]:
    """The quantised outputs in a witness."""
    return [[from_felt(felt) for felt in tensor] for tensor in witness["outputs"][:count]]


def _size(settings: dict[str, Any], parameters: Parameters) -> Size:
    rows = int(settings["num_rows"])
    tables = [hi - lo + 1 for lo, hi in settings["required_range_checks"]]
    if settings["required_lookups"]:
        tables.append(parameters.lookup[1] - parameters.lookup[0] + 1)
    public = sum(int(np.prod(shape)) for shape in settings["model_instance_shapes"])
    dynamic = settings["total_dynamic_col_size"] + settings["total_shuffle_col_size"]
    tallest = max([rows, public, dynamic, settings["total_const_size"], *tables])
    logrows = max(MIN_LOGROWS, (tallest + MARGIN_ROWS - 1).bit_length())
    return Size(rows, logrows, bool(settings["required_lookups"]))

"""The peer: ezkl on one model, from its settings to its accuracy, in a process of its own.

    python -m bench.peer_ezkl MODEL.onnx CALIBRATION.npz FRESH.npz FOLDER ERROR

ERROR is the native prover's largest error, for which ezkl's scale is chosen. Prints a line of JSON
when a stage begins and one when figures are known, so that whoever ends it early has what was
reached. Units: seconds, bytes, and 10^6 bytes where a name ends with `_mb`.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
from onnx import helper, numpy_helper

from bench.measure import spread
from inferproof.proving.ezkl.library import EzklFailed, ezkl_errors, library
from inferproof.proving.srs import development_srs
from inferproof.proving.worker import peak_bytes, reset_peak

ezkl = library()

SCALES = (7, 8, 9, 10, 11, 12, 13)
"""Bits after the point; 7 is ezkl's default."""
LEGS = (2, 3, 4)
DIGIT = 14
"""ezkl's own digits: base 2^14, and so many of them as the values need."""
NARROW = (9, 10, 11, 12, 13)
"""Smaller digits, which need smaller tables: they are tried where the table is the largest part."""
BOUND = 0.01
"""Of the largest output: an error that is always good enough."""
TRIED = 2
"""Calibration samples that a scale is chosen with."""
SPARE_ROWS = 32
MOST_LOGROWS = 26
"""ezkl's own bound (`MAX_PUBLIC_SRS` in its `src/graph/mod.rs`): its public SRS ends there."""
LOOKUP_MARGIN = 2
PROVING_S = 10.0
PROOFS = 5
VERIFIES = 3

Array = npt.NDArray[Any]
Sample = dict[str, Array]
Tell = Callable[[dict[str, Any]], None]


def main(arguments: list[str]) -> None:
    """Measures what the arguments name."""
    model, calibration, fresh, folder = map(Path, arguments[:4])
    folder.mkdir(parents=True, exist_ok=True)
    # ezkl prints tables on descriptor 1: they go to standard error.
    channel = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def tell(line: dict[str, Any]) -> None:
        channel.write(json.dumps(line) + "\n")
        channel.flush()

    try:
        measure(model, read(calibration), read(fresh), folder, float(arguments[4]), tell)
    except EzklFailed as error:
        tell({"failed": str(error)})


def measure(
    model: Path,
    calibration: list[Sample],
    fresh: list[Sample],
    folder: Path,
    error: float,
    tell: Tell,
) -> None:
    """Tells each stage and its figures. Raises: EzklFailed."""
    circuit = Circuit(model, folder)
    tell({"stage": "choosing settings"})
    began = time.perf_counter()
    chosen = choose(circuit, calibration, error)
    tell(
        {
            "settings_s": time.perf_counter() - began,
            "spelled": circuit.spelled,
            "logrows": chosen.logrows,
            "rows": circuit.settings()["num_rows"],
            "scale": chosen.scale,
            "decomposition": [2**chosen.digit, chosen.legs],
        }
    )
    tell({"stage": f"making an SRS of 2^{chosen.logrows} rows"})
    srs = development_srs(chosen.logrows, lambda path: ezkl.gen_srs(str(path), chosen.logrows))
    tell({"stage": "setting up"})
    tell(set_up(circuit, srs))
    tell({"stage": "proving"})
    tell(prove(circuit, fresh[0], srs))
    tell({"stage": "verifying"})
    tell(verify(circuit, srs))
    tell({"stage": "comparing with the float model"})
    compare(circuit, fresh, tell)


@dataclass(frozen=True, slots=True)
class Chosen:
    """ezkl's settings: bits after the point, digits of decompositions, rows, range of lookups."""

    scale: int
    legs: int
    digit: int = DIGIT
    logrows: int = 17
    lookup: tuple[int, int] = (-(2**15), 2**15)


class Circuit:
    """A model as ezkl is given it, and the files that ezkl makes of it."""

    def __init__(self, model: Path, folder: Path) -> None:
        names = ("model.onnx", "settings.json", "network.compiled", "vk.key", "pk.key")
        self.model, self.path, self.network, self.vk, self.pk = (folder / n for n in names)
        self.input, self.witness_file, self.proof = (
            folder / name for name in ("input.json", "witness.json", "proof.json")
        )
        proto = onnx.load(model)
        self.spelled = spell(proto.graph)
        onnx.save(proto, self.model)
        self._float = onnxruntime.InferenceSession(
            str(self.model), providers=["CPUExecutionProvider"]
        )

    def build(self, chosen: Chosen) -> int:
        """Writes settings and circuit; the log2 of the rows they need. Raises: EzklFailed."""
        run = ezkl.PyRunArgs()
        run.input_scale = run.param_scale = chosen.scale
        run.decomp_base, run.decomp_legs = 2**chosen.digit, chosen.legs
        run.lookup_range, run.logrows = chosen.lookup, chosen.logrows
        with ezkl_errors():
            ezkl.gen_settings(str(self.model), str(self.path), run)
            ezkl.compile_circuit(str(self.model), str(self.network), str(self.path))
        return _logrows(self.settings(), chosen.lookup)

    def settings(self) -> dict[str, Any]:
        """What ezkl wrote."""
        read: dict[str, Any] = json.loads(self.path.read_bytes())
        return read

    def witness(self, sample: Sample) -> dict[str, Any]:
        """ezkl's run of a sample. Raises: EzklFailed."""
        given = [sample[info.name].reshape(-1).tolist() for info in self._float.get_inputs()]
        self.input.write_text(json.dumps({"input_data": given}))
        with ezkl_errors():
            witness: dict[str, Any] = ezkl.gen_witness(
                *map(str, (self.input, self.network, self.witness_file))
            )
        return witness

    def exact(self, sample: Sample) -> list[Array]:
        """The float model's outputs."""
        kinds = {info.name: info.type for info in self._float.get_inputs()}
        found: list[Array] = self._float.run(
            None,
            {
                name: array.astype(np.int64) if "int64" in kind else array
                for (name, kind), array in zip(kinds.items(), sample.values(), strict=True)
            },
        )
        return found

    def outputs(self, witness: dict[str, Any], like: list[Array]) -> list[Array]:
        """The outputs in a witness, in the shapes of the float model's."""
        scales = self.settings()["model_output_scales"]
        return [
            np.array([ezkl.felt_to_float(felt, scale) for felt in felts]).reshape(exact.shape)
            for felts, scale, exact in zip(witness["outputs"], scales, like, strict=True)
        ]


def choose(circuit: Circuit, calibration: list[Sample], error: float) -> Chosen:
    """The smallest scale whose error is within `error`, or a percent of the largest output.

    The finest scale where none is. Digits are as many as the samples need, and smaller than
    ezkl's own where that makes a smaller circuit. Leaves that circuit built. Raises: EzklFailed.
    """
    few = calibration[:TRIED]
    largest = max(float(np.abs(exact).max()) for sample in few for exact in circuit.exact(sample))
    wanted = max(error, BOUND * largest)
    legs, failure = list(LEGS), EzklFailed("no scale was tried")
    chosen: Chosen | None = None
    for scale in SCALES:
        while legs:
            try:
                found, lookup, needed = _try(circuit, Chosen(scale, legs[0]), few)
            except EzklFailed as problem:
                failure = problem
                legs.pop(0)
                continue
            chosen = Chosen(scale, legs[0], DIGIT, needed, lookup)
            break
        if not legs or found <= wanted:
            break
    if chosen is None:
        raise failure
    narrow = _narrower(circuit, chosen, calibration)
    final = narrow or chosen
    circuit.build(final)
    return final


def _try(
    circuit: Circuit, trial: Chosen, samples: list[Sample]
) -> tuple[float, tuple[int, int], int]:
    """Largest error, range of lookups, and the log2 of the rows for it. Raises: EzklFailed."""
    needed = circuit.build(trial)
    found, low, high = 0.0, 0, 0
    for sample in samples:
        exact = circuit.exact(sample)
        witness = circuit.witness(sample)
        low = min(low, int(witness["min_lookup_inputs"]))
        high = max(high, int(witness["max_lookup_inputs"]))
        pairs = zip(circuit.outputs(witness, exact), exact, strict=True)
        found = max(found, *(float(np.abs(got - want).max()) for got, want in pairs))
    lookup = trial.lookup
    if circuit.settings()["required_lookups"]:
        far = LOOKUP_MARGIN * max(-low, high, 64) + 1
        lookup = (-far, far)
        needed = _logrows(circuit.settings(), lookup)
    if needed > MOST_LOGROWS:
        raise EzklFailed(f"it needs 2^{needed} rows, and its SRS end with 2^{MOST_LOGROWS}")
    return found, lookup, needed


def _narrower(circuit: Circuit, chosen: Chosen, calibration: list[Sample]) -> Chosen | None:
    """Smaller digits that hold every calibration sample in fewer rows, if there are any."""
    if circuit.settings()["num_rows"] > 2**DIGIT:
        return None
    for digit in NARROW:
        trial = Chosen(chosen.scale, 2, digit, chosen.logrows, chosen.lookup)
        try:
            needed = circuit.build(trial)
            if needed >= chosen.logrows:
                continue
            for sample in calibration:
                circuit.witness(sample)
        except EzklFailed:
            continue
        return Chosen(chosen.scale, 2, digit, needed, chosen.lookup)
    return None


def _logrows(settings: dict[str, Any], lookup: tuple[int, int]) -> int:
    """The log2 of the fewest rows that hold the widest part: constraints, tables or constants."""
    tables = [high - low + 1 for low, high in settings["required_range_checks"]]
    if settings["required_lookups"]:
        tables.append(lookup[1] - lookup[0] + 1)
    public = sum(int(np.prod(shape)) for shape in settings["model_instance_shapes"])
    dynamic = settings["total_dynamic_col_size"] + settings["total_shuffle_col_size"]
    tallest = max(settings["num_rows"], public, dynamic, settings["total_const_size"], *tables)
    return int(tallest + SPARE_ROWS - 1).bit_length()


def set_up(circuit: Circuit, srs: Path) -> dict[str, Any]:
    """Makes the keys."""
    reset_peak()
    clock, worked = time.perf_counter(), time.process_time()
    with ezkl_errors():
        ezkl.setup(*map(str, (circuit.network, circuit.vk, circuit.pk, srs)))
    return {
        "setup_s": time.perf_counter() - clock,
        "setup_processor_s": time.process_time() - worked,
        "setup_peak_mb": peak_bytes() / 1e6,
        "key_bytes": circuit.vk.stat().st_size + circuit.pk.stat().st_size,
    }


def prove(circuit: Circuit, sample: Sample, srs: Path) -> dict[str, Any]:
    """Proofs after a warm-up, as many as fit in some seconds; the warm-up itself if none does.

    A proof's time includes its witness.
    """
    runs: list[tuple[float, float, float]] = []
    reset_peak()
    began = time.perf_counter()
    while not runs or (len(runs) <= PROOFS and time.perf_counter() - began < PROVING_S):
        clock, worked = time.perf_counter(), time.process_time()
        circuit.witness(sample)
        witness_s = time.perf_counter() - clock
        files = (circuit.witness_file, circuit.network, circuit.pk, circuit.proof, srs)
        with ezkl_errors():
            ezkl.prove(*map(str, files))
        runs.append((witness_s, time.perf_counter() - clock, time.process_time() - worked))
    witnesses, took, processor = zip(*(runs[1:] or runs), strict=True)
    proof = json.loads(circuit.proof.read_bytes())["proof"]
    return {
        "witness_s": spread(witnesses).json(),
        "prove_s": spread(took).json(),
        "prove_processor_s": spread(processor).median,
        "prove_peak_mb": peak_bytes() / 1e6,
        "proof_bytes": len(proof),
    }


def verify(circuit: Circuit, srs: Path) -> dict[str, Any]:
    """Seconds of ezkl's own check. Raises: EzklFailed where it refuses its proof."""
    took = []
    for _ in range(VERIFIES):
        began = time.perf_counter()
        with ezkl_errors():
            held = ezkl.verify(*map(str, (circuit.proof, circuit.path, circuit.vk, srs)))
        took.append(time.perf_counter() - began)
        if held is not True:
            raise EzklFailed("its own proof does not verify")
    return {"verify_s": spread(took).json()}


def compare(circuit: Circuit, samples: list[Sample], tell: Tell) -> None:
    """Tells error and share of equal answers so far after each sample.

    An answer is the place of the largest value along an output's last axis.
    """
    error = 0.0
    same: list[bool] = []
    for count, sample in enumerate(samples, 1):
        exact = circuit.exact(sample)
        for got, want in zip(circuit.outputs(circuit.witness(sample), exact), exact, strict=True):
            error = max(error, float(np.abs(got - want).max()))
            same += (got.argmax(axis=-1) == want.argmax(axis=-1)).reshape(-1).tolist()
        tell({"max_error": error, "agreement": sum(same) / len(same), "compared": count})


def spell(graph: onnx.GraphProto) -> list[str]:
    """Writes Gelu, which ezkl does not know, as its definition by Erf; what was changed."""
    nodes = []
    for node in graph.node:
        if node.op_type != "Gelu" or any(a.s == b"tanh" for a in node.attribute):
            nodes.append(node)
            continue
        given, result = node.input[0], node.output[0]
        a, b, c, d = (f"{result}.gelu{i}" for i in range(4))
        nodes += [
            helper.make_node("Div", [given, "gelu.root"], [a]),
            helper.make_node("Erf", [a], [b]),
            helper.make_node("Add", [b, "gelu.one"], [c]),
            helper.make_node("Mul", [given, c], [d]),
            helper.make_node("Mul", [d, "gelu.half"], [result]),
        ]
    if len(nodes) == len(graph.node):
        return []
    for name, value in (("root", np.sqrt(2.0)), ("one", 1.0), ("half", 0.5)):
        constant = np.array(value, dtype=np.float32)
        graph.initializer.append(numpy_helper.from_array(constant, f"gelu.{name}"))
    del graph.node[:]
    graph.node.extend(nodes)
    return ["Gelu"]


def read(path: Path) -> list[Sample]:
    """Samples one by one, as float32."""
    with np.load(path) as stored:
        arrays = {name: stored[name].astype(np.float32) for name in stored.files}
    count = len(next(iter(arrays.values())))
    return [{name: array[i] for name, array in arrays.items()} for i in range(count)]


if __name__ == "__main__":
    main(sys.argv[1:])

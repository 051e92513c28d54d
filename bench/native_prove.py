"""One model compiled and proven by the native prover, in a warm process of its own.

    python -m bench.native_prove MODEL.onnx CALIBRATION.npz FRESH.npz FOLDER [SECONDS]
    python -m bench.native_prove --compile MODEL.onnx CALIBRATION.npz FOLDER

Prints one JSON object: the figures, or the typed reason for which there are none. With SECONDS,
proofs a second are counted for so long, by one thread and by one for each core. The first form
runs the second one, as the product compiles in a process of its own: what compiling leaves in
memory is no part of proving.
"""

import itertools
import json
import os
import statistics
import sys
import threading
import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.measure import run_json, spread
from inferproof.errors import InferproofError
from inferproof.proving.base import CompileRequest
from inferproof.proving.openings import Openings, PassingOpenings
from inferproof.proving.sumcheck.check import flat_inputs, read_facts
from inferproof.proving.sumcheck.epochs import BEGINS
from inferproof.proving.sumcheck.library import library
from inferproof.proving.sumcheck.loaded import WEIGHTS, Loaded, load
from inferproof.proving.sumcheck.private_key import read_key
from inferproof.proving.sumcheck.profiles import PROFILES
from inferproof.proving.sumcheck.prove import execute as run_model
from inferproof.proving.sumcheck.quantisation import dequantise
from inferproof.proving.sumcheck.system import SumcheckSystem
from inferproof.proving.worker import peak_bytes, reset_peak
from inferproof.second_verifier.private.verifier import PrivateKey as ReferenceKey
from inferproof.types.digest import ZERO_ADDRESS, Digest
from inferproof.types.tensor import Tensors

PHASES = ("quantise", "execute", BEGINS, "commit", "look up", "reduce", "relate", "open")
"""In their order."""
WARM_UP = 3
ORDERED = 7
STATEMENT = bytes(range(32))

Arrays = dict[str, npt.NDArray[Any]]
Outputs = list[npt.NDArray[np.int32]]


def main(arguments: list[str]) -> None:
    """Measures what the arguments name."""
    try:
        if arguments[0] == "--compile":
            answer = compile_model(*map(Path, arguments[1:4]))
        else:
            model, calibration, fresh, folder = map(Path, arguments[:4])
            seconds = float(arguments[4]) if len(arguments) > 4 else 0.0
            answer = measure(model, calibration, fresh, folder, seconds)
    except InferproofError as error:
        answer = {"refused": {"reason": error.code, "message": error.message}}
    print(json.dumps(answer))


def measure(
    model: Path, calibration: Path, fresh: Path, folder: Path, seconds: float
) -> dict[str, Any]:
    """The figures of one model. Raises: InferproofError."""
    given = map(str, (model, calibration, folder))
    report = run_json([sys.executable, "-m", "bench.native_prove", "--compile", *given]).answer
    if "refused" in report:
        return report
    base = peak_bytes()
    reset_peak()
    began = time.perf_counter()
    loaded = load(folder, counted)
    load_s = time.perf_counter() - began
    load_peak = peak_bytes()
    samples = split(read(fresh))
    reset_peak()
    for sample in samples[:WARM_UP]:
        prove(loaded, sample)
    peak = peak_bytes()  # of these, none of which is kept
    proofs = [prove(loaded, sample) for sample in samples]
    links = link_bytes(loaded, proofs)
    verified = [verify(loaded, proof) for proof in proofs]
    ordered = [order(loaded, sample, i) for i, sample in enumerate(samples[:ORDERED])]
    witnesses = [execute(loaded, sample) for sample in samples]
    return {
        **report,
        "weights": (folder / WEIGHTS).stat().st_size,
        "accumulators": _details(folder)["accumulators"],
        "load_s": load_s,
        "witness_s": spread(witnesses).json(),
        "prove_s": spread([proof.took for proof in proofs]).json(),
        "processor_s": statistics.median(proof.worked for proof in proofs),
        "phases_s": {
            phase: statistics.median(proof.phases[phase] for proof in proofs) for phase in PHASES
        },
        "order_s": spread([took for took, _ in ordered]).json(),
        "file_bytes": max(size for _, size in ordered),
        "verify_s": spread([took for took, _ in verified]).json(),
        "verify_processor_s": statistics.median(worked for _, worked in verified),
        "proof_bytes": max(len(proof.data) - own for proof, own in zip(proofs, links, strict=True)),
        "link_bytes": max(links),
        "plain_s": spread(plain(model, samples)).json(),
        "base_mb": base / 1e6,
        "load_peak_mb": load_peak / 1e6,
        "prove_peak_mb": peak / 1e6,
        "security": security(loaded),
        **accuracy(model, loaded, samples, proofs),
        "throughput": throughput(loaded, samples, seconds) if seconds else None,
    }


def counted(folder: Path) -> Openings:
    """What counts openings of a key that proves in this process alone."""
    kept, openings = read_key(folder), PassingOpenings()
    openings.register(kept.name, kept.openings)
    return openings


def compile_model(model: Path, calibration: Path, folder: Path) -> dict[str, Any]:
    """Compiles into a folder, and says what that took. Raises: InferproofError."""
    passing = PassingOpenings()
    with closing(SumcheckSystem(openings=lambda _folder: passing)) as system:
        report = system.compile(CompileRequest(model, read(calibration), folder))
    return {
        "parameters": report.parameters,
        "compile_s": report.compile_s,
        "compile_peak_mb": report.peak_mb,
    }


def read(path: Path) -> Tensors:
    """The arrays in a file, as float32."""
    with np.load(path) as stored:
        return {name: stored[name].astype(np.float32) for name in stored.files}


def split(stacked: Tensors) -> list[Tensors]:
    """Samples one by one."""
    count = len(next(iter(stacked.values())))
    return [{name: array[i] for name, array in stacked.items()} for i in range(count)]


@dataclass(frozen=True, slots=True)
class Proof:
    """A proof and what it shows.

    Units: seconds; `took` by the clock, `worked` and `phases` of the processor time of all threads.
    """

    inputs: Outputs
    outputs: Outputs
    data: bytes = field(repr=False)
    took: float
    worked: float
    phases: dict[str, float]


def prove(loaded: Loaded, sample: Tensors) -> Proof:
    """The proof of one sample, from its real numbers on."""
    marks: list[tuple[str, float]] = []

    def begins(phase: str) -> bool:
        marks.append((phase, time.process_time()))
        return True

    clock, began = time.perf_counter(), time.process_time()
    inputs = flat_inputs(loaded.settings, sample)
    begins("execute")
    run = loaded.key.execute(inputs)
    outputs, data = run.outputs(), run.prove(STATEMENT, begins)
    ended = time.process_time()
    took = time.perf_counter() - clock
    starts = [("quantise", began), *marks, ("", ended)]
    phases = {
        name: following - start for (name, start), (_, following) in itertools.pairwise(starts)
    }
    return Proof(inputs, outputs, data, took, ended - began, phases)


def execute(loaded: Loaded, sample: Tensors) -> float:
    """Seconds for the outputs alone."""
    began = time.perf_counter()
    loaded.key.execute(flat_inputs(loaded.settings, sample))
    return time.perf_counter() - began


def order(loaded: Loaded, sample: Tensors, number: int) -> tuple[float, int]:
    """Seconds that the market's own path takes to a proof, statement included, and its bytes."""
    began = time.perf_counter()
    execution = run_model(loaded, sample, bytes(32))
    statement = execution.ran.statement(Digest(number.to_bytes(32, "big")), ZERO_ADDRESS)
    file = execution.prove(statement).file
    return time.perf_counter() - began, len(file)


def verify(loaded: Loaded, proof: Proof) -> tuple[float, float]:
    """Seconds for verifying with a key that is decoded: by the clock, and of the processor.

    Raises: NativeError for a bad proof.
    """
    key = _verifying_key(loaded)
    clock, began = time.perf_counter(), time.process_time()
    key.verify(proof.inputs, proof.outputs, STATEMENT, proof.data)
    return time.perf_counter() - clock, time.process_time() - began


def link_bytes(loaded: Loaded, proofs: list[Proof]) -> list[int]:
    """Of the links before each proof, which a verifier knows by the second one of an epoch."""
    key = ReferenceKey(loaded.bundle.verifying_key)
    return [sum(link.size for link in key.read(proof.data).links) for proof in proofs]


def plain(model: Path, samples: list[Tensors]) -> list[float]:
    """Seconds of each run by ONNX Runtime on one thread."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    given = [as_declared(session, sample) for sample in samples]
    session.run(None, given[0])
    taken: list[float] = []
    for sample in given:
        began = time.perf_counter()
        session.run(None, sample)
        taken.append(time.perf_counter() - began)
    return taken


def as_declared(session: Any, sample: Tensors) -> Tensors:
    """A sample in the types that the model asks for."""
    kinds = {given.name: given.type for given in session.get_inputs()}
    return {
        name: array.astype(np.int64) if "int64" in kinds[name] else array
        for name, array in sample.items()
    }


def security(loaded: Loaded) -> dict[str, float]:
    """Provable bits of each profile."""
    graph = _verifying_key(loaded).graph()
    told = {profile: library().security(graph, profile) for profile in PROFILES}
    return {profile: json.loads(report)["provable_bits"] for profile, report in told.items()}


def accuracy(
    model: Path, loaded: Loaded, samples: list[Tensors], proofs: list[Proof]
) -> dict[str, float]:
    """Largest error against the float model, absolute and relative, and share of equal answers.

    An answer is the place of the largest value along an output's last axis.
    """
    import onnxruntime

    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    error, largest = 0.0, 0.0
    same: list[bool] = []
    for sample, proof in zip(samples, proofs, strict=True):
        wanted = session.run(None, as_declared(session, sample))
        real = dequantise(loaded.settings, [values.astype(np.int64) for values in proof.outputs])
        for exact, name in zip(wanted, (o.name for o in loaded.settings.outputs), strict=True):
            error = max(error, float(np.abs(exact - real[name]).max()))
            largest = max(largest, float(np.abs(exact).max()))
            same += (exact.argmax(axis=-1) == real[name].argmax(axis=-1)).reshape(-1).tolist()
    return {
        "max_error": error,
        "relative_error": error / largest if largest else error,
        "agreement": sum(same) / len(same),
    }


def throughput(loaded: Loaded, samples: list[Tensors], seconds: float) -> dict[str, float]:
    """Proofs a second of one thread, and of one for each core, in this process."""
    cores = os.cpu_count() or 1
    return {
        "threads": cores,
        "one_per_s": _rate(loaded, samples, 1, seconds),
        "all_per_s": _rate(loaded, samples, cores, seconds),
    }


def _rate(loaded: Loaded, samples: list[Tensors], threads: int, seconds: float) -> float:
    made = [0] * threads
    began = time.perf_counter()

    def work(place: int) -> None:
        while time.perf_counter() - began < seconds:
            inputs = flat_inputs(loaded.settings, samples[made[place] % len(samples)])
            loaded.key.execute(inputs).prove(STATEMENT)
            made[place] += 1

    running = [threading.Thread(target=work, args=(place,)) for place in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    return sum(made) / (time.perf_counter() - began)


def _verifying_key(loaded: Loaded) -> Any:
    return read_facts(loaded.bundle).key


def _details(folder: Path) -> dict[str, Any]:
    header = json.loads((folder / "artifact.json").read_bytes())
    details: dict[str, Any] = header["body"]["details"]
    return details


if __name__ == "__main__":
    main(sys.argv[1:])

"""One model compiled and proven in a process of its own.

    python -m bench.shape_prove MODEL.onnx CALIBRATION.npz FRESH.npz FOLDER

Prints one JSON object: the figures, or the typed reason for which there are none. Openings are
counted in memory: the key ends with the process.
"""

import json
import statistics
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from bench.native_prove import STATEMENT, read, split
from inferproof.errors import InferproofError
from inferproof.proving.base import CompileRequest
from inferproof.proving.openings import PassingOpenings
from inferproof.proving.sumcheck.check import flat_inputs, read_facts
from inferproof.proving.sumcheck.loaded import WEIGHTS, load
from inferproof.proving.sumcheck.system import SumcheckSystem
from inferproof.proving.worker import peak_bytes

LEAST, MOST = 3, 9
"""Proofs that are timed, after one that begins the epochs."""
ENOUGH_S = 3.0
"""After which no further one is made than the least."""


def main(arguments: list[str]) -> None:
    """Measures what the arguments name."""
    try:
        answer = measure(*map(Path, arguments))
    except InferproofError as error:
        answer = {"refused": {"reason": error.code, "message": error.message}}
    print(json.dumps(answer))


def measure(model: Path, calibration: Path, fresh: Path, folder: Path) -> dict[str, Any]:
    """The figures of one model. Units: seconds, of all threads' processor time where they are so
    named. Raises: InferproofError."""
    openings = PassingOpenings()
    with closing(SumcheckSystem(openings=lambda _folder: openings)) as system:
        report = system.compile(CompileRequest(model, read(calibration), folder))
    began = time.perf_counter()
    loaded = load(folder, lambda _folder: openings)
    samples = split(read(fresh))
    with closing(loaded):
        key = read_facts(loaded.bundle).key
        took: list[float] = []
        worked: list[float] = []
        verified: list[float] = []
        size, ready = 0, time.perf_counter()
        for sample in samples[: MOST + 1]:
            if len(took) > LEAST and time.perf_counter() - ready > ENOUGH_S:
                break
            clock, work = time.perf_counter(), time.process_time()
            inputs = flat_inputs(loaded.settings, sample)
            run = loaded.key.execute(inputs)
            outputs, proof = run.outputs(), run.prove(STATEMENT)
            worked.append(time.process_time() - work)
            took.append(time.perf_counter() - clock)
            clock = time.process_time()
            key.verify(inputs, outputs, STATEMENT, proof)
            verified.append(time.process_time() - clock)
            size = max(size, len(proof))
            if len(took) == 1:
                ready = time.perf_counter()
    return {
        "stored_weights": (folder / WEIGHTS).stat().st_size,
        "compile_s": report.compile_s,
        "ready_s": ready - began,
        "prove_s": statistics.median(took[1:]),
        "processor_s": statistics.median(worked[1:]),
        "verify_s": statistics.median(verified[1:]),
        "proof_bytes": size,
        "peak_mb": peak_bytes() / 1e6,
    }


if __name__ == "__main__":
    main(sys.argv[1:])

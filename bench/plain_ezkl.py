"""The peer: ezkl as its own documentation uses it, in commands shaped like ours.

    python -m bench.plain_ezkl compile MODEL.onnx CALIBRATION.npz DIR
    python -m bench.plain_ezkl prove DIR INPUT.npz REPEAT
    python -m bench.plain_ezkl verify DIR

Each prints one JSON object. Settings are ezkl's defaults (input and outputs public, weights
fixed) after its own calibration; nothing binds a job, and nothing checks a proof after proving.
"""

import contextlib
import json
import os
import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime

from inferproof.proving.ezkl.library import library
from inferproof.proving.srs import development_srs
from inferproof.proving.worker import peak_bytes, reset_peak

ezkl = library()

CALIBRATION_SAMPLES = 8
"""ezkl's calibration runs the circuit on each at each of its scales; more does not change it."""
TARGET = "resources"
SAFETY_MARGIN = 2

Arrays = list[npt.NDArray[np.float32]]


def main(arguments: list[str]) -> None:
    """Runs the command that the arguments name."""
    command, folder = arguments[0], Path(arguments[3 if arguments[0] == "compile" else 1])
    with _quiet():
        if command == "compile":
            answer = compile_plain(Path(arguments[1]), Path(arguments[2]), folder)
        elif command == "prove":
            answer = prove_plain(folder, Path(arguments[2]), int(arguments[3]))
        elif command == "verify":
            answer = verify_plain(folder)
        else:
            raise SystemExit(f"no such command: {command}")
    print(json.dumps(answer))


def compile_plain(model: Path, calibration: Path, folder: Path) -> dict[str, Any]:
    """Settings, circuit and keys in the folder. Time and memory include calibrating them."""
    folder.mkdir(parents=True, exist_ok=True)
    with np.load(calibration) as stored:
        arrays = [stored[name] for name in stored.files]
    few = [array[:CALIBRATION_SAMPLES] for array in arrays]
    data, settings, network = (
        str(folder / name) for name in ("calibration.json", "settings.json", "network.compiled")
    )
    Path(data).write_text(json.dumps({"input_data": [a.reshape(-1).tolist() for a in few]}))
    reset_peak()
    began = time.perf_counter()
    ezkl.gen_settings(str(model), settings, ezkl.PyRunArgs())
    ezkl.calibrate_settings(data, str(model), settings, TARGET, SAFETY_MARGIN)
    ezkl.compile_circuit(str(model), network, settings)
    took = time.perf_counter() - began
    chosen = json.loads(Path(settings).read_bytes())
    k = chosen["run_args"]["logrows"]
    srs = development_srs(k, lambda path: ezkl.gen_srs(str(path), k))
    (folder / "kzg.srs").write_bytes(srs.read_bytes())
    began = time.perf_counter()
    ezkl.setup(network, str(folder / "vk.key"), str(folder / "pk.key"), str(folder / "kzg.srs"))
    took += time.perf_counter() - began
    peak = peak_bytes()
    error, agreement = _accuracy(model, arrays, folder, chosen["model_output_scales"])
    return {
        "compile_s": took,
        "peak_mb": peak / 1e6,
        "key_bytes": sum((folder / name).stat().st_size for name in ("pk.key", "vk.key")),
        "logrows": k,
        "rows": chosen["num_rows"],
        "scale": chosen["run_args"]["input_scale"],
        "decomposition": [chosen["run_args"]["decomp_base"], chosen["run_args"]["decomp_legs"]],
        "max_error": error,
        "agreement": agreement,
    }


def prove_plain(folder: Path, sample: Path, repeat: int) -> dict[str, Any]:
    """Medians of `repeat` proofs after a warm-up, which is all there is when it is zero.

    A proof's time includes its witness.
    """
    with np.load(sample) as stored:
        _write_input(folder, [stored[name] for name in stored.files])
    runs = []
    peak = 0
    for _ in range(repeat + 1):
        reset_peak()
        began = time.perf_counter()
        _witness(folder)
        witness_s = time.perf_counter() - began
        ezkl.prove(
            str(folder / "witness.json"),
            str(folder / "network.compiled"),
            str(folder / "pk.key"),
            str(folder / "proof.json"),
            str(folder / "kzg.srs"),
        )
        runs.append((witness_s, time.perf_counter() - began))
        peak = max(peak, peak_bytes())
    measured = runs[1:] or runs
    proof = json.loads((folder / "proof.json").read_bytes())
    return {
        "witness_s": statistics.median(run[0] for run in measured),
        "prove_s": statistics.median(run[1] for run in measured),
        "proof_bytes": len(proof["proof"]),
        "peak_mb": peak / 1e6,
    }


def verify_plain(folder: Path) -> dict[str, Any]:
    """Whether the proof in the folder holds, and the seconds that ezkl's own check took."""
    began = time.perf_counter()
    held = ezkl.verify(
        str(folder / "proof.json"),
        str(folder / "settings.json"),
        str(folder / "vk.key"),
        str(folder / "kzg.srs"),
    )
    return {"verified": held, "verify_s": time.perf_counter() - began}


def _accuracy(model: Path, arrays: Arrays, folder: Path, scales: list[int]) -> tuple[float, float]:
    """Largest error and share of equal answers against the float model, on all samples."""
    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    names = [given.name for given in session.get_inputs()]
    largest, agreed = 0.0, 0
    for i in range(len(arrays[0])):
        wanted = session.run(None, {n: a[i] for n, a in zip(names, arrays, strict=True)})
        _write_input(folder, [array[i] for array in arrays])
        got = [
            np.array([ezkl.felt_to_float(felt, scale) for felt in felts])
            for felts, scale in zip(_witness(folder)["outputs"], scales, strict=True)
        ]
        pairs = [(w.reshape(-1), g) for w, g in zip(wanted, got, strict=True)]
        largest = max(largest, *(float(np.abs(w - g).max()) for w, g in pairs))
        agreed += all(w.argmax() == g.argmax() for w, g in pairs)
    return largest, agreed / len(arrays[0])


def _write_input(folder: Path, sample: Arrays) -> None:
    data = {"input_data": [array.reshape(-1).tolist() for array in sample]}
    (folder / "input.json").write_text(json.dumps(data))


def _witness(folder: Path) -> dict[str, Any]:
    witness: dict[str, Any] = ezkl.gen_witness(
        str(folder / "input.json"), str(folder / "network.compiled"), str(folder / "witness.json")
    )
    return witness


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """ezkl prints tables on descriptor 1, where the answer goes: they go to standard error."""
    saved = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        os.dup2(saved, 1)
        os.close(saved)


if __name__ == "__main__":
    main(sys.argv[1:])

"""One model of the corpus: compile it, prove rows, verify, compare. A process for each.

    python tests/corpus/one.py MODEL.onnx ROWS.npz [--plan]

prints one JSON object. With --plan the model gets no key and no proof: whether it can be proven,
and in what time, is all that is asked.
"""

import argparse
import json
import os
import resource
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime

from inferproof.app.openings import local_system
from inferproof.errors import InferproofError
from inferproof.inference.preprocess import Features, Preprocessing
from inferproof.inference.preprocess.features import sample_tensors
from inferproof.models.load import load_model
from inferproof.models.loaded import LoadedModel
from inferproof.proving.base import CompileRequest, Evaluator
from inferproof.proving.execution import ProveRequest, prove
from inferproof.proving.inputs import check_calibration
from inferproof.proving.sumcheck.graph_bytes import encode_graph
from inferproof.proving.sumcheck.library import library
from inferproof.proving.sumcheck.lower.compile import choices, lower
from inferproof.proving.sumcheck.lower.parameters import hide_weights
from inferproof.proving.sumcheck.lower.program import read_program
from inferproof.proving.sumcheck.precision import MARGIN
from inferproof.proving.sumcheck.refusals import refusal
from inferproof.types.digest import ZERO_ADDRESS, Digest

SYSTEM = "sumcheck"
CALIBRATED, JUDGED, PROVEN = 128, 64, 3
"""Rows at most: to calibrate on, to be judged by, to prove."""
MEMORY = 8 * 2**30
"""Bytes of address space that this process may take, and the one that compiles."""

Array = npt.NDArray[Any]
Rows = dict[str, Array]


def main(model: Path, rows: Path, plan: bool) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    with np.load(rows, allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in stored.files}
    try:
        _run(model, arrays)
    except Exception as error:  # noqa: BLE001  (whatever ONNX Runtime says of its own format)
        print(json.dumps({"outcome": "unrunnable", "why": str(error)[:300]}))
        return
    try:
        found = _planned(model, arrays) if plan else _tried(model, arrays)
    except InferproofError as error:
        found = {"outcome": "refused", "reason": error.code, "why": error.message}
    print(json.dumps(found))


def _planned(model: Path, arrays: Rows) -> dict[str, Any]:
    """What a key of the model would be like. Raises: as compiling it, but for what commitments and
    proofs themselves fail of."""
    loaded, native = load_model(model), library()
    samples = check_calibration(loaded.inputs, _tensors(loaded, _split(arrays)[0]))
    typed = {spec.name: samples[spec.name].astype(spec.dtype) for spec in loaded.inputs}
    began = time.perf_counter()
    lowering = lower(loaded, typed, choices(None, MARGIN))
    lowered = time.perf_counter()
    graph = hide_weights(lowering.graph, lowering.weights).graph
    try:
        told = json.loads(native.security(encode_graph(graph), "default"))
    except native.NativeError as error:
        raise refusal(error, graph, read_program(loaded, ()).steps) from error
    return {
        "outcome": "planned",
        "nodes": len(graph.nodes),
        "bits": told["provable_bits"],
        "lower_s": round(lowered - began, 2),
        "plan_s": round(time.perf_counter() - lowered, 3),
    }


def _split(arrays: Rows) -> tuple[Rows, Rows]:
    """Rows to calibrate on, and rows to be judged by."""
    count = len(next(iter(arrays.values())))
    judged = min(count // 2, JUDGED)
    calibration = {name: array[: count - judged][:CALIBRATED] for name, array in arrays.items()}
    return calibration, {name: array[count - judged :] for name, array in arrays.items()}


def _tried(model: Path, arrays: Rows) -> dict[str, Any]:
    calibration, rows = _split(arrays)
    judged = len(next(iter(rows.values())))
    loaded = load_model(model)
    tensors = _tensors(loaded, rows)
    with tempfile.TemporaryDirectory(prefix="inferproof-corpus-") as scratch:
        # Openings are counted there, and not in the records of whoever runs this.
        os.environ["INFERPROOF_HOME"] = str(Path(scratch) / "home")
        folder = Path(scratch) / "compiled"
        with local_system(SYSTEM) as system:
            request = CompileRequest(loaded, _tensors(loaded, calibration), folder)
            done = system.compile(request)
            assert isinstance(system, Evaluator)
            shapes = {spec.name: spec.shape for spec in system.verifier(folder).inputs}
            proofs = []
            for place in range(min(PROVEN, judged)):
                sample = {name: tensors[name][place].reshape(shapes[name]) for name in shapes}
                job = Digest(bytes([place + 1]) * 32)
                asked = ProveRequest(folder, sample, job, ZERO_ADDRESS, bytes(32))
                # It verifies the proof too, and raises where it does not.
                proofs.append(prove(system, asked))
            agreement, error = _compared(model, rows, system.evaluate(folder, tensors))
        return {
            "outcome": "proven",
            "parameters": done.parameters,
            "compile_s": round(done.compile_s, 2),
            "prove_ms": round(1e3 * statistics.median(p.prove_s for p in proofs), 2),
            "verify_ms": round(1e3 * statistics.median(p.verify_s for p in proofs), 2),
            "proof_bytes": len(proofs[-1].file),
            "peak_mb": round(max(done.peak_mb, *(p.peak_mb for p in proofs))),
            "plain_ms": round(_plain_ms(model, rows), 4),
            "agreement": agreement,
            "error": error,
        }


def _tensors(loaded: LoadedModel, rows: Rows) -> Rows:
    """The graph's inputs: the rows, or what the model's own steps make of texts."""
    if loaded.preprocessing is None:
        return rows
    spec = Preprocessing.from_canonical(loaded.preprocessing).spec
    assert isinstance(spec, Features)
    return dict(sample_tensors(spec, rows))


def session_of(model: Path) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])


def feeds_of(session: Any, rows: Rows) -> list[Rows]:
    """The rows one at a time, as the file's own inputs want them."""
    kinds = {"tensor(float16)": "f2", "tensor(double)": "f8", "tensor(float)": "f4"}
    feeds = []
    for place in range(len(next(iter(rows.values())))):
        feed = {}
        for item in session.get_inputs():
            value = rows[item.name][place]
            shape = [size if isinstance(size, int) and size > 0 else None for size in item.shape]
            if len(shape) == value.ndim + 1:
                value = value[None]
            feed[item.name] = value.astype(kinds.get(item.type, value.dtype))
        feeds.append(feed)
    return feeds


def _compared(model: Path, rows: Rows, quantised: dict[str, Array]) -> tuple[float, float | None]:
    """The share of rows whose every answer is the float model's, and the largest error relative
    to the largest output. An answer is a class where an output has whole numbers or several."""
    session = session_of(model)
    names = [item.name for item in session.get_outputs()]
    same, errors, largest = [], 0.0, 0.0
    for place, feed in enumerate(feeds_of(session, rows)):
        answers = []
        for name, exact in _flat(names, session.run(names, feed)):
            if name not in quantised:
                continue
            got = quantised[name][place].reshape(-1)
            wanted = numbers(exact)
            if wanted is None or wanted.size != got.size:
                continue
            if wanted.dtype.kind in "iub":
                answers.append(bool(np.array_equal(wanted, got)))
            else:
                errors = max(errors, float(np.abs(wanted - got).max()))
                largest = max(largest, float(np.abs(wanted).max()))
                if wanted.size > 1:
                    answers.append(_class(wanted) == _class(got))
        same.append(all(answers))
    return round(float(np.mean(same)), 4), (round(errors / largest, 6) if largest else None)


def _flat(names: list[str], values: list[Any]) -> list[tuple[str, Any]]:
    """Outputs by name, the tensors of a sequence as intake calls them."""
    found = []
    for name, value in zip(names, values, strict=True):
        if isinstance(value, list) and value and isinstance(value[0], np.ndarray):
            found += [(f"{name}_{place}", part) for place, part in enumerate(value)]
        else:
            found.append((name, value))
    return found


def _class(values: Array) -> int:
    return int(np.argmax(values))


def numbers(value: Any) -> Array | None:
    """What a runtime returned as a flat array of numbers; None where it is text."""
    if isinstance(value, list) and value and isinstance(value[0], dict):
        value = np.array([list(item.values()) for item in value])
    array = np.asarray(value)
    if array.dtype.kind in "OUS":
        return None
    return array.reshape(-1) if array.dtype.kind in "iub" else array.astype(np.float64).reshape(-1)


def _run(model: Path, rows: Rows) -> None:
    """Runs the file's own rows, as whoever wrote it would."""
    session = session_of(model)
    for feed in feeds_of(session, rows):
        session.run(None, feed)


def _plain_ms(model: Path, rows: Rows) -> float:
    session = session_of(model)
    feed = feeds_of(session, {name: array[:1] for name, array in rows.items()})[0]
    session.run(None, feed)
    times = []
    for _ in range(20):
        began = time.perf_counter()
        session.run(None, feed)
        times.append(time.perf_counter() - began)
    return 1e3 * statistics.median(times)


if __name__ == "__main__":
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("model", type=Path)
    given.add_argument("rows", type=Path)
    given.add_argument("--plan", action="store_true")
    main(**vars(given.parse_args()))

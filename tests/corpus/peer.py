"""Compares our error on the corpus with ezkl's, on the same held-out rows.

    python tests/corpus/peer.py FOLDER [BEGIN ...]

FOLDER is what make.py wrote. Each file that is proven by us (results.json) is given to ezkl too, as
its users do: settings, calibration on a few rows for its target of accuracy, circuit, witness. No
key is made, since a witness has the outputs. Prints a line for each file that ezkl compiles and
how many of them have at most twice ezkl's error with us.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from one import Rows, feeds_of, numbers, session_of

from inferproof.proving.ezkl.library import EzklFailed, ezkl_errors, library

RESULTS = Path(__file__).resolve().parent / "results.json"
LIMIT_S = 120
CALIBRATED, JUDGED = 8, 16
TARGETS = ("resources", "accuracy")
"""What ezkl's calibration may aim at; the better of both counts."""
SAFETY_MARGIN = 2
TIMES = 2.0
EVEN = 1e-3
"""Errors below a thousandth of the largest output are counted, not named."""


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("folder", type=Path)
    asked.add_argument("begin", nargs="*", help="only models whose names begin so")
    given = asked.parse_args()
    ours = json.loads(RESULTS.read_text())
    compared, within, worse = 0, 0, []
    for file in sorted(given.folder.glob("*.onnx")):
        name = file.name.removesuffix(".onnx")
        one = ours.get(name, {})
        if not name.startswith(tuple(given.begin) or "") or one.get("error") is None:
            continue
        theirs = _asked(file)
        if "error" not in theirs:
            print(f"{name}: not by ezkl: {theirs['why']}", flush=True)
            continue
        compared += 1
        if one["error"] <= TIMES * theirs["error"]:
            within += 1
        elif one["error"] > EVEN:
            worse.append(name)
        print(
            f"{name}: {one['error']:.3%}, ezkl {theirs['error']:.3%}, same answer "
            f"{one['agreement']:.1%}, ezkl {theirs['agreement']:.1%}",
            flush=True,
        )
    print(f"{within} of {compared} within {TIMES:g} times ezkl's error")
    print(f"of the others, above {EVEN:.1%}:")
    print("\n".join(worse) or "none")
    return 0


def _asked(file: Path) -> dict[str, Any]:
    """ezkl's error on a model by the better of its targets, each in a process of its own."""
    found: list[dict[str, Any]] = []
    for target in TARGETS:
        command = [sys.executable, str(Path(__file__).resolve()), "--one", target, str(file)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S)
        except subprocess.TimeoutExpired:
            found.append({"why": f"not done in {LIMIT_S} s"})
            continue
        lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
        found.append(json.loads(lines[-1]) if lines else {"why": f"ended with {done.returncode}"})
    good = [one for one in found if "error" in one]
    return min(good, key=lambda one: one["error"]) if good else found[0]


def _one(target: str, file: Path) -> dict[str, Any]:
    with np.load(file.with_suffix(".npz"), allow_pickle=False) as stored:
        rows = {name: stored[name] for name in stored.files}
    if any(array.dtype.kind not in "fiub" for array in rows.values()):
        return {"why": "its inputs are texts"}
    with tempfile.TemporaryDirectory(prefix="inferproof-peer-") as scratch:
        try:
            with ezkl_errors():
                return _tried(library(), target, file, rows, Path(scratch))
        except EzklFailed as failed:
            return {"why": str(failed)}


def _tried(ezkl: Any, target: str, file: Path, rows: Rows, folder: Path) -> dict[str, Any]:
    count = len(next(iter(rows.values())))
    judged = {name: array[count - min(count // 2, JUDGED) :] for name, array in rows.items()}
    few = {name: array[: min(count // 2, CALIBRATED)] for name, array in rows.items()}
    session = session_of(file)
    names = [item.name for item in session.get_inputs()]
    data, settings, network, witness = (
        str(folder / name) for name in ("data.json", "settings.json", "network", "witness.json")
    )
    _write(data, [few[name].reshape(len(few[name]), -1) for name in names])
    ezkl.gen_settings(str(file), settings, ezkl.PyRunArgs())
    ezkl.calibrate_settings(data, str(file), settings, target, SAFETY_MARGIN)
    ezkl.compile_circuit(str(file), network, settings)
    scales = json.loads(Path(settings).read_bytes())["model_output_scales"]
    largest = error = 0.0
    same = []
    for feed in feeds_of(session, judged):
        _write(data, [feed[name].reshape(1, -1) for name in names])
        outputs = ezkl.gen_witness(data, network, witness)["outputs"]
        answers = []
        for wanted, felts, scale in zip(session.run(None, feed), outputs, scales, strict=True):
            exact = numbers(wanted)
            got = np.array([ezkl.felt_to_float(felt, scale) for felt in felts])
            if exact is None or exact.dtype.kind in "iub":
                continue
            if exact.size != got.size:
                return {"why": f"it gives {got.size} numbers instead of {exact.size}"}
            largest = max(largest, float(np.abs(exact).max()))
            error = max(error, float(np.abs(exact - got).max()))
            if exact.size > 1:
                answers.append(int(exact.argmax()) == int(got.argmax()))
        same.append(all(answers))
    if not largest:
        return {"why": "all its outputs are zero"}
    return {"error": error / largest, "agreement": float(np.mean(same))}


def _write(path: str, arrays: list[npt.NDArray[Any]]) -> None:
    data = {"input_data": [array.astype(np.float64).reshape(-1).tolist() for array in arrays]}
    Path(path).write_text(json.dumps(data))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(_one(sys.argv[2], Path(sys.argv[3]))))
    else:
        raise SystemExit(main())

"""compile, prove and verify, by the public commands and by plain ezkl, each in its own process."""

import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.measure import Ran, run_json, say, spread
from bench.models import BenchModel
from inferproof.protocol.proof_file import decode_proof_file

INFERPROOF = [str(Path(sys.executable).parent / "inferproof")]
PLAIN = [sys.executable, "-m", "bench.plain_ezkl"]


@dataclass(frozen=True, slots=True)
class Effort:
    """`rounds` processes, each proving `repeat` times after a warm-up, `verifies` that verify.

    A `repeat` of zero takes the warm-up itself. No round but the first begins after `limit_s`.
    """

    rounds: int
    repeat: int
    verifies: int
    limit_s: float


def measure_model(model: BenchModel, work: Path, effort: Effort) -> dict[str, Any]:
    """Figures of one model, ours and the peer's, as results.json has them. Raises: BenchFailed.

    The two take turns, so that a noisy minute falls on both.
    """
    ours, plain = work / f"{model.name}.inferproof", work / f"{model.name}.ezkl"
    proof = work / f"{model.name}.proof"
    say(f"{model.name}: inferproof compile")
    given = [str(model.model), "--calibration", str(model.calibration)]
    compiled = run_json(
        [*INFERPROOF, "compile", *given, "--system", "ezkl", "--out", str(ours), "--json"]
    )
    say(f"{model.name}: plain ezkl, settings and keys")
    peer = run_json([*PLAIN, "compile", str(model.model), str(model.calibration), str(plain)])
    prove = [*INFERPROOF, "prove", str(ours), "--input", str(model.sample), "--out", str(proof)]
    proved: list[Ran] = []
    peer_proved: list[Ran] = []
    began = time.monotonic()
    for i in range(effort.rounds):
        if i and time.monotonic() - began > effort.limit_s:
            say(f"{model.name}: {i} rounds, for want of time")
            break
        say(
            f"{model.name}: proving, round {i + 1} of {effort.rounds}, {max(effort.repeat, 1)} each"
        )
        proved.append(run_json([*prove, "--repeat", str(effort.repeat), "--json"]))
        peer_proved.append(
            run_json([*PLAIN, "prove", str(plain), str(model.sample), str(effort.repeat)])
        )
    say(f"{model.name}: verifying, {effort.verifies} processes each")
    verified, peer_verified = [], []
    for _ in range(effort.verifies):
        verified.append(run_json([*INFERPROOF, "verify", str(ours), str(proof), "--json"]))
        peer_verified.append(run_json([*PLAIN, "verify", str(plain)]))
    return {
        "model": model.name,
        "parameters": compiled.answer["parameters"],
        "proofs_per_round": max(effort.repeat, 1),
        "inferproof": {
            **_figures(compiled, proved, verified),
            **_circuit(ours),
            "file_bytes": proved[-1].answer["proof_bytes"],
            "proof_bytes": len(decode_proof_file(proof.read_bytes()).proof),
            "load_s": spread([run.answer["load_s"] for run in proved]).json(),
        },
        "ezkl": {
            **_figures(peer, peer_proved, peer_verified),
            "proof_bytes": peer_proved[-1].answer["proof_bytes"],
            **{name: peer.answer[name] for name in ("logrows", "rows", "scale", "decomposition")},
        },
    }


def _figures(compiled: Ran, proved: list[Ran], verified: list[Ran]) -> dict[str, Any]:
    return {
        "compile_s": compiled.answer["compile_s"],
        "compile_peak_mb": compiled.answer["peak_mb"],
        "key_bytes": compiled.answer["key_bytes"],
        "max_error": compiled.answer["max_error"],
        "agreement": compiled.answer["agreement"],
        "witness_s": spread([run.answer["witness_s"] for run in proved]).json(),
        "prove_s": spread([run.answer["prove_s"] for run in proved]).json(),
        "prove_peak_mb": max(run.answer["peak_mb"] for run in proved),
        "verify_s": spread([run.answer["verify_s"] for run in verified]).json(),
        "verify_command_s": spread([run.wall_s for run in verified]).json(),
        "verify_peak_mb": max(run.peak_mb for run in verified),
    }


def _circuit(folder: Path) -> dict[str, Any]:
    """What tuning chose, from the header of a compiled model."""
    header = json.loads((folder / "artifact.json").read_bytes())
    chosen = header["body"]["details"]["quantisation"]
    return {
        "logrows": chosen["logrows"],
        "rows": chosen["rows"],
        "scale": chosen["input_scale"],
        "decomposition": [chosen["decomp_base"], chosen["decomp_legs"]],
    }

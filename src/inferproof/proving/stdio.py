"""Our own proof systems as an external prover: the contract's other side, and its example.

    python -m inferproof.proving.stdio --system ezkl compile|execute|prove|verify|estimate|describe

One JSON request on standard input, one JSON answer on standard output, progress on standard
error as lines "share stage". Exit status 0 done, 1 refused with kind, reason and facts, 2 wrong
usage. Source: specs/external-prover.md.
"""

import json
import signal
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from inferproof.errors import InferproofError, InputRejected, Reason
from inferproof.models.load import load_model
from inferproof.protocol.opening import Salts
from inferproof.protocol.proof_file import decode_proof_file, encode_proof_file
from inferproof.protocol.verifier_bundle import decode_bundle
from inferproof.proving.base import CompileRequest, Execution, ProofSystem, SrsSource
from inferproof.proving.external import CONTRACT
from inferproof.proving.openings import OpeningsAt
from inferproof.proving.registry import get_system
from inferproof.proving.worker import error_json
from inferproof.types.digest import ZERO_ADDRESS, ZERO_DIGEST, Address, Digest
from inferproof.types.proof import Visibility
from inferproof.types.tensor import TensorSpec

USAGE = "usage: --system NAME compile|execute|prove|verify|estimate|describe"


def main(arguments: list[str], openings: OpeningsAt | None = None) -> int:
    """Answers one command; the exit status. `openings` is as for `get_system`."""
    # A plain SIGTERM would end this process without its workers.
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(143))
    if len(arguments) != 3 or arguments[0] != "--system" or arguments[2] not in _COMMANDS:
        sys.stderr.write(USAGE + "\n")
        return 2
    try:
        request = json.loads(sys.stdin.buffer.read())
        answer = _COMMANDS[arguments[2]](get_system(arguments[1], openings=openings), request)
    except InferproofError as error:
        sys.stdout.write(json.dumps(error_json(error)))
        return 1
    except (ValueError, KeyError, TypeError) as error:
        sys.stderr.write(f"{USAGE}\nthe request is malformed: {error!r}\n")
        return 2
    sys.stdout.write(json.dumps(answer))
    return 0


def _progress(stage: str, share: float) -> None:
    sys.stderr.write(f"{share:.3f} {stage}\n")
    sys.stderr.flush()


def _describe(system: ProofSystem, _request: dict[str, Any]) -> dict[str, Any]:
    from inferproof.proving.ezkl.operators import SUPPORTED

    operators = sorted(op for op in SUPPORTED if system.supports(op))
    return {"contract": CONTRACT, **asdict(system.describe()), "operators": operators}


def _compile(system: ProofSystem, request: dict[str, Any]) -> dict[str, Any]:
    model = load_model(Path(request["model"]))
    labels = request.get("labels", {})
    named = tuple(replace(spec, labels=tuple(labels.get(spec.name, ()))) for spec in model.outputs)
    srs, salts = request["srs"], request["salts"]
    report = system.compile(
        CompileRequest(
            model=replace(model, outputs=named),
            calibration=_arrays(Path(request["calibration"]), model.inputs),
            out=Path(request["out"]),
            visibility=Visibility(request["visibility"]),
            preprocessing=request["preprocessing"],
            srs=SrsSource(Path(srs["path"]), srs["sha256"]) if srs else None,
            max_error=float(request["max_error"]),
            salts=Salts(_bytes32(salts["graph"]), _bytes32(salts["weights"])),
        ),
        _progress,
    )
    names = ("key_bytes", "peak_mb", "max_error", "agreement")
    return {**{n: getattr(report, n) for n in names}, "trials": list(report.trials)}


def _bytes32(text: str) -> bytes:
    return Digest.from_hex(text).raw


def _execute(system: ProofSystem, request: dict[str, Any]) -> dict[str, Any]:
    with _run(system, request) as execution:
        ran = execution.ran
        run = ran.file(ran.statement(ZERO_DIGEST, ZERO_ADDRESS), b"")
        Path(request["out"]).write_bytes(encode_proof_file(run))
    return {"load_s": ran.load_s, "run_s": ran.run_s}


def _prove(system: ProofSystem, request: dict[str, Any]) -> dict[str, Any]:
    """Our systems keep a run in memory or in a folder of their own, which ended with the process
    that answered `execute`: the model is run again here."""
    job_id, provider = Digest.from_hex(request["job_id"]), Address.from_hex(request["provider"])
    with _run(system, request) as execution:
        statement = execution.ran.statement(job_id, provider)
        proof = execution.prove(statement, progress=_progress)
    Path(request["out"]).write_bytes(proof.file)
    return {"prove_s": proof.prove_s, "peak_mb": proof.peak_mb}


def _run(system: ProofSystem, request: dict[str, Any]) -> "closing[Execution]":
    artifact = Path(request["artifact"])
    inputs = _arrays(Path(request["inputs"]), system.verifier(artifact).inputs)
    salt = bytes.fromhex(request["salt"].removeprefix("0x"))
    return closing(system.execute(artifact, inputs, salt, progress=_progress))


def _verify(system: ProofSystem, request: dict[str, Any]) -> dict[str, Any]:
    bundle = decode_bundle(Path(request["bundle"]).read_bytes())
    file = decode_proof_file(Path(request["proof"]).read_bytes())
    system.check(bundle, file, Digest.from_hex(request["statement"]))
    return {"verified": True, "statement": request["statement"]}


def _estimate(system: ProofSystem, request: dict[str, Any]) -> dict[str, Any]:
    return asdict(system.estimate(Path(request["artifact"])))


def _arrays(path: Path, specs: tuple[TensorSpec, ...]) -> dict[str, Any]:
    """Arrays that `inputs.write_arrays` numbered, under the graph's names again."""
    with np.load(path, allow_pickle=False) as stored:
        if len(stored.files) != len(specs):
            expected = ", ".join(spec.name for spec in specs)
            raise InputRejected(Reason.INPUT_NAMES, expected=expected)
        return {spec.name: stored[f"a{i}"] for i, spec in enumerate(specs)}


_COMMANDS: dict[str, Callable[[ProofSystem, dict[str, Any]], dict[str, Any]]] = {
    "describe": _describe,
    "compile": _compile,
    "execute": _execute,
    "prove": _prove,
    "verify": _verify,
    "estimate": _estimate,
}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

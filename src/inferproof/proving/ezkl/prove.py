"""Makes one proof in a worker process: witness, statement, binding, proof, and its own check."""

import json
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from inferproof.errors import InputRejected, Reason, Unavailable
from inferproof.protocol.commitments import (
    hashed_input_commitment,
    input_commitment,
    output_commitment,
)
from inferproof.protocol.proof_file import DisclosedInput, ProofFile, encode_proof_file
from inferproof.protocol.statement import statement_digest
from inferproof.protocol.verifier_bundle import VerifierBundle
from inferproof.proving.artifact import open_artifact
from inferproof.proving.base import Progress
from inferproof.proving.ezkl.bench import input_data, output_values
from inferproof.proving.ezkl.check import check, poseidon
from inferproof.proving.ezkl.field import felt_to_bytes, felts, limbs, quantise
from inferproof.proving.ezkl.layout import grow, salt_limbs
from inferproof.proving.ezkl.library import EzklFailed, ezkl_errors, library
from inferproof.proving.ezkl.settings import VERSION, Facts, read_settings
from inferproof.types.digest import Address, Digest
from inferproof.types.proof import Statement, Visibility
from inferproof.types.tensor import FixedTensor, Tensors
from inferproof.verify.proof import verify_proof

_OUT_OF_RANGE = (
    "decomposition",
    "lookup",
    "range",
    "overflow",
    "sigbittruncation",
    "significant bit",
    "too large",
    "synthesis",
)


@dataclass(frozen=True, slots=True)
class Job:
    """What one proof is for."""

    inputs: Tensors
    job_id: Digest
    provider: Address
    salt: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Made:
    """A checked proof file, and what it took. `prove_s` includes `witness_s`."""

    file: bytes = field(repr=False)
    proof: bytes = field(repr=False)
    instances: int
    witness_s: float
    prove_s: float
    verify_s: float


class _Checker:
    def check(self, bundle: VerifierBundle, file: ProofFile, statement: Digest) -> None:
        check(bundle, file, statement)


def prove_task(args: dict[str, Any], report: Progress) -> dict[str, Any]:
    """Writes a proof file to `out`.

    Raises: InputRejected INPUT_BEYOND_CIRCUIT; ArtifactRejected; Unavailable PROVER_FAILED.
    """
    report("loading keys", 0.0)
    began = time.perf_counter()
    artifact = open_artifact(Path(args["artifact"]), "ezkl", VERSION)
    files = [artifact.file(name) for name in ("network.compiled", "pk.key", "kzg.srs")]
    load_s = time.perf_counter() - began
    with np.load(args["inputs"], allow_pickle=False) as stored:
        tensors = {spec.name: stored[f"a{i}"] for i, spec in enumerate(artifact.bundle.inputs)}
    job = Job(
        tensors,
        Digest.from_hex(args["job_id"]),
        Address.from_hex(args["provider"]),
        bytes.fromhex(args["salt"]),
    )
    with tempfile.TemporaryDirectory(prefix="inferproof-prove-") as scratch:
        network, key, srs = files
        made = make(artifact.bundle, network, key, srs, job, Path(scratch), report)
    Path(args["out"]).write_bytes(made.file)
    report("done", 1.0)
    return {
        "load_s": load_s,
        "witness_s": made.witness_s,
        "prove_s": made.prove_s,
        "verify_s": made.verify_s,
    }


def evaluate_task(args: dict[str, Any], report: Progress) -> dict[str, Any]:
    """Writes the quantised outputs of stacked samples to `out`, one array for each output.

    Raises: InputRejected INPUT_BEYOND_CIRCUIT; ArtifactRejected; Unavailable PROVER_FAILED.
    """
    artifact = open_artifact(Path(args["artifact"]), "ezkl", VERSION)
    network, bundle = artifact.file("network.compiled"), artifact.bundle
    scales = read_settings(bundle).output_scales
    with np.load(args["inputs"], allow_pickle=False) as stored:
        stacked = [stored[f"a{i}"] for i in range(len(bundle.inputs))]
    rows: list[list[list[int]]] = []
    with tempfile.TemporaryDirectory(prefix="inferproof-evaluate-") as scratch:
        for number, sample in enumerate(zip(*stacked, strict=True)):
            report("running the quantised model", number / len(stacked[0]))
            witness = _raw_witness(bundle, network, list(sample), Path(scratch))
            rows.append(output_values(witness, len(bundle.outputs)))
    outputs = {
        f"a{i}": np.array([row[i] for row in rows], dtype=np.float64).reshape(-1, *spec.shape)
        * 2.0 ** -scales[i]
        for i, spec in enumerate(bundle.outputs)
    }
    np.savez(args["out"], **outputs)  # type: ignore[arg-type]
    return {}


def make(
    bundle: VerifierBundle,
    network: Path,
    key: Path,
    srs: Path,
    job: Job,
    scratch: Path,
    report: Progress = lambda _stage, _share: None,
) -> Made:
    """The checked proof of one job.

    The statement needs the outputs, and the witness the statement's digest. The binding passes
    through the circuit untouched, so it is written into the finished witness rather than
    computing the witness twice; salts likewise.
    """
    facts = read_settings(bundle)
    report("computing the witness", 0.05)
    began = time.perf_counter()
    witness = _witness(bundle, facts, network, job, scratch)
    file = _statement_file(bundle, facts, job, witness)
    _bind(bundle, witness, statement_digest(file.statement))
    path = scratch / "witness.json"
    path.write_text(json.dumps(witness))
    witness_s = time.perf_counter() - began
    report("proving", 0.1)
    proof_path = scratch / "proof.json"
    try:
        with ezkl_errors():
            library().prove(str(path), str(network), str(key), str(proof_path), str(srs))
    except EzklFailed as error:
        raise _typed(error) from None
    answer = json.loads(proof_path.read_bytes())
    proof = bytes(answer["proof"])
    prove_s = time.perf_counter() - began
    report("verifying", 0.95)
    file = ProofFile(file.statement, file.outputs, proof, file.disclosed, file.input_hashes)
    data = encode_proof_file(file)
    began = time.perf_counter()
    verify_proof(data, bundle, _Checker())
    verify_s = time.perf_counter() - began
    return Made(data, proof, len(answer["instances"][0]), witness_s, prove_s, verify_s)


def _typed(error: EzklFailed) -> InputRejected | Unavailable:
    text = str(error).lower()
    if any(word in text for word in _OUT_OF_RANGE):
        return InputRejected(Reason.INPUT_BEYOND_CIRCUIT)
    return Unavailable(Reason.PROVER_FAILED, why=str(error))


def _witness(
    bundle: VerifierBundle, facts: Facts, network: Path, job: Job, scratch: Path
) -> dict[str, Any]:
    """ezkl's witness with our quantised inputs and salts in it, the binding still at zero."""
    sample = [job.inputs[spec.name] for spec in bundle.inputs]
    witness = _raw_witness(bundle, network, sample, scratch)
    if bundle.parts.visibility is Visibility.HASHED:
        for i, (spec, scale) in enumerate(zip(bundle.inputs, facts.input_scales, strict=True)):
            values = quantise(job.inputs[spec.name], scale)
            witness["inputs"][i] = felts(grow(spec).fill(values, salt_limbs(job.salt, i)))
    return witness


def _raw_witness(
    bundle: VerifierBundle, network: Path, sample: list[Any], scratch: Path
) -> dict[str, Any]:
    """ezkl's witness of a sample, salts and binding at zero."""
    source = scratch / "input.json"
    source.write_text(
        json.dumps({"input_data": input_data(sample, bundle.inputs, bundle.parts.visibility)})
    )
    try:
        with ezkl_errors():
            library().gen_witness(str(source), str(network), str(scratch / "witness.json"))
    except EzklFailed as error:
        raise _typed(error) from None
    witness: dict[str, Any] = json.loads((scratch / "witness.json").read_bytes())
    return witness


def _statement_file(
    bundle: VerifierBundle, facts: Facts, job: Job, witness: dict[str, Any]
) -> ProofFile:
    """The proof file but for the proof: statement, outputs, and the input as it is shown."""
    values = output_values(witness, len(bundle.outputs))
    outputs = tuple(
        FixedTensor(spec.name, spec.shape, tuple(v), 2.0**-scale)
        for spec, v, scale in zip(bundle.outputs, values, facts.output_scales, strict=True)
    )
    disclosed, hashes = None, None
    if bundle.parts.visibility is Visibility.PUBLIC:
        disclosed = DisclosedInput(job.salt, job.inputs)
        committed = input_commitment(job.salt, job.inputs)
    else:
        hashes = tuple(felt_to_bytes(poseidon(t)) for t in witness["inputs"][:-1])
        committed = hashed_input_commitment(bundle.parts.proof_system, hashes)
    statement = Statement(
        job_id=job.job_id,
        model_commitment=bundle.commitment,
        input_commitment=committed,
        output_commitment=output_commitment(outputs),
        proof_system=bundle.parts.proof_system,
        provider=job.provider,
    )
    return ProofFile(statement, outputs, b"", disclosed, hashes)


def _bind(bundle: VerifierBundle, witness: dict[str, Any], statement: Digest) -> None:
    binding = felts(limbs(statement.raw))
    witness["inputs"][-1] = binding
    if bundle.parts.visibility is Visibility.HASHED:
        witness["outputs"][-1] = binding
        hashed = [poseidon(tensor) for tensor in witness["inputs"]]
        witness["processed_inputs"]["poseidon_hash"] = hashed
    # Only for reading; ezkl would copy the old values from here into its proof file.
    witness["pretty_elements"] = None


def hash_inputs(bundle: VerifierBundle, tensors: Tensors, salt: bytes) -> tuple[bytes, ...]:
    """The hashes that a hashed circuit shows for this input and salt.

    With them a buyer who knows both recomputes the input commitment of a statement.
    Raises: MissingPart MISSING_LIBRARY; OverflowError for values beyond the circuit.
    """
    facts = read_settings(bundle)
    hashes = []
    for i, (spec, scale) in enumerate(zip(bundle.inputs, facts.input_scales, strict=True)):
        values = quantise(tensors[spec.name], scale)
        hashes.append(felt_to_bytes(poseidon(felts(grow(spec).fill(values, salt_limbs(salt, i))))))
    return tuple(hashes)

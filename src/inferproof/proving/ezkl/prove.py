"""One run in a worker process, and the proof that is made of its witness later."""

import json
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from inferproof.errors import InputRejected, Reason, Unavailable
from inferproof.protocol.commitments import (
    hashed_input_commitment,
    input_commitment,
    output_commitment,
)
from inferproof.protocol.proof_file import (
    DisclosedInput,
    ProofFile,
    decode_proof_file,
    encode_proof_file,
)
from inferproof.protocol.statement import statement_digest
from inferproof.protocol.verifier_bundle import VerifierBundle
from inferproof.proving.artifact import open_artifact
from inferproof.proving.base import Progress
from inferproof.proving.ezkl.bench import input_data, output_values
from inferproof.proving.ezkl.check import poseidon
from inferproof.proving.ezkl.field import felt_to_bytes, felts, limbs, quantise
from inferproof.proving.ezkl.layout import grow, salt_limbs
from inferproof.proving.ezkl.library import EzklFailed, ezkl_errors, library
from inferproof.proving.ezkl.settings import VERSION, Facts, read_settings
from inferproof.types.digest import ZERO_ADDRESS, ZERO_DIGEST, Address, Digest
from inferproof.types.proof import Statement, Visibility
from inferproof.types.tensor import FixedTensor, Tensors

RUN = "run"
"""The run in its folder: a proof file for job zero, without a proof."""
_WITNESS = "run.json"
"""What the proof is made of, the binding still at zero."""
_FILES = ("network.compiled", "pk.key", "kzg.srs")

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


def execute_task(args: dict[str, Any], report: Progress) -> dict[str, Any]:
    """Runs the quantised model, and leaves in `folder` what `prove_task` makes a proof of.

    Raises: InputRejected INPUT_BEYOND_CIRCUIT; ArtifactRejected; Unavailable PROVER_FAILED.
    """
    report("loading keys", 0.0)
    began = time.perf_counter()
    artifact, folder = open_artifact(Path(args["artifact"]), "ezkl", VERSION), Path(args["folder"])
    network, *_ = [artifact.file(name) for name in _FILES]
    load_s = time.perf_counter() - began
    with np.load(args["inputs"], allow_pickle=False) as stored:
        tensors = {spec.name: stored[f"a{i}"] for i, spec in enumerate(artifact.bundle.inputs)}
    report("computing the witness", 0.05)
    began = time.perf_counter()
    run = execute(artifact.bundle, network, tensors, bytes.fromhex(args["salt"]), folder)
    (folder / RUN).write_bytes(encode_proof_file(run))
    return {"load_s": load_s, "run_s": time.perf_counter() - began}


def prove_task(args: dict[str, Any], report: Progress) -> dict[str, Any]:
    """Writes the proof file of the run in `folder` to `out`.

    Raises: InputRejected INPUT_BEYOND_CIRCUIT; ArtifactRejected; Unavailable PROVER_FAILED.
    """
    artifact, folder = open_artifact(Path(args["artifact"]), "ezkl", VERSION), Path(args["folder"])
    network, key, srs = [artifact.file(name) for name in _FILES]
    run = decode_proof_file((folder / RUN).read_bytes())
    statement = replace(
        run.statement,
        job_id=Digest.from_hex(args["job_id"]),
        provider=Address.from_hex(args["provider"]),
    )
    report("proving", 0.1)
    began = time.perf_counter()
    file = prove(artifact.bundle, (network, key, srs), replace(run, statement=statement), folder)
    prove_s = time.perf_counter() - began
    Path(args["out"]).write_bytes(encode_proof_file(file))
    return {"prove_s": prove_s}


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


def execute(
    bundle: VerifierBundle, network: Path, inputs: Tensors, salt: bytes, folder: Path
) -> ProofFile:
    """The run of one input: a proof file for job zero that has no proof, beside its witness."""
    facts = read_settings(bundle)
    witness = _witness(bundle, facts, network, DisclosedInput(salt, inputs), folder)
    (folder / _WITNESS).write_text(json.dumps(witness))
    return _run_file(bundle, facts, DisclosedInput(salt, inputs), witness)


def prove(
    bundle: VerifierBundle, files: tuple[Path, Path, Path], run: ProofFile, folder: Path
) -> ProofFile:
    """The proof of a run for its statement. `files` are network, proving key and SRS.

    The binding of the statement passes through the circuit untouched, so it is written into the
    finished witness; salts likewise. The model is not run again.
    """
    network, key, srs = files
    witness = json.loads((folder / _WITNESS).read_bytes())
    _bind(bundle, witness, statement_digest(run.statement))
    path, proof = folder / "bound.json", folder / "proof.json"
    path.write_text(json.dumps(witness))
    try:
        with ezkl_errors():
            library().prove(str(path), str(network), str(key), str(proof), str(srs))
    except EzklFailed as error:
        raise _typed(error) from None
    return replace(run, proof=bytes(json.loads(proof.read_bytes())["proof"]))


def _typed(error: EzklFailed) -> InputRejected | Unavailable:
    text = str(error).lower()
    if any(word in text for word in _OUT_OF_RANGE):
        return InputRejected(Reason.INPUT_BEYOND_CIRCUIT)
    return Unavailable(Reason.PROVER_FAILED, why=str(error))


def _witness(
    bundle: VerifierBundle, facts: Facts, network: Path, given: DisclosedInput, scratch: Path
) -> dict[str, Any]:
    """ezkl's witness with our quantised inputs and salts in it, the binding still at zero."""
    sample = [given.tensors[spec.name] for spec in bundle.inputs]
    witness = _raw_witness(bundle, network, sample, scratch)
    if bundle.parts.visibility is Visibility.HASHED:
        for i, (spec, scale) in enumerate(zip(bundle.inputs, facts.input_scales, strict=True)):
            values = quantise(given.tensors[spec.name], scale)
            witness["inputs"][i] = felts(grow(spec).fill(values, salt_limbs(given.salt, i)))
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


def _run_file(
    bundle: VerifierBundle, facts: Facts, given: DisclosedInput, witness: dict[str, Any]
) -> ProofFile:
    """The proof file but for job and proof: outputs, and the input as it is shown."""
    values = output_values(witness, len(bundle.outputs))
    outputs = tuple(
        FixedTensor(spec.name, spec.shape, tuple(v), 2.0**-scale)
        for spec, v, scale in zip(bundle.outputs, values, facts.output_scales, strict=True)
    )
    disclosed, hashes = None, None
    if bundle.parts.visibility is Visibility.PUBLIC:
        disclosed = given
        committed = input_commitment(given.salt, given.tensors)
    else:
        hashes = tuple(felt_to_bytes(poseidon(t)) for t in witness["inputs"][:-1])
        committed = hashed_input_commitment(bundle.parts.proof_system, hashes)
    statement = Statement(
        job_id=ZERO_DIGEST,
        model_commitment=bundle.commitment,
        input_commitment=committed,
        output_commitment=output_commitment(outputs),
        proof_system=bundle.parts.proof_system,
        provider=ZERO_ADDRESS,
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

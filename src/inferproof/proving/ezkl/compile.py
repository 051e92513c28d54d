"""Compiles a model in a worker process: bind, tune, make keys, prove once to measure."""

import json
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from inferproof.errors import ModelRejected, Reason
from inferproof.protocol.commitments import preprocessing_digest
from inferproof.protocol.encoding import Json, tagged_digest
from inferproof.protocol.proof_file import ProofFile, encode_proof_file
from inferproof.protocol.statement import statement_digest
from inferproof.protocol.verifier_bundle import (
    VerifierBundle,
    quantisation_digest,
    srs_digest,
    verifying_key_digest,
)
from inferproof.proving.artifact import write_header
from inferproof.proving.base import Progress, SrsSource
from inferproof.proving.ezkl.bench import Bench
from inferproof.proving.ezkl.check import CHECKER, public_values
from inferproof.proving.ezkl.circuit import bind
from inferproof.proving.ezkl.layout import public_sizes
from inferproof.proving.ezkl.library import EzklFailed, ezkl_errors, library
from inferproof.proving.ezkl.prove import execute, prove
from inferproof.proving.ezkl.reference import float_outputs
from inferproof.proving.ezkl.settings import VERSION, read_settings
from inferproof.proving.ezkl.tune import (
    TUNING_SAMPLES,
    Outputs,
    Sample,
    Score,
    Tuned,
    score_samples,
    tune,
)
from inferproof.proving.files import sha256_file
from inferproof.proving.srs import ceremony_srs, cut_srs, development_srs
from inferproof.proving.worker import peak_bytes, reset_peak
from inferproof.types.digest import Digest
from inferproof.types.proof import ModelParts, Setup, Visibility
from inferproof.types.tensor import TensorSpec
from inferproof.verify.proof import verify_proof

NETWORK, PROVING_KEY, SRS, MODEL, SETTINGS = (
    "network.compiled",
    "pk.key",
    "kzg.srs",
    "model.onnx",
    "settings.json",
)
SCORING_S = 15.0
SCORED_SAMPLES = 128
"""Enough for a percent of agreement; more would make compiling wait for statistics."""


def compile_task(args: dict[str, Any], report: Progress) -> dict[str, Any]:
    """Fills `folder`, which already holds model.onnx, with keys, bundle and header.

    Raises: ModelRejected, ArtifactRejected (SRS), MissingPart, EzklFailed only for a bug.
    """
    try:
        return _compile(args, report)
    except EzklFailed as error:
        raise ModelRejected(Reason.CIRCUIT_REFUSED, system="ezkl", why=str(error)) from None


def _compile(args: dict[str, Any], report: Progress) -> dict[str, Any]:
    folder, scratch = Path(args["folder"]), Path(args["scratch"])
    inputs, outputs = specs_from(args["inputs"]), specs_from(args["outputs"])
    visibility = Visibility(args["visibility"])
    model = (folder / MODEL).read_bytes()
    report("reading the calibration data", 0.0)
    samples, expected = _calibration(model, inputs, outputs, Path(args["calibration"]))
    bench = Bench(scratch, bind(model, inputs, visibility), inputs, outputs, visibility)
    tuned = tune(bench, samples, expected, args["max_error"], report)
    report("measuring accuracy", 0.35)
    score = _score(bench, samples, expected, tuned)
    _check_shapes(bench, outputs, visibility)
    report("preparing the SRS", 0.4)
    srs, setup = _srs(args["srs"], tuned.size.logrows)
    shutil.copyfile(srs, folder / SRS)
    report("making keys", 0.55)
    verifying_key = _make_keys(bench, folder)
    bundle = _bundle(args, folder, bench, verifying_key, setup)
    first = peak_bytes()
    reset_peak()
    report("proving once to measure", 0.8)
    made = _trial_proof(folder, scratch, bundle, samples[0])
    peak = peak_bytes()
    key_bytes = (folder / PROVING_KEY).stat().st_size + len(verifying_key)
    write_header(
        folder,
        bundle,
        costs={
            "prove_us": round(made.prove_s * 1e6),
            "verify_us": round(made.verify_s * 1e6),
            "peak_bytes": peak,
            "key_bytes": key_bytes,
            "proof_bytes": len(encode_proof_file(made.file)),
            "verify_gas": verify_gas(_instances(bundle, made.file), len(made.file.proof)),
        },
        details=_details(args, tuned, score, folder, setup),
    )
    report("done", 1.0)
    return {
        "key_bytes": key_bytes,
        "compile_peak_bytes": max(first, peak),
        "max_error": score.absolute,
        "relative_error": score.relative,
        "agreement": score.agreement,
        "trials": tuned.trials,
    }


def _instances(bundle: VerifierBundle, file: ProofFile) -> int:
    return len(public_values(bundle, read_settings(bundle), file, statement_digest(file.statement)))


def verify_gas(instances: int, proof_bytes: int) -> int:
    """The gas that ezkl's reusable verifier is expected to take.

    Source: a fit to five circuits on a local chain (21 to 810 public values, 3 to 7 KB of
    proof, 0.73M to 1.78M gas); it was within 7 % for each.
    """
    return 686_000 + 1_350 * instances + 6_600 * max(0, proof_bytes // 32 - 96)


def specs_from(items: list[Any]) -> tuple[TensorSpec, ...]:
    """Tensor specs as they cross to a worker."""
    return tuple(
        TensorSpec(name, dtype, tuple(shape), tuple(labels)) for name, dtype, shape, labels in items
    )


def _calibration(
    model: bytes,
    inputs: tuple[TensorSpec, ...],
    outputs: tuple[TensorSpec, ...],
    path: Path,
) -> tuple[list[Sample], list[Outputs]]:
    with np.load(path, allow_pickle=False) as stored:
        arrays = [stored[f"a{i}"] for i in range(len(inputs))]
    count = min(len(arrays[0]), SCORED_SAMPLES)
    samples = [[np.asarray(array[i]) for array in arrays] for i in range(count)]
    return samples, float_outputs(model, inputs, outputs, samples)


def _score(bench: Bench, samples: list[Sample], expected: list[Outputs], tuned: Tuned) -> Score:
    """Accuracy over all samples, or over as many as take SCORING_S."""
    began = time.monotonic()
    bench.witness(bench.write_input("sample0.json", samples[0]))
    each = time.monotonic() - began
    count = min(len(samples), max(TUNING_SAMPLES, int(SCORING_S / each)))
    if count <= TUNING_SAMPLES:
        return tuned.score
    paths = [bench.write_input(f"sample{i}.json", s) for i, s in enumerate(samples[:count])]
    return score_samples(bench, paths, expected)


def _check_shapes(bench: Bench, outputs: tuple[TensorSpec, ...], visibility: Visibility) -> None:

    shapes = json.loads(bench.settings.read_bytes())["model_instance_shapes"]
    got = [int(np.prod(shape)) for shape in shapes]
    if got != public_sizes(bench.inputs, outputs, visibility):
        why = "it drops or merges inputs or outputs of the graph"
        raise ModelRejected(Reason.CIRCUIT_REFUSED, system="ezkl", why=why)


def _srs(source: dict[str, str] | None, k: int) -> tuple[Path, Setup]:
    if source is not None:
        given = SrsSource(Path(source["path"]), source["sha256"])
        return ceremony_srs(given, k), Setup.CEREMONY

    def generate(path: Path) -> None:
        with ezkl_errors():
            library().gen_srs(str(path), k)

    return development_srs(k, generate), Setup.DEVELOPMENT


def _make_keys(bench: Bench, folder: Path) -> bytes:
    shutil.copyfile(bench.network, folder / NETWORK)
    shutil.copyfile(bench.settings, folder / SETTINGS)
    key = bench.folder / "vk.key"
    with ezkl_errors():
        library().setup(
            str(folder / NETWORK), str(key), str(folder / PROVING_KEY), str(folder / SRS)
        )
    return key.read_bytes()


def _bundle(
    args: dict[str, Any], folder: Path, bench: Bench, verifying_key: bytes, setup: Setup
) -> VerifierBundle:
    settings = (folder / SETTINGS).read_bytes()
    srs = cut_srs((folder / SRS).read_bytes())
    preprocessing: dict[str, Json] = args["preprocessing"]
    parts = ModelParts(
        graph=Digest.from_hex(args["graph"]),
        weights=Digest.from_hex(args["weights"]),
        preprocessing=preprocessing_digest(preprocessing),  # type: ignore[arg-type]
        quantisation=quantisation_digest(settings, bench.inputs, bench.outputs),
        proof_system="ezkl",
        proof_system_version=VERSION,
        visibility=bench.visibility,
        verifying_key=verifying_key_digest(verifying_key),
        srs=srs_digest(srs),
        setup=setup,
    )
    return VerifierBundle(
        parts, preprocessing, bench.inputs, bench.outputs, settings, verifying_key, srs
    )


@dataclass(frozen=True, slots=True)
class _Trial:
    """One verified proof. Units: seconds; `prove_s` includes the run."""

    file: ProofFile
    prove_s: float
    verify_s: float


def _trial_proof(folder: Path, scratch: Path, bundle: VerifierBundle, sample: Sample) -> _Trial:
    """A proof for job zero: shows that the keys work, and what a proof costs."""
    tensors = {spec.name: array for spec, array in zip(bundle.inputs, sample, strict=True)}
    network, key, srs = (folder / name for name in (NETWORK, PROVING_KEY, SRS))
    began = time.perf_counter()
    run = execute(bundle, network, tensors, bytes(32), scratch)
    file = prove(bundle, (network, key, srs), run, scratch)
    prove_s = time.perf_counter() - began
    began = time.perf_counter()
    verify_proof(encode_proof_file(file), bundle, CHECKER)
    return _Trial(file, prove_s, time.perf_counter() - began)


def _details(
    args: dict[str, Any], tuned: Tuned, score: Score, folder: Path, setup: Setup
) -> dict[str, Json]:
    parameters = tuned.parameters
    return {
        "quantisation": {
            "input_scale": parameters.scale,
            "param_scale": parameters.scale,
            "decomp_base": 2**parameters.base_bits,
            "decomp_legs": parameters.legs,
            "lookup_range": list(parameters.lookup),
            "logrows": tuned.size.logrows,
            "rows": tuned.size.rows,
        },
        "srs": {
            "kind": setup.value,
            "logrows": tuned.size.logrows,
            "sha256": sha256_file(folder / SRS),
        },
        "accuracy": {
            "max_error": repr(score.absolute),
            "relative_error": repr(score.relative),
            "agreement": repr(score.agreement),
        },
        "calibration": tagged_digest(
            "inferproof/calibration/1", Path(args["calibration"]).read_bytes()
        ).hex,
        "parameters": args["parameters"],
        "ezkl": VERSION,
    }

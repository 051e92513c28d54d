"""Compiles one model in a worker process: integer graph, weights, commitment, trial proofs."""

import statistics
import time
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from inferproof.errors import ModelRejected, NotFound, Reason
from inferproof.models.load import from_head
from inferproof.models.loaded import LoadedModel
from inferproof.protocol.commitments import preprocessing_digest
from inferproof.protocol.encoding import Json, tagged_digest
from inferproof.protocol.verifier_bundle import (
    NO_FILE,
    VerifierBundle,
    quantisation_digest,
    verifying_key_digest,
)
from inferproof.proving.artifact import write_header
from inferproof.proving.base import Progress
from inferproof.proving.bounds import bounded
from inferproof.proving.costs import Costs, read_costs
from inferproof.proving.sumcheck.check import VERSION, read_facts
from inferproof.proving.sumcheck.contract import ContractGas, contract_gas
from inferproof.proving.sumcheck.graph_bytes import encode_graph
from inferproof.proving.sumcheck.keys import MadeKey, make_key
from inferproof.proving.sumcheck.library import library
from inferproof.proving.sumcheck.loaded import (
    NAME,
    PARAMETERS,
    WEIGHTS,
    Loaded,
)
from inferproof.proving.sumcheck.lower.compile import Lowering, choices, lower
from inferproof.proving.sumcheck.lower.layers import layers_of
from inferproof.proving.sumcheck.lower.parameters import Hidden, hide_weights
from inferproof.proving.sumcheck.lower.program import read_program
from inferproof.proving.sumcheck.notes import falls_short, notes, private_notes, where
from inferproof.proving.sumcheck.private_key import write_key
from inferproof.proving.sumcheck.profiles import EVM
from inferproof.proving.sumcheck.prove import Trial, trial
from inferproof.proving.sumcheck.refusals import refusal
from inferproof.proving.worker import peak_bytes
from inferproof.types.digest import ZERO_DIGEST, Digest
from inferproof.types.layer import QuantisedLayer, weakest
from inferproof.types.proof import ModelParts, Setup, Visibility
from inferproof.types.tensor import Tensors

TRIALS = 5
TRIAL_SECONDS = 1.0
"""Proofs that are made to measure what one costs, at most, and after how long no further one."""


def compile_task(args: dict[str, Any], report: Progress) -> dict[str, Any]:
    """Writes weights, parameters, bundle, header and what opens the key into `folder`.

    The result's `opened` says how often the proof of its ranges and trials opened that key, whose
    count is not begun here.

    Raises: InputRejected, ModelRejected with the reasons of `lower`, CIRCUIT_INACCURATE,
    CIRCUIT_REFUSED, MODEL_NOT_PROVABLE, PROFILE_NO_CONTRACT; ArtifactRejected GRAPH_ reasons,
    KEY_TOO_COSTLY; MissingPart MISSING_NATIVE.
    """
    with bounded(args):
        return _compile(args, report)


def _compile(args: dict[str, Any], report: Progress) -> dict[str, Any]:
    library()
    folder = Path(args["folder"])
    model = from_head(args["model"], (folder / "model.onnx").read_bytes())
    calibration = _calibration(model, Path(args["calibration"]))
    lowering = lower(model, calibration, choices(args["bits"], args["margin"]), report=report)
    told = lowering.report
    layers: tuple[QuantisedLayer, ...] = ()
    if args["explain"] or falls_short(told):
        report("comparing its layers", 0.5)
        layers = layers_of(model, calibration, lowering, _costs(args))
    if told.relative_error > args["max_error"]:
        raise ModelRejected(
            Reason.CIRCUIT_INACCURATE,
            bound=f"{args['max_error']:g}",
            best=f"{told.relative_error:.3g}{where(weakest(layers))}",
        )
    report("committing to the weights", 0.6)
    held = hide_weights(lowering.graph, lowering.weights)
    loaded, key = _commit(args, model, lowering, held, report)
    (folder / WEIGHTS).write_bytes(lowering.weights)
    (folder / PARAMETERS).write_bytes(held.parameters.astype("<i4").tobytes())
    report("measuring a proof", 0.8)
    with closing(loaded):
        trials = _trial_proofs(loaded, calibration, report)
    contract = _contract(args["profile"], loaded.bundle.verifying_key, trials[0].proof)
    size = len(lowering.weights) + len(loaded.bundle.verifying_key) + len(loaded.bundle.ranges)
    write_header(
        folder,
        loaded.bundle,
        costs={
            "prove_us": _median_us([made.prove_s for made in trials]),
            "verify_us": _median_us([made.verify_s for made in trials]),
            "peak_bytes": peak_bytes(),
            "key_bytes": size,
            "proof_bytes": trials[0].proof_bytes,
            "verify_gas": contract.proof,
        },
        details={**_details(args, lowering), "links_gas": contract.links},
    )
    write_key(folder, key.kept)  # after the header, which does not pin it
    report("done", 1.0)
    return {
        "opened": key.opened,
        "key_bytes": size,
        "max_error": told.max_error,
        "agreement": told.agreement,
        "samples": told.ranged,
        "held_out": told.samples - told.ranged,
        "notes": [
            *model.notes,
            *notes(told, layers),
            *private_notes(read_facts(loaded.bundle).key),
        ],
        "layers": [asdict(layer) for layer in layers],
        "trials": [],
    }


def _contract(profile: str, verifying_key: bytes, proof: bytes) -> ContractGas:
    """What a contract takes to check proofs; nothing for a profile that is not for contracts.

    Raises: ModelRejected PROFILE_NO_CONTRACT where none can check those of one that is.
    """
    if profile != EVM:
        return ContractGas(0, 0)
    try:
        return contract_gas(verifying_key, proof)
    except NotFound as none:
        raise ModelRejected(Reason.PROFILE_NO_CONTRACT, why=none.facts["why"]) from none


def _costs(args: dict[str, Any]) -> Costs | None:
    """What was measured for proofs on this machine, if anything."""
    return read_costs(Path(args["costs"]), NAME, VERSION) if args["costs"] else None


def _calibration(model: LoadedModel, path: Path) -> dict[str, npt.NDArray[Any]]:
    with np.load(path, allow_pickle=False) as stored:
        return {
            spec.name: stored[f"a{i}"].astype(spec.dtype) for i, spec in enumerate(model.inputs)
        }


def _commit(
    args: dict[str, Any],
    model: LoadedModel,
    lowering: Lowering,
    held: Hidden,
    report: Progress,
) -> tuple[Loaded, MadeKey]:
    """The key of what is held, and the model that proves under it in this process."""
    weights = np.frombuffer(held.weights, dtype=np.int8)

    def ranges(share: float) -> None:
        report("showing the ranges of the weights", 0.7 + 0.1 * share)

    try:
        graph = encode_graph(held.graph)
        made = make_key(graph, weights, held.parameters, args["profile"], ranges)
    except library().NativeError as error:
        steps = read_program(model, ()).steps
        raise refusal(error, held.graph, steps) from error
    bundle = _bundle(args, model, lowering, made)
    return Loaded(bundle, read_facts(bundle).settings, made.model), made


def _bundle(
    args: dict[str, Any], model: LoadedModel, lowering: Lowering, made: MadeKey
) -> VerifierBundle:
    settings = lowering.settings.encode()
    preprocessing: dict[str, Json] = args["preprocessing"]
    parts = ModelParts(
        graph=Digest.from_hex(args["graph"]),
        weights=Digest.from_hex(args["weights"]),
        preprocessing=preprocessing_digest(preprocessing),  # type: ignore[arg-type]
        quantisation=quantisation_digest(settings, model.inputs, model.outputs),
        proof_system=NAME,
        proof_system_version=VERSION,
        visibility=Visibility.PUBLIC,
        verifying_key=verifying_key_digest(made.verifying_key),
        srs=ZERO_DIGEST,
        setup=Setup.NONE,
    )
    return VerifierBundle(
        parts,
        preprocessing,
        model.inputs,
        model.outputs,
        settings,
        made.verifying_key,
        NO_FILE,
        made.ranges,
    )


def _trial_proofs(
    loaded: Loaded, calibration: dict[str, npt.NDArray[Any]], report: Progress
) -> list[Trial]:
    """Proofs for job zero: they show that the keys work, and what a proof costs."""
    samples = len(next(iter(calibration.values())))

    def sample(number: int) -> Tensors:
        taken = {name: array[number % samples] for name, array in calibration.items()}
        return {name: values.astype(np.float32) for name, values in taken.items()}

    made: list[Trial] = []
    trial(loaded, sample(0))  # with the epochs that a process begins once
    began = time.perf_counter()
    for number in range(TRIALS):
        if made and time.perf_counter() - began > TRIAL_SECONDS:
            break
        made.append(trial(loaded, sample(number)))
        report("measuring a proof", 0.8 + 0.2 * (number + 1) / TRIALS)
    return made


def _median_us(seconds: list[float]) -> int:
    return max(1, int(statistics.median(seconds) * 1e6))


def _details(args: dict[str, Any], lowering: Lowering) -> dict[str, Json]:
    told = lowering.report
    return {
        "profile": args["profile"],
        "weights": len(lowering.weights),
        "nodes": len(lowering.graph.nodes),
        "accumulators": told.accumulators,
        "accuracy": {
            "samples": told.told.samples,
            "ranged": told.ranged,
            "held_out": told.samples - told.ranged,
            "max_error": repr(told.max_error),
            "relative_error": repr(told.relative_error),
            "agreement": repr(told.agreement),
        },
        "calibration": tagged_digest(
            "inferproof/calibration/1", Path(args["calibration"]).read_bytes()
        ).hex,
        "parameters": args["parameters"],
    }

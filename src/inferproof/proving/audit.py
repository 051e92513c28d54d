"""Compiling a published model again, for an auditor that was handed the model and the opening.

The auditor holds the published verifier bundle, the model's file, its calibration data and the
opening of the bundle's commitments. It learns which parts of the bundle are the file's. Of a key
with randomness of its own the proof system compares the parts, by the key's opening.
"""

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from inferproof.errors import ArtifactRejected, InferproofError, Reason
from inferproof.models.loaded import LoadedModel
from inferproof.protocol.opening import ModelOpening, PartOpening, Salts, check_opening
from inferproof.protocol.verifier_bundle import VerifierBundle
from inferproof.proving.base import (
    UNDECLARED,
    Compared,
    CompileRequest,
    KeyAuditor,
    Progress,
    ProofSystem,
    no_progress,
)
from inferproof.proving.opening import compiled_alike
from inferproof.types.digest import ZERO_DIGEST, Digest
from inferproof.types.tensor import TensorSpec
from inferproof.verify.proof import check_version

COMPILED = {
    "preprocessing": "pre-processing",
    "quantisation": "quantisation",
    "verifying_key": "verifying key",
    "srs": "SRS",
    "setup": "set-up",
}
"""The parts of a model commitment that compiling makes, and what they are called."""


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What compiling again showed, part by part."""

    parts: tuple[Compared, ...]

    @property
    def differs(self) -> tuple[str, ...]:
        """The parts that are others than the published ones."""
        return tuple(each.part for each in self.parts if each.agrees is False)

    def check(self) -> None:
        """Returns when no part differs. Raises: ArtifactRejected AUDIT_DIFFERS."""
        if self.differs:
            raise ArtifactRejected(Reason.AUDIT_DIFFERS, differs=", ".join(self.differs))


def audit(
    request: CompileRequest,
    bundle: VerifierBundle,
    opening: ModelOpening,
    system: ProofSystem,
    progress: Progress = no_progress,
) -> AuditReport:
    """The model of the request, compiled as the opening says, beside the published bundle.

    The request's model, samples, SRS and declared pre-processing count, and nothing else of it;
    undeclared, the pre-processing is the bundle's. Raises: ArtifactRejected
    OPENING_OTHER_MODEL, OPENING_WRONG, FIELD_MALFORMED for options; ProofRejected
    PROOF_OTHER_VERSION; as `load_model`; as ProofSystem.compile where the file is the opened model.
    Soundness: that a part agrees holds for the file and the samples that were given, under the
    collision resistance of the digests; the caller knows where both came from.
    """
    check_opening(opening, bundle)
    check_version(bundle, system.version)
    request = compiled_alike(request, opening)
    progress("reading the model", 0.0)
    model = request.loaded()
    opened = (
        _opened("graph", opening.graph, model.graph_digest, Reason.AUDIT_GRAPH),
        _opened("weights", opening.weights, model.weights_digest, Reason.AUDIT_WEIGHTS),
    )
    try:
        made = _compiled(request, model, bundle, opening, system, progress)
    except InferproofError as error:
        if all(each.agrees is not False for each in opened):
            raise
        # That the file is another model is what there is to tell; it need not even compile.
        made = tuple(Compared(name, None, error.message) for name in COMPILED.values())
    return AuditReport((*opened, *made))


def _opened(name: str, part: PartOpening | None, found: Digest, reason: Reason) -> Compared:
    if part is None:
        return Compared.hidden(name)
    return Compared(name, True) if part.digest == found else Compared.other(name, reason)


def _compiled(
    request: CompileRequest,
    model: LoadedModel,
    bundle: VerifierBundle,
    opening: ModelOpening,
    system: ProofSystem,
    progress: Progress,
) -> tuple[Compared, ...]:
    """The parts that compiling makes, beside those of the bundle."""
    undeclared = request.preprocessing == UNDECLARED
    with tempfile.TemporaryDirectory(prefix="inferproof-audit-") as scratch:
        out = Path(scratch) / "compiled"
        parts = system.compile(
            replace(
                request,
                model=replace(model, outputs=_labelled(model.outputs, bundle.outputs)),
                out=out,
                visibility=bundle.parts.visibility,
                preprocessing=bundle.preprocessing if undeclared else request.preprocessing,
                salts=opening.salts or Salts(ZERO_DIGEST.raw, ZERO_DIGEST.raw),
                explain=False,
            ),
            progress,
        ).parts
        found: dict[str, tuple[Compared, ...]] = {
            part: (Compared(name, getattr(parts, part) == getattr(bundle.parts, part)),)
            for part, name in COMPILED.items()
        }
        if isinstance(system, KeyAuditor):
            progress("comparing the verifying key", 1.0)
            keys = system.compare_key(bundle, out, opening.key)
            found["verifying_key"] = keys or found["verifying_key"]
    return tuple(each for compared in found.values() for each in compared)


def _labelled(
    specs: tuple[TensorSpec, ...], published: tuple[TensorSpec, ...]
) -> tuple[TensorSpec, ...]:
    """The outputs with the file's own labels, or those that the bundle declares: a card's are in
    no model file."""
    labels = {spec.name: spec.labels for spec in published}
    return tuple(replace(spec, labels=spec.labels or labels.get(spec.name, ())) for spec in specs)

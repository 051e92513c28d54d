"""Compiled models as commands name them: by their folder, by their verifier bundle, or by a folder
that holds several, as `compile --shape tokens=16,64` writes.

In such a folder each model is whole, in a folder of its own, and may be named as such. Where the
folder itself is named, `prove` takes the model that the input fits, and `verify` the one that the
proof is for.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inferproof.cli.files import read_file
from inferproof.errors import ArtifactRejected, InputRejected, ProofRejected, Reason
from inferproof.protocol.proof_file import decode_proof_file
from inferproof.protocol.verifier_bundle import MAX_BYTES as MAX_BUNDLE
from inferproof.protocol.verifier_bundle import VerifierBundle, decode_bundle

if TYPE_CHECKING:
    from inferproof.models.axes import Choice

BUNDLE = "verifier.json"
"""The verifier bundle in a compiled model's folder (proving.artifact)."""


def read_bundle(target: Path) -> VerifierBundle:
    """The checked verifier bundle in a compiled model's folder, or in a file.

    Raises: ArtifactRejected ARTIFACT_NOT_FOUND and as `decode_bundle`.
    """
    path = target / BUNDLE if target.is_dir() else target
    if not path.is_file():
        raise ArtifactRejected(Reason.ARTIFACT_NOT_FOUND, path=target)
    return decode_bundle(read_file(path, MAX_BUNDLE))


def place_of(choice: "Choice", out: Path) -> Path:
    """Where the model of a choice of sizes goes: `out`, or a folder of its own in it.

    Raises: ArtifactRejected ARTIFACT_HOLDS_MODEL.
    """
    if choice.several and (out / BUNDLE).exists():
        raise ArtifactRejected(Reason.ARTIFACT_HOLDS_MODEL, path=out)
    return out / choice.name


def models_in(folder: Path) -> list[Path]:
    """The compiled models in a folder that is none itself, in the order of their names."""
    if not folder.is_dir() or (folder / BUNDLE).exists():
        return []
    # A compilation under way writes into a folder whose name begins with a dot.
    return sorted(path.parent for path in folder.glob(f"[!.]*/{BUNDLE}"))


def model_for_input(target: Path, arrays: Callable[[], dict[str, Any]]) -> Path:
    """The compiled model: `target`, or that in it which takes inputs of these names and shapes.

    Nothing is padded or cut. Raises: InputRejected INPUT_NO_VARIANT, INPUT_SEVERAL_VARIANTS; and as
    `read_bundle` and `arrays`.
    """
    known = models_in(target)
    if not known:
        return target
    given = {name: array.shape for name, array in arrays().items()}
    takes = {path: _shapes(read_bundle(path)) for path in known}
    fitting = [path for path, shapes in takes.items() if shapes == given]
    if not fitting:
        by_size = sorted(takes.items(), key=lambda item: sorted(item[1].items()))
        told = "; ".join(f"{path.name} takes {_shown(shapes)}" for path, shapes in by_size)
        raise InputRejected(Reason.INPUT_NO_VARIANT, path=target, got=_shown(given), known=told)
    if len(fitting) > 1:
        names = ", ".join(path.name for path in fitting)
        raise InputRejected(Reason.INPUT_SEVERAL_VARIANTS, path=target, known=names)
    return fitting[0]


def bundle_for_proof(target: Path, proof: bytes) -> VerifierBundle:
    """The bundle of the compiled model: `target`, or that in it which the proof says it is for.

    Raises: ProofRejected PROOF_OTHER_MODEL where none is; and as `read_bundle` and
    `decode_proof_file`. Soundness: the proof only chooses among models that `target` holds, and
    verifying it shows that it is for the chosen one.
    """
    known = models_in(target)
    if not known:
        return read_bundle(target)
    model = decode_proof_file(proof).statement.model_commitment
    for path in known:
        bundle = read_bundle(path)
        if bundle.commitment == model:
            return bundle
    raise ProofRejected(Reason.PROOF_OTHER_MODEL, got=model, expected=f"any in {target}")


def _shapes(bundle: VerifierBundle) -> dict[str, tuple[int, ...]]:
    from inferproof.cli.samples import features_of  # `verify` starts without it

    specs = bundle.inputs
    if bundle.preprocessing.get("kind") == "features":
        specs = features_of(bundle.preprocessing).specs()
    return {spec.name: spec.shape for spec in specs}


def _shown(shapes: dict[str, tuple[int, ...]]) -> str:
    return ", ".join(f"{name} {list(shape)}" for name, shape in sorted(shapes.items())) or "nothing"

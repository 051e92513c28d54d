"""The checking half of sumcheck: every public value is derived here, none is taken from the proof.

The native verifier reads the key, finds its graph well formed and counts what a proof may cost.
What this adds to it: the interface in the settings is the graph's own, values are quantised by it,
and outputs carry its scales.
"""

from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np

from inferproof.errors import (
    ArtifactRejected,
    InputRejected,
    ProofRejected,
    Reason,
    RequestRejected,
)
from inferproof.protocol.proof_file import ProofFile
from inferproof.protocol.proof_mode import refuse_ended
from inferproof.protocol.verifier_bundle import VerifierBundle
from inferproof.proving.sumcheck.library import Int32s, graph_rejection, library
from inferproof.proving.sumcheck.quantisation import Settings, decode_settings, quantise_inputs
from inferproof.types.digest import Digest
from inferproof.types.proof import Setup, Visibility
from inferproof.types.tensor import FixedTensor, Tensors, TensorSpec
from inferproof.verify.proof import check_version

if TYPE_CHECKING:
    from inferproof.proving.sumcheck import _native

VERSION = "1"
"""Of the proof system."""
KEPT_KEYS = 4
"""Decoded verifying keys that are kept for the next proof, with what was checked of them."""
_NOT_SHOWN = ("RANGES_MISSING", "RANGES_INVALID", "KEY_RANGES")


@dataclass(frozen=True, slots=True)
class Facts:
    """What a bundle says, decoded and found to fit together."""

    settings: Settings
    key: "_native.VerifyingKey"


def check(bundle: VerifierBundle, file: ProofFile, statement: Digest) -> None:
    """Returns when the proof holds for the statement and the values in the file.

    1  bundle and key are of this version; settings, key and bundle describe one interface
    2  the outputs carry the settings' scales
    3  public values: quantised input, or the root of a private one where the statement says so;
       outputs, statement digest
    4  the native verifier accepts the proof for these values under the bundle's key

    Raises: ArtifactRejected MODE_ENDED, ARTIFACT_SETTINGS, KEY_TOO_COSTLY, KEY_RANGES;
    ProofRejected PROOF_OTHER_VERSION, PROOF_OUTPUTS_SCALE, PROOF_INPUT_VISIBILITY,
    PROOF_INPUT_RANGE, PROOF_INVALID; MissingPart MISSING_NATIVE.
    Soundness: commitments in the statement are compared by inferproof.verify.proof.
    """
    # 1
    check_version(bundle, VERSION)
    facts = read_facts(bundle)
    # 2
    if [o.scale for o in file.outputs] != [o.scale for o in facts.settings.outputs]:
        raise ProofRejected(Reason.PROOF_OUTPUTS_SCALE)
    # 3
    inputs, root = _given(facts.settings, file)
    outputs = [_integers(output) for output in file.outputs]
    # 4
    try:
        facts.key.verify(inputs, outputs, statement.raw, file.proof, root)
    except library().NativeError as error:
        raise ProofRejected(Reason.PROOF_INVALID) from error


def read_facts(bundle: VerifierBundle) -> Facts:
    """What the bundle says, once it is known that checking a proof of it takes no more than
    seconds, and that the weights under its key are in their ranges.

    Raises: ArtifactRejected MODE_ENDED, ARTIFACT_SETTINGS, KEY_TOO_COSTLY, KEY_RANGES; MissingPart.
    """
    refuse_ended(bundle.verifying_key)
    parts = bundle.parts
    if parts.visibility is not Visibility.PUBLIC:
        raise settings_fault(f"the visibility is {parts.visibility}")
    if parts.setup is not Setup.NONE or bundle.srs:
        raise settings_fault("there is a set-up")
    key = (bundle.verifying_key, bundle.ranges)
    return _facts(key, bundle.settings, bundle.inputs, bundle.outputs)


def input_root(bundle: VerifierBundle, inputs: Tensors, secret: bytes) -> Digest:
    """See InputCommitter. Raises also: InputRejected INPUT_BEYOND_CIRCUIT."""
    facts = read_facts(bundle)
    try:
        return Digest(facts.key.input_root(flat_inputs(facts.settings, inputs), secret))
    except library().NativeError as error:
        raise private_fault(error) or InputRejected(Reason.INPUT_BEYOND_CIRCUIT) from error


def private_fault(failure: Exception) -> RequestRejected | None:
    """What the native module says against private inputs of a key, where it is that."""
    code, message = failure.args[:2]
    if code == "INPUTS_PUBLIC_ONLY":
        why = str(message)[:300]
    elif code.startswith("KEY_"):
        why = f"the model has no plan for it: {str(message)[:300]}"
    else:
        return None
    return RequestRejected(Reason.PRIVATE_INPUT_UNSUPPORTED, why=why)


def forget_keys() -> None:
    """Lets go of the decoded keys, for a process in which strangers' keys must not add up."""
    _facts.cache_clear()


@lru_cache(maxsize=KEPT_KEYS)
def _facts(
    key_and_ranges: tuple[bytes, bytes],
    settings_bytes: bytes,
    inputs: tuple[TensorSpec, ...],
    outputs: tuple[TensorSpec, ...],
) -> Facts:
    native = library()
    settings = decode_settings(settings_bytes)
    try:
        key = native.VerifyingKey(*key_and_ranges)
    except native.NativeError as error:
        raise _key_rejection(error) from error
    # An input may be read in two ways, one after the other.
    read = [name for name, _ in groupby((s.name, s.shape) for s in settings.inputs)]
    if read != [(s.name, s.shape) for s in inputs]:
        raise settings_fault("they name other inputs than the bundle")
    if [(s.name, s.shape) for s in settings.outputs] != [(s.name, s.shape) for s in outputs]:
        raise settings_fault("they name other outputs than the bundle")
    check_interface(settings, key)
    return Facts(settings, key)


def _key_rejection(error: Exception) -> ArtifactRejected:
    """Why a key is refused. Those are that show no ranges, or not theirs."""
    code, why, *_ = error.args
    if code in _NOT_SHOWN:
        return ArtifactRejected(Reason.KEY_RANGES, why=why)
    return graph_rejection(error) or settings_fault(str(why))


def check_interface(settings: Settings, key: "_native.VerifyingKey") -> None:
    """Returns when the settings are those of the key's graph. Raises: ArtifactRejected."""
    if key.inputs() != [(list(item.shape), item.lo, item.hi) for item in settings.inputs]:
        raise settings_fault("they give other inputs than the graph")
    if key.outputs() != [list(item.shape) for item in settings.outputs]:
        raise settings_fault("they give other outputs than the graph")


def settings_fault(what: str) -> ArtifactRejected:
    """The rejection of settings that do not describe a sound proof."""
    return ArtifactRejected(Reason.ARTIFACT_SETTINGS, what=what)


def flat_inputs(settings: Settings, tensors: Tensors) -> list[Int32s]:
    """The integers of each input, one-dimensional. Raises: as `quantise_inputs`."""
    return [q.astype(np.int32).reshape(-1) for q in quantise_inputs(settings, tensors)]


def _given(settings: Settings, file: ProofFile) -> tuple[list[Int32s] | None, bytes | None]:
    """What the verifier is given of the input, of which the statement decides and not the proof:
    the integers, or the root."""
    if file.statement.private_input:
        if file.input_root is None:
            raise ProofRejected(Reason.PROOF_INPUT_VISIBILITY, expected="public")
        return None, file.input_root.raw
    if file.disclosed is None:
        raise ProofRejected(Reason.PROOF_INPUT_VISIBILITY, expected="public")
    return _public_inputs(settings, file.disclosed.tensors), None


def _public_inputs(settings: Settings, tensors: Tensors) -> list[Int32s]:
    try:
        return flat_inputs(settings, tensors)
    except InputRejected as error:
        name: Any = error.facts.get("name") or ", ".join(item.name for item in settings.inputs)
        raise ProofRejected(Reason.PROOF_INPUT_RANGE, name=name) from error


def _integers(output: FixedTensor) -> Int32s:
    values = np.array(output.values, dtype=object)
    if any(not -(2**31) <= value < 2**31 for value in output.values):
        raise ProofRejected(Reason.PROOF_INVALID)
    return values.astype(np.int32).reshape(-1)


class Checker:
    """`check` as an inferproof.verify.proof.ProofChecker, without a proof system around it."""

    def check(self, bundle: VerifierBundle, file: ProofFile, statement: Digest) -> None:
        """See `check`."""
        check(bundle, file, statement)

    def input_root(self, bundle: VerifierBundle, inputs: Tensors, secret: bytes) -> Digest:
        """See InputCommitter."""
        return input_root(bundle, inputs, secret)


CHECKER = Checker()

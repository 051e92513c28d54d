"""ezkl's settings file: one canonical byte form, and the facts a verifier takes from it.

ezkl writes hash maps in random order and a time stamp. Sorted and with the stamp at zero, the
same graph and parameters give the same settings, and with the same SRS the same keys.
"""

import json
import math
from dataclasses import dataclass
from typing import Any

from inferproof.errors import ArtifactRejected, Reason
from inferproof.protocol.encoding import is_json_shallow
from inferproof.protocol.verifier_bundle import VerifierBundle
from inferproof.proving.ezkl.layout import public_sizes
from inferproof.proving.srs import VERIFIER_SRS_SIZE, cut_srs
from inferproof.types.proof import Setup, Visibility
from inferproof.verify.proof import check_version

VERSION = "23.0.5"
MAX_BYTES = 4 * 2**20
MAX_SCALE = 64
MAX_BLOCKS = 16
"""How often a circuit may fill its rows; ours do so once."""
SMALL = 2**16
"""Covers the lookup range that ezkl names even where a circuit has no lookups."""
INNER_COLUMNS = 2
MAX_LOGROWS = 26
"""The largest circuit of the public ceremony; ezkl would try to make room for any number."""
_VISIBILITY: dict[Visibility, Any] = {
    Visibility.PUBLIC: "Public",
    Visibility.HASHED: {"Hashed": {"hash_is_public": True, "outlets": []}},
}


def canonical_settings(raw: bytes) -> bytes:
    """The one byte form of the settings that ezkl wrote."""
    value = json.loads(raw)
    value["timestamp"] = 0
    value["required_range_checks"] = sorted(value["required_range_checks"])
    value["required_lookups"] = sorted(
        value["required_lookups"], key=lambda item: json.dumps(item, sort_keys=True)
    )
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


@dataclass(frozen=True, slots=True)
class Facts:
    """What a verifier needs of the settings: the binary scales of inputs and outputs."""

    input_scales: tuple[int, ...]
    output_scales: tuple[int, ...]
    logrows: int


def read_settings(bundle: VerifierBundle) -> Facts:
    """The facts in the bundle's settings, once they describe the circuit we would have made.

    Raises: ArtifactRejected ARTIFACT_SETTINGS naming what is wrong; ProofRejected
    PROOF_OTHER_VERSION.
    Soundness: ezkl's verifier takes scales and visibilities on trust. They are pinned by the
    model commitment; this makes sure that what was pinned shows and binds all it should.
    """
    visibility = bundle.parts.visibility
    _check_parts(bundle)
    if len(bundle.settings) > MAX_BYTES or not is_json_shallow(bundle.settings):
        raise ArtifactRejected(Reason.ARTIFACT_SETTINGS, what="form")
    try:
        value = json.loads(bundle.settings)
        run = value["run_args"]
        expected = {
            "version": (value["version"], VERSION),
            "input_visibility": (run["input_visibility"], _VISIBILITY[visibility]),
            "output_visibility": (run["output_visibility"], "Public"),
            "param_visibility": (run["param_visibility"], "Fixed"),
            "ignore_range_check_inputs_outputs": (run["ignore_range_check_inputs_outputs"], False),
            "model_instance_shapes": (
                [math.prod(shape) for shape in value["model_instance_shapes"]],
                public_sizes(bundle.inputs, bundle.outputs, visibility),
            ),
        }
        inputs, outputs = value["model_input_scales"], value["model_output_scales"]
        logrows, inner = run["logrows"], run["num_inner_cols"]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise ArtifactRejected(Reason.ARTIFACT_SETTINGS, what="form") from None
    for what, (got, wanted) in expected.items():
        if got != wanted:
            raise ArtifactRejected(Reason.ARTIFACT_SETTINGS, what=what)
    passed_on = visibility is Visibility.HASHED
    counts = (len(bundle.inputs) + 1, len(bundle.outputs) + passed_on)
    if not (_scales(inputs, counts[0]) and _scales(outputs, counts[1])):
        raise ArtifactRejected(Reason.ARTIFACT_SETTINGS, what="scales")
    if type(logrows) is not int or not 0 < logrows <= MAX_LOGROWS:
        raise ArtifactRejected(Reason.ARTIFACT_SETTINGS, what="logrows")
    # ezkl lays out as many columns as these numbers say before it looks at the key.
    if not _within(value, max(MAX_BLOCKS << logrows, SMALL)) or inner != INNER_COLUMNS:
        raise ArtifactRejected(Reason.ARTIFACT_SETTINGS, what="size")
    # A binding at another scale than zero would be multiplied, and no longer be the digest.
    if inputs[-1] != 0 or (passed_on and outputs[-1] != 0):
        raise ArtifactRejected(Reason.ARTIFACT_SETTINGS, what="binding scale")
    return Facts(tuple(inputs[:-1]), tuple(outputs[: len(bundle.outputs)]), logrows)


def _check_parts(bundle: VerifierBundle) -> None:
    # A bundle that says "no set-up" would pass for one that needs none, and its maker may have
    # drawn the SRS.
    if bundle.parts.setup is Setup.NONE:
        raise ArtifactRejected(Reason.ARTIFACT_SETTINGS, what="set-up")
    check_version(bundle, VERSION)
    if len(bundle.srs) != VERIFIER_SRS_SIZE or cut_srs(bundle.srs) != bundle.srs:
        raise ArtifactRejected(Reason.ARTIFACT_SETTINGS, what="SRS")


def _scales(value: Any, count: int) -> bool:
    return (
        isinstance(value, list)
        and len(value) == count
        and all(type(scale) is int and 0 <= scale <= MAX_SCALE for scale in value)
    )


def _within(value: Any, most: int) -> bool:
    """Whether every number in a JSON value is at most `most` in size."""
    if isinstance(value, dict):
        return all(_within(item, most) for item in value.values())
    if isinstance(value, list):
        return all(_within(item, most) for item in value)
    return not isinstance(value, int | float) or abs(value) <= most

"""A verifying key beside the model compiled again, for an auditor.

Such a key is made with randomness of its own, so that the model compiled again has another one.
Compared are the graph, the terms, and, with what its maker opens, the commitment, which is made
again from the weights of the file: what stands in the key is then wholly accounted for.
"""

import json
import struct
from pathlib import Path

import numpy as np

from inferproof.errors import Reason
from inferproof.protocol.opening import KeyOpening
from inferproof.protocol.verifier_bundle import VerifierBundle
from inferproof.proving.artifact import Artifact, open_artifact
from inferproof.proving.base import Compared
from inferproof.proving.sumcheck.check import VERSION, read_facts
from inferproof.proving.sumcheck.graph_bytes import decode_graph
from inferproof.proving.sumcheck.library import Int8s, graph_rejection, library
from inferproof.proving.sumcheck.loaded import NAME, WEIGHTS, read_parameters
from inferproof.proving.sumcheck.prove import failure
from inferproof.proving.sumcheck.public_facts import other_facts
from inferproof.types.digest import Digest

GRAPH, TERMS, COMMITMENT = "key graph", "key terms", "key commitment"
"""The parts of such a key, as they are called."""
_OTHER_WEIGHTS = ("WEIGHTS_OTHER", "EXECUTION")
"""Weights that do not make the commitment, or of which the key's graph has others in number or
range."""
_LINKS = ("LINK_INVALID", "LINK_KIND", "LINK_COUNT", "EPOCH_KIND", "PROOF_MALFORMED")
_OPENINGS = 46
"""Where a key says how often commitments of each kind are opened (specs/private-mode.md, section
3)."""


def compare_key(
    bundle: VerifierBundle, compiled: Path, opened: KeyOpening | None
) -> tuple[Compared, ...]:
    """The parts of the bundle's verifying key beside the model that was compiled again into a
    folder.

    Raises: ArtifactRejected MODE_ENDED, ARTIFACT_SETTINGS, KEY_TOO_COSTLY, and as `open_artifact`;
    Unavailable PROVER_FAILED; MissingPart MISSING_NATIVE.
    Soundness: that the commitment agrees rests on the collision resistance of the hash, and where
    links lead to it on theirs. Without an opening nothing is shown of the weights.
    """
    made = open_artifact(compiled, NAME, VERSION)
    key = _commitment(bundle.verifying_key, made, opened)
    return (_graph(bundle, made), _terms(bundle, made), key)


def _graph(bundle: VerifierBundle, made: Artifact) -> Compared:
    published = read_facts(bundle).key.graph()
    again = read_facts(made.bundle).key.graph()
    if published == again:
        return Compared(GRAPH, True)
    kinds = other_facts(decode_graph(published), decode_graph(again))
    told = ", ".join(kinds) or "numbers of its constants"
    return Compared.other(GRAPH, Reason.AUDIT_KEY_GRAPH, differs=told)


def _terms(bundle: VerifierBundle, made: Artifact) -> Compared:
    got, expected = terms_of(bundle), terms_of(made.bundle)
    if got == expected:
        return Compared(TERMS, True)
    return Compared.other(TERMS, Reason.AUDIT_KEY_TERMS, got=got, expected=expected)


def terms_of(bundle: VerifierBundle) -> str:
    """What a key is made for, in words: its profile, and how often its commitments
    of each kind are opened."""
    profile = json.loads(read_facts(bundle).key.security())["profile"]
    openings = struct.unpack_from("<III", bundle.verifying_key, _OPENINGS)
    return f"profile {profile} and openings {' '.join(map(str, openings))}"


def _commitment(key: bytes, made: Artifact, opened: KeyOpening | None) -> Compared:
    if opened is None:
        return Compared.hidden(COMMITMENT)
    native = library()
    weights: Int8s = np.frombuffer(made.file(WEIGHTS).read_bytes(), dtype=np.int8)
    parameters = read_parameters(made)
    try:
        loaded = native.PrivateKey(key, weights, parameters, opened.secret, opened.links)
    except native.NativeError as error:
        code, message = error.args[:2]
        if code in _OTHER_WEIGHTS:
            return Compared.other(COMMITMENT, Reason.AUDIT_KEY_COMMITMENT)
        if code in _LINKS:
            return Compared.other(COMMITMENT, Reason.AUDIT_KEY_LINKS, why=message)
        raise graph_rejection(error) or failure(error) from error
    if not opened.links:
        return Compared(COMMITMENT, True)
    # Its rotations are followed from the key's own commitment to the one that is opened now.
    return Compared(COMMITMENT, True, f"by its rotations, up to key {Digest(loaded.name())}")

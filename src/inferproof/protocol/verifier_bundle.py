"""The verifier bundle: what a verifier must hold to check proofs of one model, in one file.

Its model commitment is recomputed from its own content, so a bundle from anyone is as good as
one from the provider: it either has the commitment that was asked for or it does not.
Source: specs/statement.md, section "Verifier bundle".
"""

from dataclasses import dataclass, field, replace

from inferproof.errors import ArtifactRejected, Reason
from inferproof.protocol.commitments import model_commitment, preprocessing_digest
from inferproof.protocol.documents import decode_document, encode_document
from inferproof.protocol.encoding import Json, canonical_json, tagged_digest
from inferproof.protocol.fields import Fields, to_base64
from inferproof.protocol.labels import MAX_LABEL, MAX_LABELS, fits
from inferproof.protocol.proof_file import read_shape
from inferproof.protocol.proof_mode import SYSTEM, is_hiding
from inferproof.types.digest import ZERO_DIGEST, Digest
from inferproof.types.proof import ModelParts, Setup, Visibility
from inferproof.types.tensor import TensorSpec

FORMAT = "inferproof/verifier/1"
MAX_BYTES = 64 * 2**20
NO_FILE = b""


@dataclass(frozen=True, slots=True)
class VerifierBundle:
    """Keys and public description of one compiled model.

    `settings`, `verifying_key` and `srs` are the proof system's own files, empty where it has
    none; `preprocessing` is canonical (JSON without floats). `ranges` shows of a key that its
    weights are in their ranges, where the system's keys show that; it is checked against the key,
    so that no part of the commitment names it.
    """

    parts: ModelParts
    preprocessing: dict[str, Json]
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    settings: bytes
    verifying_key: bytes = field(repr=False)
    srs: bytes = field(repr=False)
    ranges: bytes = field(repr=False, default=NO_FILE)

    @property
    def commitment(self) -> Digest:
        return model_commitment(self.parts)


def quantisation_digest(
    settings: bytes, inputs: tuple[TensorSpec, ...], outputs: tuple[TensorSpec, ...]
) -> Digest:
    """The digest of everything that fixes scales, rounding, order and names of inputs and outputs.

    Encoding: the parts are the settings and one canonical JSON of all specs,
    {"inputs": [{"dtype", "name", "shape"}, …], "outputs": […]}, with "labels" beside "name" where
    a tensor has some.
    """
    specs = canonical_json(
        {"inputs": [_spec_json(s) for s in inputs], "outputs": [_spec_json(s) for s in outputs]}
    )
    return tagged_digest("inferproof/quantisation/1", settings, specs)


def verifying_key_digest(data: bytes) -> Digest:
    """The digest of a verifying key; zero where a system has none."""
    return tagged_digest("inferproof/verifying-key/1", data) if data else ZERO_DIGEST


def srs_digest(data: bytes) -> Digest:
    """The digest of the SRS a verifier uses; zero where a system has none."""
    return tagged_digest("inferproof/srs/1", data) if data else ZERO_DIGEST


def check_bundle(bundle: VerifierBundle) -> VerifierBundle:
    """The same bundle, once its content has the digests that its commitment is made of.

    Raises: ArtifactRejected ARTIFACT_DIGEST_MISMATCH naming the part.
    """
    expected = {
        "preprocessing": (preprocessing_digest(bundle.preprocessing), bundle.parts.preprocessing),  # type: ignore[arg-type]
        "settings": (
            quantisation_digest(bundle.settings, bundle.inputs, bundle.outputs),
            bundle.parts.quantisation,
        ),
        "verifying key": (verifying_key_digest(bundle.verifying_key), bundle.parts.verifying_key),
        "SRS": (srs_digest(bundle.srs), bundle.parts.srs),
    }
    for part, (got, wanted) in expected.items():
        if got != wanted:
            raise ArtifactRejected(Reason.ARTIFACT_DIGEST_MISMATCH, part=part)
    return bundle


def encode_bundle(bundle: VerifierBundle) -> bytes:
    """The one byte form of a verifier bundle."""
    body: dict[str, Json] = {
        "parts": parts_json(bundle.parts),
        "preprocessing": bundle.preprocessing,
        "inputs": [_spec_json(s) for s in bundle.inputs],
        "outputs": [_spec_json(s) for s in bundle.outputs],
        "settings": to_base64(bundle.settings),
        "verifying_key": to_base64(bundle.verifying_key),
        "srs": to_base64(bundle.srs),
    }
    # Left out where there is none, so that bundles of other keys stay what they were.
    if bundle.ranges:
        body["ranges"] = to_base64(bundle.ranges)
    return encode_document(FORMAT, body)


def decode_bundle(data: bytes) -> VerifierBundle:
    """The checked verifier bundle that these bytes are.

    Raises: ArtifactRejected with a decoding reason or ARTIFACT_DIGEST_MISMATCH.
    Soundness: compare `commitment` with the model that was asked for.
    """
    return check_bundle(
        decode_document(data, FORMAT, _read, max_bytes=MAX_BYTES, kind=ArtifactRejected)
    )


def parts_json(parts: ModelParts) -> dict[str, Json]:
    """The parts of a model commitment as JSON."""
    return {
        "graph": parts.graph.hex,
        "weights": parts.weights.hex,
        "preprocessing": parts.preprocessing.hex,
        "quantisation": parts.quantisation.hex,
        "proof_system": parts.proof_system,
        "proof_system_version": parts.proof_system_version,
        "visibility": parts.visibility.value,
        "verifying_key": parts.verifying_key.hex,
        "srs": parts.srs.hex,
        "setup": parts.setup.value,
    }


def read_parts(fields: Fields) -> ModelParts:
    """The parts of a model commitment in decoded JSON."""
    parts = ModelParts(
        graph=fields.digest("graph"),
        weights=fields.digest("weights"),
        preprocessing=fields.digest("preprocessing"),
        quantisation=fields.digest("quantisation"),
        proof_system=fields.text("proof_system", most=64),
        proof_system_version=fields.text("proof_system_version", most=64),
        visibility=fields.one_of("visibility", Visibility),
        verifying_key=fields.digest("verifying_key"),
        srs=fields.digest("srs"),
        setup=fields.one_of("setup", Setup),
    )
    fields.end()
    return parts


def _spec_json(spec: TensorSpec) -> dict[str, Json]:
    form: dict[str, Json] = {"name": spec.name, "dtype": spec.dtype, "shape": list(spec.shape)}
    # Left out where there are none, so that what was compiled before keeps its commitment.
    return {**form, "labels": list(spec.labels)} if spec.labels else form


def _read_spec(fields: Fields) -> TensorSpec:
    spec = TensorSpec(
        fields.text("name", most=512), fields.text("dtype", most=16), read_shape(fields)
    )
    if "labels" in fields.rest():
        labels = fields.texts("labels", MAX_LABELS, most=MAX_LABEL)
        if not fits(spec, labels):
            raise fields.malformed("labels")
        spec = replace(spec, labels=labels)
    fields.end()
    return spec


def _shows_ranges(bundle: VerifierBundle) -> bool:
    """Whether the key is one that shows ranges."""
    return bundle.parts.proof_system == SYSTEM and is_hiding(bundle.verifying_key)


def _read_ranges(fields: Fields) -> bytes:
    if "ranges" not in fields.rest():
        return NO_FILE
    ranges = fields.base64("ranges", most=MAX_BYTES)
    if not ranges:
        raise fields.malformed("ranges")
    return ranges


def _read(fields: Fields) -> VerifierBundle:
    bundle = VerifierBundle(
        parts=fields.nested("parts", read_parts),
        preprocessing=fields.take("preprocessing", dict),
        inputs=tuple(fields.nested_list("inputs", _read_spec)),
        outputs=tuple(fields.nested_list("outputs", _read_spec)),
        settings=fields.base64("settings", most=MAX_BYTES),
        verifying_key=fields.base64("verifying_key", most=MAX_BYTES),
        srs=fields.base64("srs", most=MAX_BYTES),
        ranges=_read_ranges(fields),
    )
    fields.end()
    if bundle.ranges and not _shows_ranges(bundle):
        raise fields.malformed("ranges")
    for field_name, specs in (("inputs", bundle.inputs), ("outputs", bundle.outputs)):
        if not specs or len({s.name for s in specs}) != len(specs):
            raise fields.malformed(field_name)
    if any(spec.labels for spec in bundle.inputs):
        raise fields.malformed("inputs")
    return bundle

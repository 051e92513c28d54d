"""The opening of a compiled model on disk, which stays with whom compiled it.

    opening.json    salts and digests of graph and weights, and the options of compiling

Only its owner may read it. The header does not pin it and stores of compiled models leave it out:
nothing but opening the commitments needs it.
"""

import math
import os
import secrets
from dataclasses import replace
from pathlib import Path
from typing import Any

from inferproof.errors import ArtifactRejected, Reason, RequestRejected
from inferproof.models.axes import Axes
from inferproof.models.loaded import LoadedModel
from inferproof.protocol.commitments import graph_commitment, weights_commitment
from inferproof.protocol.encoding import Json
from inferproof.protocol.fields import Fields
from inferproof.protocol.opening import (
    FORMAT,
    MAX_BYTES,
    OPENING,
    SALT_BYTES,
    ModelOpening,
    PartOpening,
    Salts,
    check_opening,
    decode_opening,
    encode_opening,
)
from inferproof.protocol.verifier_bundle import VerifierBundle
from inferproof.proving.base import CompileRequest
from inferproof.types.digest import Digest

_OWNER_ONLY = 0o600


class Hidden:
    """Graph and weights of a model that is being compiled, under its salts."""

    def __init__(self, request: CompileRequest, model: LoadedModel) -> None:
        """Draws the salts from the operating system, where the request brings none."""
        salts = request.salts or fresh_salts()
        self._graph = PartOpening(model.graph_digest, salts.graph)
        self._weights = PartOpening(model.weights_digest, salts.weights)
        self._options = options_of(request)
        self.salts = salts
        self.graph: Digest = graph_commitment(salts.graph, model.graph_digest)
        """What the verifier bundle names the graph by."""
        self.weights: Digest = weights_commitment(salts.weights, model.weights_digest)
        """What the verifier bundle names the weights by."""

    def keep(self, folder: Path, model: Digest) -> None:
        """Writes the opening of the model of this commitment into its folder."""
        opening = ModelOpening(model, self._graph, self._weights, self._options)
        path = folder / OPENING
        path.unlink(missing_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY)
        with os.fdopen(descriptor, "wb") as file:
            file.write(encode_opening(opening))
            file.flush()
            os.fsync(file.fileno())


def fresh_salts() -> Salts:
    """Salts of the operating system's randomness."""
    return Salts(secrets.token_bytes(SALT_BYTES), secrets.token_bytes(SALT_BYTES))


def read_opening(folder: Path, bundle: VerifierBundle) -> ModelOpening:
    """The opening that lies in a compiled model's folder, once it opens the bundle's commitments.

    Raises: ArtifactRejected OPENING_MISSING, a decoding reason, or as `check_opening`.
    """
    try:
        with (folder / OPENING).open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError:
        raise ArtifactRejected(Reason.OPENING_MISSING, path=folder) from None
    return check_opening(decode_opening(data), bundle)


def options_of(request: CompileRequest) -> dict[str, Json]:
    """What a model is compiled with, besides its samples and what its bundle says itself.

    Encoding: numbers with a fraction as their shortest decimal text.
    """
    return {
        "axes": request.axes.to_json(),
        "bits": request.bits,
        "margin": None if request.margin is None else repr(float(request.margin)),
        "max_error": repr(float(request.max_error)),
        "profile": request.profile,
    }


def axes_in(opening: ModelOpening) -> Axes:
    """The sizes that the opened model was compiled for. Raises: ArtifactRejected
    FIELD_MALFORMED."""
    axes: Axes = _read_options(opening)["axes"]
    return axes


def compiled_alike(request: CompileRequest, opening: ModelOpening) -> CompileRequest:
    """The request with the options of the opening. Raises: ArtifactRejected FIELD_MALFORMED."""
    return replace(request, **_read_options(opening))


def _read_options(opening: ModelOpening) -> dict[str, Any]:
    # Those of before 2026-11-26 name a mode too; other ones than this have ended.
    told = {name: value for name, value in opening.options.items() if name != "mode"}
    fields = Fields(told, f"{FORMAT}.options")
    try:
        options = {
            "axes": fields.nested("axes", _read_axes),
            "bits": fields.optional("bits", lambda name: fields.integer(name, most=64)),
            "margin": fields.optional("margin", lambda name: _number(fields, name)),
            "max_error": _number(fields, "max_error"),
            "profile": fields.text("profile", most=64),
        }
        fields.end()
    except RequestRejected as error:
        raise ArtifactRejected(error.reason, **error.facts) from None
    return options


def _read_axes(fields: Fields) -> Axes:
    batch, named = fields.integer("batch", least=1), fields.take("named", dict)
    if any(type(size) is not int or size < 1 for size in named.values()):
        raise fields.malformed("named")
    fields.end()
    return Axes(batch, named)


def _number(fields: Fields, name: str) -> float:
    try:
        value = float(fields.text(name, most=32))
    except ValueError:
        raise fields.malformed(name) from None
    if not math.isfinite(value) or value <= 0:
        raise fields.malformed(name)
    return value

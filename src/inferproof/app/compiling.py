"""From a model card to a compiled model: what a provider does before it publishes.

Beside `app` this is the only place that joins pre-processing and proof systems; it needs
neither server nor chain.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from inferproof.errors import ModelRejected, Reason
from inferproof.inference.preprocess import (
    Features,
    ImageSpec,
    Preprocessing,
    VectorSpec,
    load_preprocessing,
    preprocess,
)
from inferproof.inference.preprocess.features import sample_tensors
from inferproof.inference.preprocess.image import MAX_PIXEL
from inferproof.models.arrays import read_arrays
from inferproof.models.axes import Choice
from inferproof.models.card import ModelCard
from inferproof.models.drawing import Ranges, drawn
from inferproof.models.labels import labelled
from inferproof.models.load import load_model
from inferproof.models.loaded import LoadedModel
from inferproof.models.variants import cut_samples
from inferproof.protocol.opening import Salts
from inferproof.proving.base import (
    CompileReport,
    CompileRequest,
    Progress,
    ProofSystem,
    SrsSource,
    no_progress,
)
from inferproof.types.proof import Visibility


def compile_card(
    card: ModelCard,
    out: Path,
    system: ProofSystem,
    report: Progress = no_progress,
    srs: SrsSource | None = None,
    ranges: Ranges | None = None,
    *,
    bits: int | None = None,
    margin: float | None = None,
    choice: Choice | None = None,
    salts: Salts | None = None,
    profile: str = "default",
) -> CompileReport:
    """The compiled model of a card, in `out`; its pre-processing and labels are in the commitment.

    Raises: as `card_request` and ProofSystem.compile.
    """
    request = card_request(card, out, ranges, choice)
    request = replace(request, srs=srs, bits=bits, margin=margin, salts=salts, profile=profile)
    return system.compile(request, report)


def card_request(
    card: ModelCard, out: Path, ranges: Ranges | None = None, choice: Choice | None = None
) -> CompileRequest:
    """What is asked of a proof system to compile the model of a card, with its own options.

    Without a calibration file, samples are drawn from `ranges`, or from those that the
    pre-processing declares. Those of a file are cut to the sizes of `choice`, where the card that
    this one was made of gives several. Raises: ModelRejected CARD_NO_CALIBRATION, CARD_LABELS; as
    `load_model`, `load_preprocessing`, `read_arrays` and `drawn`.
    """
    preprocessing = load_preprocessing(card.preprocessing, card.folder)
    model = load_model(card.model_path, axes=card.input.axes)
    samples = _calibration(card, model, preprocessing, ranges)
    return CompileRequest(
        model=replace(model, outputs=labelled(model.outputs, card.output)),
        calibration=cut_samples(model, samples, choice or Choice()),
        out=out,
        visibility=Visibility(card.proof.input_visibility),
        preprocessing=preprocessing.canonical(),
        axes=card.input.axes,
    )


def _calibration(
    card: ModelCard, model: LoadedModel, preprocessing: Preprocessing, ranges: Ranges | None
) -> dict[str, Any]:
    if card.calibration_path is not None and not ranges:
        arrays = read_arrays(card.calibration_path)
        if isinstance(preprocessing.spec, Features):
            return dict(sample_tensors(preprocessing.spec, arrays))
        return arrays
    known = ranges or _declared(preprocessing)
    if not known:
        raise ModelRejected(Reason.CARD_NO_CALIBRATION, model=card.name)
    return drawn(model, known)


def _declared(preprocessing: Preprocessing) -> Ranges:
    """The ends of what pre-processing of bounded numbers gives. It never falls as they rise."""
    raws: tuple[object, object]
    match preprocessing.spec:
        case VectorSpec(fields=fields):
            raws = {field.name: field.min for field in fields}, {f.name: f.max for f in fields}
        case ImageSpec() as spec:
            shape = (spec.height, spec.width, spec.channels)
            raws = np.zeros(shape), np.full(shape, MAX_PIXEL)
        case _:
            return {}
    low, high = (preprocess(preprocessing, raw) for raw in raws)
    return {name: (low[name], high[name]) for name in low}

"""From a model card to a compiled model: what a provider does before it publishes.

Beside `app` this is the only place that joins pre-processing and proof systems; it needs
neither server nor chain.
"""

from dataclasses import replace
from pathlib import Path

from inferproof.errors import ModelRejected, Reason
from inferproof.inference.preprocess import load_preprocessing
from inferproof.models.arrays import read_arrays
from inferproof.models.card import ModelCard
from inferproof.models.labels import labelled
from inferproof.models.load import load_model
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
    mode: str | None = None,
) -> CompileReport:
    """The compiled model of a card, in `out`; its pre-processing and labels are in the commitment.

    Raises: ModelRejected CARD_NO_CALIBRATION, CARD_LABELS; as `load_model`, `load_preprocessing`,
    `read_arrays` and ProofSystem.compile.
    """
    if card.calibration_path is None:
        raise ModelRejected(Reason.CARD_NO_CALIBRATION, model=card.name)
    preprocessing = load_preprocessing(card.preprocessing, card.folder)
    model = load_model(card.model_path)
    request = CompileRequest(
        model=replace(model, outputs=labelled(model.outputs, card.output)),
        calibration=read_arrays(card.calibration_path),
        out=out,
        visibility=Visibility(card.proof.input_visibility),
        preprocessing=preprocessing.canonical(),
        srs=srs,
        mode=mode,
    )
    return system.compile(request, report)

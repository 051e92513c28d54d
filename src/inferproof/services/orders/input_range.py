"""Inputs beyond a model's range, where its card refuses them: before anything is paid."""

from inferproof.errors import InputRejected, Reason
from inferproof.models.card import REFUSE
from inferproof.services.base import Systems
from inferproof.services.models.catalog import RegisteredModel
from inferproof.verify.proof import out_of_range
from inferproof.verify.receipt import Preprocess


class InputRange:
    """Refuses what a model's card refuses. `preprocess` is what its answers are computed with."""

    def __init__(self, systems: Systems, preprocess: Preprocess) -> None:
        self._systems = systems
        self._preprocess = preprocess

    def __call__(self, model: RegisteredModel, body: bytes) -> None:
        """Returns when no value of the input is cut, or the card lets values be cut.

        Raises: InputRejected INPUT_BEYOND_RANGE and as `preprocess`; MissingPart where the proof
        system is not installed here.
        """
        card, bundle = model.submission.card, model.submission.bundle
        if card.input.out_of_range != REFUSE:
            return
        inputs = self._preprocess(bundle.preprocessing, body)
        count = out_of_range(self._systems(bundle.parts.proof_system), bundle, inputs)
        if count:
            raise InputRejected(Reason.INPUT_BEYOND_RANGE, count=count)

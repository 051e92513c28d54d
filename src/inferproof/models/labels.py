"""What the numbers of a model's outputs are called: by its own file, or by its card."""

from collections.abc import Mapping
from dataclasses import replace

from inferproof.errors import ModelRejected, Reason
from inferproof.models.card import CLASSIFICATION, CardOutput
from inferproof.models.loaded import LoadedModel
from inferproof.models.show import shown
from inferproof.protocol.labels import fits
from inferproof.types.tensor import TensorSpec


def with_labels(model: LoadedModel, labels: Mapping[str, tuple[str, ...]]) -> LoadedModel:
    """The model whose outputs have the labels that its file gave them, by the output's name.

    Raises: ModelRejected MODEL_LABELS.
    """
    for spec in model.outputs:
        if spec.name in labels and not fits(spec, labels[spec.name]):
            raise ModelRejected(
                Reason.MODEL_LABELS,
                name=shown(spec.name),
                count=len(labels[spec.name]),
                shape=list(spec.shape),
            )
    return replace(
        model,
        outputs=tuple(
            replace(spec, labels=labels.get(spec.name, spec.labels)) for spec in model.outputs
        ),
    )


def labelled(specs: tuple[TensorSpec, ...], card: CardOutput) -> tuple[TensorSpec, ...]:
    """Outputs with a card's labels, where those fit and the model has none of its own.

    Class numbers are named in a classification alone. Raises: ModelRejected CARD_LABELS where
    the model's own are others.
    """
    named = []
    for spec in specs:
        own = spec.labels[: len(card.labels)] if spec.names_values else spec.labels
        if own and own != card.labels:
            told = ", ".join(map(shown, own[:16]))
            raise ModelRejected(Reason.CARD_LABELS, name=shown(spec.name), labels=told)
        takes = not spec.names_values or card.type == CLASSIFICATION
        free = not spec.labels and takes and fits(spec, card.labels)
        named.append(replace(spec, labels=card.labels) if free else spec)
    return tuple(named)

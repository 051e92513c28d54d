"""Pre-processing: the declared, exactly reproducible step from a raw input to tensors.

    raw input ──preprocess(spec, raw)──▶ {graph input: float32 array}

A card's `preprocessing` table and its sidecar files become a frozen `Preprocessing`, whose
canonical form enters the model commitment: who changes a word of the vocabulary has another
model. Every kind is defined in IEEE float64 operations in a stated order and one final
rounding to float32, so that every machine computes the same bits.

| kind | raw input | tensors |
|---|---|---|
| text | a text | `[1, features]`: weighted counts of the vocabulary's words |
| vector | a table of named numbers | `[1, fields]`: standardised and clipped |
| image | rows of pixels 0 to 255 | `[1, C, H, W]` or `[1, H, W, C]`: standardised |
| tensor | nested lists or arrays | as they are, in the declared shapes |
| features | named texts and numbers | categories, places and counts, by steps of the model's own |
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inferproof.inference.preprocess.features import Features, preprocess_features
from inferproof.inference.preprocess.image import ImageSpec, preprocess_image
from inferproof.inference.preprocess.tensor import TensorInputs, preprocess_tensors
from inferproof.inference.preprocess.text import TextSpec, preprocess_text
from inferproof.inference.preprocess.vector import (
    Field,
    VectorSpec,
    preprocess_vector,
    read_fields,
)
from inferproof.models.card_table import Table
from inferproof.types.tensor import Tensors

__all__ = [
    "Features",
    "Field",
    "ImageSpec",
    "Preprocessing",
    "TensorInputs",
    "TextSpec",
    "VectorSpec",
    "check_raw",
    "load_preprocessing",
    "preprocess",
]

Spec = TextSpec | VectorSpec | ImageSpec | TensorInputs | Features

_KINDS: dict[str, Callable[[Table, Path | None], Spec]] = {
    "text": TextSpec.read,
    "vector": VectorSpec.read,
    "image": ImageSpec.read,
    "tensor": TensorInputs.read,
    "features": Features.read,
}


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """A checked pre-processing step of one of the five kinds."""

    spec: Spec

    @property
    def kind(self) -> str:
        return self.spec.kind

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes: name and shape of each tensor that comes out; all are float32."""
        return self.spec.shapes

    def canonical(self) -> dict[str, Any]:
        """The whole step as JSON without floats.

        Encoding: every number is the text of float.hex(), counts are integers, the contents
        of sidecar files are inline. Equal steps have equal forms.
        """
        return {"kind": self.kind, **self.spec.canonical()}

    @classmethod
    def from_canonical(cls, value: Mapping[str, Any]) -> "Preprocessing":
        """The step that a canonical form describes; the inverse of `canonical`.

        Raises: ModelRejected CARD_BAD_VALUE, CARD_MISSING_KEY, CARD_UNKNOWN_KEY.
        """
        return cls(_read(Table(value, "preprocessing", hex_floats=True), None))


def load_preprocessing(table: Mapping[str, Any], folder: Path) -> Preprocessing:
    """The step that a card's `preprocessing` table and the files beside the card describe.

    Raises: ModelRejected CARD_BAD_VALUE, CARD_MISSING_KEY, CARD_UNKNOWN_KEY,
    CARD_PATH_ESCAPES, CARD_UNREADABLE, CARD_TOO_LARGE.
    """
    return Preprocessing(_read(Table(table, "preprocessing"), folder))


def preprocess(preprocessing: Preprocessing, raw: object) -> Tensors:
    """The tensors of a raw input. Pure: equal inputs give equal bits on every machine.

    Raises: InputRejected INPUT_TYPE_MISMATCH, INPUT_MISSING_FIELD, INPUT_UNKNOWN_FIELD,
    INPUT_OUT_OF_RANGE, INPUT_NOT_FINITE, INPUT_TOO_LARGE, INPUT_SHAPE_MISMATCH,
    INPUT_EMPTY_TEXT, INPUT_NO_KNOWN_WORD.
    """
    match preprocessing.spec:
        case TextSpec() as spec:
            return preprocess_text(spec, raw)
        case VectorSpec() as spec:
            return preprocess_vector(spec, raw)
        case ImageSpec() as spec:
            return preprocess_image(spec, raw)
        case TensorInputs() as spec:
            return preprocess_tensors(spec, raw)
        case Features() as spec:
            return preprocess_features(spec, raw)


def check_raw(preprocessing: Preprocessing, raw: object) -> None:
    """Returns when `preprocess` takes the raw input; cheaper where what can fail comes first.

    Raises: as `preprocess`.
    """
    if isinstance(preprocessing.spec, VectorSpec):
        read_fields(preprocessing.spec, raw)
    else:
        preprocess(preprocessing, raw)


def _read(table: Table, folder: Path | None) -> Spec:
    kind = table.choice("kind", tuple(_KINDS))
    spec = _KINDS[kind](table, folder)
    table.done()
    return spec

"""One model in several sizes of its open axes.

Each is a variant: a model like any other, with a commitment of its own. A card that lists sizes,
`shape = { tokens = [16, 64] }`, stands for a card of each, which differ in what names the size:

| of the card | in the variant for 16 tokens |
| --- | --- |
| `version = "1.0.0"` | `"1.0.0-tokens-16"` |
| `input.shape = { tokens = [16, 64] }` | `{ tokens = 16 }` |
| `shape = [1, "tokens"]` of an input of the pre-processing | `[1, 16]` |
| examples | those of this size |
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from inferproof.errors import ModelRejected, Reason
from inferproof.models.axes import Choice, choices
from inferproof.models.card import ModelCard, parse_card, read_card
from inferproof.models.loaded import LoadedModel


@dataclass(frozen=True, slots=True)
class Variant:
    """The card of one choice of sizes, and its document."""

    choice: Choice
    card: ModelCard
    content: dict[str, Any] = field(repr=False)


def read_variants(path: Path) -> tuple[Variant, ...]:
    """The card in a file, or in `card.toml` of a folder, once for each size that it lists.

    Raises: as `load_card`.
    """
    content, folder = read_card(path)
    given = content.get("input")
    shape = given.get("shape") if isinstance(given, dict) else None
    if not isinstance(shape, dict) or not all(map(_are_sizes, shape.values())):
        return (Variant(Choice(), parse_card(content, folder), content),)  # or it is refused
    try:
        found = choices(1, shape)
    except ValueError as error:
        raise ModelRejected(Reason.CARD_BAD_VALUE, key="input.shape", problem=error) from None
    made = [(choice, _sized(content, choice)) for choice in found]
    return tuple(Variant(choice, parse_card(each, folder), each) for choice, each in made)


def _are_sizes(value: object) -> bool:
    values = value if isinstance(value, list) else [value]
    return all(type(each) is int for each in values)


def _sized(content: dict[str, Any], choice: Choice) -> dict[str, Any]:
    sizes = choice.axes.named
    given = {**content["input"], "shape": dict(sizes)}
    made = {**content, "input": given}
    if choice.several:
        made["version"] = f"{content.get('version')}-{choice.name}"
    preprocessing = content.get("preprocessing")
    if not isinstance(preprocessing, dict) or not isinstance(preprocessing.get("inputs"), list):
        return made
    inputs = [_sized_input(item, sizes) for item in preprocessing["inputs"]]
    made["preprocessing"] = {**preprocessing, "inputs": inputs}
    if choice.several and isinstance(given.get("examples"), list):
        shapes = [item["shape"] for item in inputs if isinstance(item, dict) and "shape" in item]
        given["examples"] = [each for each in given["examples"] if _fits(each, shapes)]
    return made


def _sized_input(item: object, sizes: Mapping[str, int]) -> object:
    if not isinstance(item, dict) or not isinstance(item.get("shape"), list):
        return item
    shape = [sizes.get(size, size) if isinstance(size, str) else size for size in item["shape"]]
    return {**item, "shape": shape}


def _fits(example: object, shapes: list[list[Any]]) -> bool:
    """Whether each tensor of an example has the shape of some input of this size. One of another
    size could not be sent; what is wrong with others is said where the card is read."""
    value = example.get("value") if isinstance(example, dict) else None
    tensors = value.values() if isinstance(value, dict) else [value]
    return all(not isinstance(each, list) or _shape(each) in shapes for each in tensors)


def _shape(value: object) -> list[int]:
    """The lengths of nested lists, by the first ones."""
    if not isinstance(value, list):
        return []
    return [len(value), *(_shape(value[0]) if value else [])]


def cut_samples(model: LoadedModel, arrays: dict[str, Any], choice: Choice) -> dict[str, Any]:
    """Calibration samples of the largest size as those of this one: along the axes that have
    several sizes, the first values.

    Shapes: [samples, *shape], where a batch axis of size 1 may be left out.
    """
    shapes = {spec.name: spec.shape for spec in model.inputs}
    made = dict(arrays)
    for item in model.open_axes:
        if item.input not in made or item.name not in choice.several:
            continue
        array = made[item.input]
        place = array.ndim - len(shapes[item.input]) + item.axis
        if 0 < place < array.ndim:
            made[item.input] = array[(slice(None),) * place + (slice(item.size),)]
    return made

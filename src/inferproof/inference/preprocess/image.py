"""Pixels to a standardised image.

z = (pixel - mean[c]) / scale[c] in float64 for each pixel of channel c, one final rounding
to float32. Nothing is resized or cropped: an image of another size is refused.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from inferproof.inference.preprocess.raw import read_array
from inferproof.models.card_table import NAME, Table
from inferproof.types.tensor import Tensors

MAX_SIDE = 2048
MAX_PIXEL = 255.0


@dataclass(frozen=True, slots=True)
class ImageSpec:
    """Size, memory layout, and mean and scale of each channel. Units: pixels from 0 to 255."""

    kind: ClassVar[str] = "image"
    input: str
    height: int
    width: int
    channels: int
    layout: str
    mean: tuple[float, ...]
    scale: tuple[float, ...]

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        if self.layout == "nchw":
            return {self.input: (1, self.channels, self.height, self.width)}
        return {self.input: (1, self.height, self.width, self.channels)}

    def canonical(self) -> dict[str, Any]:
        return {
            "input": self.input,
            "height": self.height,
            "width": self.width,
            "channels": self.channels,
            "layout": self.layout,
            "mean": [x.hex() for x in self.mean],
            "scale": [x.hex() for x in self.scale],
        }

    @classmethod
    def read(cls, table: Table, folder: Path | None) -> "ImageSpec":  # noqa: ARG003
        """Raises: ModelRejected CARD_*."""
        spec = cls(
            input=table.text("input", longest=100, pattern=NAME, form="the name of an input"),
            height=table.integer("height", 1, MAX_SIDE),
            width=table.integer("width", 1, MAX_SIDE),
            channels=table.integer("channels", 1, 4),
            layout=table.choice("layout", ("nchw", "nhwc")),
            mean=table.numbers("mean", 4),
            scale=table.numbers("scale", 4),
        )
        if len(spec.mean) != spec.channels:
            table.fail("mean", f"it has {len(spec.mean)} numbers for {spec.channels} channels")
        if len(spec.scale) != spec.channels:
            table.fail("scale", f"it has {len(spec.scale)} numbers for {spec.channels} channels")
        if not all(1e-6 <= value <= 1e6 for value in spec.scale):
            table.fail("scale", "it must hold numbers from a millionth to a million")
        return spec


def preprocess_image(spec: ImageSpec, raw: object) -> Tensors:
    """The standardised image, from rows of pixels of channels (`[H, W, C]`, values 0 to 255).

    Shapes: `[1, C, H, W]` or `[1, H, W, C]`, as the layout says, float32.
    Raises: InputRejected INPUT_TYPE_MISMATCH, INPUT_SHAPE_MISMATCH, INPUT_NOT_FINITE,
    INPUT_OUT_OF_RANGE.
    """
    shape = (spec.height, spec.width, spec.channels)
    pixels = read_array(spec.input, raw, shape, 0.0, MAX_PIXEL, "brightness")
    z = (pixels - np.array(spec.mean)) / np.array(spec.scale)
    if spec.layout == "nchw":
        z = z.transpose(2, 0, 1)
    return {spec.input: np.ascontiguousarray(z[np.newaxis], dtype=np.float32)}

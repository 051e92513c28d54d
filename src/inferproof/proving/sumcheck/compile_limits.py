"""What compiling a model may take, told from its size before anything of it is compiled.

A stranger's file must not keep a machine busy: beyond these the worker is stopped. In the mode
clear they are some five times what the largest models that were measured take (ResNet-18 on
224 × 224, 11.7M weights: 6 s of processor time and 0.5 GB; a graph of 20,000 nodes: 16 s and
0.2 GB), in the mode private two or three times (the same model: 22 s and 3.2 GB).
"""

import math

from inferproof.errors import ModelRejected, Reason, Unavailable
from inferproof.models.loaded import LoadedModel
from inferproof.proving.bounds import Limits, Met, limit_met
from inferproof.proving.sumcheck.modes import PRIVATE

SECONDS = 30
SECONDS_PER_MIB = 1
"""Of processor time, and as much more for each MiB of constants as they stand in the file."""
MEMORY = 3 * 2**29
MEMORY_PER_BYTE = 24
"""Bytes, and more for each byte of constants, which stand beside one another in several forms."""
MEMORY_PER_HIDDEN_BYTE = 96
"""The same in the mode private, whose commitment and proof of ranges are of several field elements
for each weight."""

SECONDS_PER_HIDDEN_NODE = 0.005
MEMORY_PER_HIDDEN_NODE = 2**17
"""What a node may take besides in the mode private, where it has columns of its own and perhaps a
parameter with a proof of its range."""


def compile_limits(model: LoadedModel, mode: str) -> Limits:
    """What compiling this model for a mode may take."""
    per_byte = MEMORY_PER_HIDDEN_BYTE if mode == PRIVATE else MEMORY_PER_BYTE
    nodes = model.nodes if mode == PRIVATE else 0
    return Limits(
        SECONDS
        + SECONDS_PER_MIB * math.ceil(model.weight_bytes / 2**20)
        + math.ceil(SECONDS_PER_HIDDEN_NODE * nodes),
        MEMORY + per_byte * model.weight_bytes + MEMORY_PER_HIDDEN_NODE * nodes,
    )


def beyond(error: Unavailable, limits: Limits) -> ModelRejected | None:
    """The rejection of a model that met a limit, if that is what the worker failed of."""
    match limit_met(error):
        case Met.TIME:
            return ModelRejected(Reason.COMPILE_TIME_LIMIT, seconds=limits.cpu_s)
        case Met.MEMORY:
            return ModelRejected(Reason.COMPILE_MEMORY_LIMIT, limit=limits.memory_bytes)
    return None

"""What compiling a model may take, told from its size before anything of it is compiled.

A stranger's file must not keep a machine busy: beyond these the worker is stopped. They are up to
three times what the largest models that were measured take (on 224 × 224, ResNet-18 of 11.7M
weights 22 s of processor time and 3.2 GB, MobileNetV2 of 13.0M activations 5.6 GB).
"""

import math

from inferproof.errors import ModelRejected, Reason, Unavailable
from inferproof.models.loaded import LoadedModel
from inferproof.proving.bounds import Limits, Met, limit_met

SECONDS = 30
SECONDS_PER_MIB = 1
"""Of processor time, and as much more for each MiB of constants as they stand in the file."""
MEMORY = 3 * 2**29
MEMORY_PER_BYTE = 192
"""Bytes, and more for each byte of constants, whose commitment and proof of ranges are of several
field elements for each weight."""
SECONDS_PER_ACTIVATION = 4e-6
MEMORY_PER_ACTIVATION = 384
"""The same of an element that a run computes: the trial proofs hold its pieces and their sums."""
MOST_ACTIVATIONS = 2**24
"""More are not counted: a file of a few bytes can declare any number of them."""
SECONDS_PER_NODE = 0.005
MEMORY_PER_NODE = 2**17
"""The same of a node, which has columns of its own and perhaps a parameter with a proof of its
range."""


def compile_limits(model: LoadedModel) -> Limits:
    """What compiling this model may take."""
    activations = min(model.activations, MOST_ACTIVATIONS)
    return Limits(
        SECONDS
        + SECONDS_PER_MIB * math.ceil(model.weight_bytes / 2**20)
        + math.ceil(SECONDS_PER_ACTIVATION * activations + SECONDS_PER_NODE * model.nodes),
        MEMORY
        + MEMORY_PER_BYTE * model.weight_bytes
        + MEMORY_PER_ACTIVATION * activations
        + MEMORY_PER_NODE * model.nodes,
    )


def beyond(error: Unavailable, limits: Limits) -> ModelRejected | None:
    """The rejection of a model that met a limit, if that is what the worker failed of."""
    match limit_met(error):
        case Met.TIME:
            return ModelRejected(Reason.COMPILE_TIME_LIMIT, seconds=limits.cpu_s)
        case Met.MEMORY:
            return ModelRejected(Reason.COMPILE_MEMORY_LIMIT, limit=limits.memory_bytes)
    return None

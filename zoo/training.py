"""A small deterministic trainer of multi-layer perceptrons, in numpy.

Full-batch Adam on the cross-entropy, with weight decay. After each step every weight is
rounded to a multiple of 2**-20, so that the last bits in which two machines' linear algebra
differs do not grow from step to step: the weights come out equal bit for bit unless a weight
falls within about 1e-15 of a rounding boundary. At the end weights are rounded to multiples of
2**-8: a circuit keeps them exactly at scale 8 or more, and loses little below.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Layers = list[tuple[Array, Array]]

STEP_GRID = 2.0**-20
FINAL_GRID = 2.0**-8
BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one model is trained. `widths` are those of the hidden layers."""

    widths: tuple[int, ...]
    epochs: int
    rate: float
    decay: float
    seed: int
    input_dropout: float = 0.0


def fit(inputs: Array, labels: npt.NDArray[np.int64], classes: int, recipe: Recipe) -> Layers:
    """Weights `[in, out]` and bias `[out]` of each layer, multiples of 2**-8.

    Shapes: inputs `[samples, features]`, labels `[samples]` with values below `classes`.
    """
    rng = np.random.default_rng(recipe.seed)
    parameters = _initial(rng, (inputs.shape[1], *recipe.widths, classes))
    first = [np.zeros_like(p) for p in parameters]
    second = [np.zeros_like(p) for p in parameters]
    targets = np.eye(classes)[labels]
    for step in range(1, recipe.epochs + 1):
        batch = inputs
        if recipe.input_dropout:
            kept = rng.random(inputs.shape) >= recipe.input_dropout
            batch = inputs * kept / (1.0 - recipe.input_dropout)
        gradients = _gradients(parameters, batch, targets, recipe.decay)
        # The rate falls in a straight line to a twentieth, so that the end is calm.
        rate = recipe.rate * (1.0 - 0.95 * step / recipe.epochs)
        for i, gradient in enumerate(gradients):
            first[i] = BETA1 * first[i] + (1 - BETA1) * gradient
            second[i] = BETA2 * second[i] + (1 - BETA2) * gradient * gradient
            mean = first[i] / (1 - BETA1**step)
            spread = np.sqrt(second[i] / (1 - BETA2**step))
            parameters[i] = _round(parameters[i] - rate * mean / (spread + EPSILON), STEP_GRID)
    rounded = [_round(p, FINAL_GRID) for p in parameters]
    return list(zip(rounded[0::2], rounded[1::2], strict=True))


def _initial(rng: np.random.Generator, widths: tuple[int, ...]) -> list[Array]:
    parameters: list[Array] = []
    for before, after in pairwise(widths):
        bound = (6.0 / (before + after)) ** 0.5
        parameters.append(_round(rng.uniform(-bound, bound, (before, after)), STEP_GRID))
        parameters.append(np.zeros(after))
    return parameters


def _gradients(parameters: list[Array], inputs: Array, targets: Array, decay: float) -> list[Array]:
    activations = [inputs]
    depth = len(parameters) // 2
    for layer in range(depth):
        sums = activations[-1] @ parameters[2 * layer] + parameters[2 * layer + 1]
        activations.append(np.maximum(sums, 0.0) if layer < depth - 1 else sums)
    logits = activations[-1]
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    upstream = (shifted / shifted.sum(axis=1, keepdims=True) - targets) / len(inputs)
    gradients: list[Array] = []
    for layer in reversed(range(depth)):
        weights = parameters[2 * layer]
        gradients.append(upstream.sum(axis=0))
        gradients.append(activations[layer].T @ upstream + decay * weights)
        if layer:
            upstream = (upstream @ weights.T) * (activations[layer] > 0)
    return gradients[::-1]


def _round(values: Array, grid: float) -> Array:
    rounded: Array = np.rint(values / grid) * grid
    return rounded

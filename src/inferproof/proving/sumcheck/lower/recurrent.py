"""RNN, GRU and LSTM, unrolled over their steps."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from inferproof.proving.sumcheck.lower.arithmetic import (
    add_constant,
    add_values,
    multiply,
)
from inferproof.proving.sumcheck.lower.context import Context, lowers
from inferproof.proving.sumcheck.lower.dense import linear
from inferproof.proving.sumcheck.lower.movement import concat, reshape, sliced
from inferproof.proving.sumcheck.lower.program import Step, numbers, unsupported
from inferproof.proving.sumcheck.lower.tables import table
from inferproof.proving.sumcheck.lower.value import Value

Points = npt.NDArray[np.float64]

_GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
_DEFAULTS = {"RNN": ["Tanh"], "GRU": ["Sigmoid", "Tanh"], "LSTM": ["Sigmoid", "Tanh", "Tanh"]}


@dataclass(frozen=True, slots=True)
class _Cell:
    """One direction: weights of input and state, their biases, and the state's size."""

    c: Context
    step: Step
    inputs: Points
    state: Points
    input_bias: Points
    state_bias: Points
    size: int

    def gate(self, v: Value, number: int) -> Value:
        return sliced(self.c.builder, v, len(v.shape) - 1, number * self.size, self.size)

    def apply(self, v: Value, function: Callable[[Points], Points]) -> Value:
        low, high = v.real
        flat = _FLAT[function]
        cut = (max(low, -flat), min(high, flat))
        return table(self.c, self.step, v.with_(span=cut, source=None), function)

    def times(self, h: Value, first: int, count: int) -> Value:
        """The state times the recurrent weights of some gates."""
        rows = self.state[first * self.size : (first + count) * self.size]
        return linear(self.c, self.step, h, rows, None, final=False)


def _sigmoid(points: Points) -> Points:
    return 1 / (1 + np.exp(-points))


_FLAT: dict[Callable[[Points], Points], float] = {_sigmoid: 12.0, np.tanh: 6.0}
"""Beyond these a function is constant to 16 bits; a narrower table has finer steps."""


def _rnn(cell: _Cell, x: Value, h: Value, _c: Value) -> tuple[Value, Value]:
    made = add_values(cell.c.builder, [x, cell.times(h, 0, 1)])
    h = cell.apply(made, np.tanh)
    return h, h


def _gru(cell: _Cell, x: Value, h: Value, _c: Value) -> tuple[Value, Value]:
    b = cell.c.builder
    early = bool(cell.step.attributes.get("linear_before_reset", 0))
    product = cell.times(h, 0, 3 if early else 2)
    z, r = (
        cell.apply(add_values(b, [cell.gate(x, n), cell.gate(product, n)]), _sigmoid)
        for n in (0, 1)
    )
    if early:
        inner = add_constant(b, cell.gate(product, 2), cell.state_bias[2 * cell.size :])
        inner = multiply(b, r, inner)
    else:
        inner = cell.times(multiply(b, r, h), 2, 1)
    new = cell.apply(add_values(b, [cell.gate(x, 2), inner]), np.tanh)
    # h' = n + z (h - n)
    change = multiply(b, z, add_values(b, [h, new], [1, -1]))
    made = add_values(b, [new, change]).with_(span=_hull(h, new))
    return made, made


def _lstm(cell: _Cell, x: Value, h: Value, c: Value) -> tuple[Value, Value]:
    b = cell.c.builder
    gates = add_values(b, [x, cell.times(h, 0, 4)])
    i, o, f = (cell.apply(cell.gate(gates, n), _sigmoid) for n in range(3))
    new = cell.apply(cell.gate(gates, 3), np.tanh)
    c = add_values(b, [multiply(b, f, c), multiply(b, i, new)])
    return multiply(b, o, cell.apply(c, np.tanh)), c


def _hull(a: Value, b: Value) -> tuple[float, float]:
    (p, q), (r, s) = a.real, b.real
    return min(p, r), max(q, s)


_STEPS = {"RNN": _rnn, "GRU": _gru, "LSTM": _lstm}


@lowers("RNN", "GRU", "LSTM")
def _recurrent(c: Context, step: Step) -> tuple[Value, ...]:
    _refuse_options(c, step)
    x = c.value(step, 0)
    weights, state = (numbers(c.needed(step, place, "weights")) for place in (1, 2))
    told = c.optional(step, 3, "bias")
    size = state.shape[-1]
    rows = _GATES[step.op] * size
    biases = np.zeros((len(weights), 2 * rows)) if told is None else numbers(told)
    direction = step.attributes.get("direction", "forward")
    sequences: list[Value] = []
    last_h: list[Value] = []
    last_c: list[Value] = []
    for place in range(len(weights)):
        cell = _Cell(
            c, step, weights[place], state[place], biases[place, :rows], biases[place, rows:], size
        )
        backwards = direction == "reverse" or place == 1
        h, final_c = _run(cell, x, place, backwards, sequences)
        last_h.append(reshape(c.builder, h, (1, *h.shape)))
        last_c.append(reshape(c.builder, final_c, (1, *final_c.shape)))
    b = c.builder
    everything = concat(b, sequences, 1)
    results = (everything, concat(b, last_h, 0), concat(b, last_c, 0))
    return results if step.op == "LSTM" else results[:2]


def _run(
    cell: _Cell, x: Value, place: int, backwards: bool, sequences: list[Value]
) -> tuple[Value, Value]:
    """The last states; all hidden ones, [steps, 1, batch, size], join the sequences."""
    c, b, step = cell.c, cell.c.builder, cell.step
    steps, batch = x.shape[:2]
    bias = cell.input_bias.copy()
    early = step.op == "GRU" and bool(step.attributes.get("linear_before_reset", 0))
    # Then the last gate's bias of the state is inside the reset.
    kept = 2 * cell.size if early else len(bias)
    bias[:kept] += cell.state_bias[:kept]
    products = linear(c, step, x, cell.inputs, bias, final=False)
    h, cell_state = (_initial(c, step, number, place, batch, cell.size) for number in (5, 6))
    found: list[Value] = []
    for time in range(steps)[:: -1 if backwards else 1]:
        now = reshape(b, sliced(b, products, 0, time, 1), (batch, products.shape[-1]))
        h, cell_state = _STEPS[step.op](cell, now, h, cell_state)
        h = h.with_(source=None)
        found.append(reshape(b, h, (1, 1, batch, cell.size)))
    sequences.append(concat(b, found[:: -1 if backwards else 1], 0))
    return h, cell_state


def _initial(c: Context, step: Step, number: int, place: int, batch: int, size: int) -> Value:
    if number < 6 + (step.op == "LSTM") and step.input(number):
        found = sliced(c.builder, c.value(step, number), 0, place, 1)
        return reshape(c.builder, found, (batch, size))
    return c.builder.const(np.zeros((batch, size), np.int64), fixed=True).with_(scale=2.0**-15)


def _refuse_options(c: Context, step: Step) -> None:
    attributes = step.attributes
    told = attributes.get("activations")
    if told and told != _DEFAULTS[step.op] * (len(told) // len(_DEFAULTS[step.op])):
        raise unsupported(step, f"its activations are {', '.join(told)}", "the default ones")
    if attributes.get("clip") or attributes.get("input_forget") or attributes.get("layout"):
        raise unsupported(step, "it has clip, input_forget or layout", "none of them")
    if step.input(7):
        raise unsupported(step, "it has peepholes", "an LSTM without peepholes")
    lengths = c.optional(step, 4, "length")
    if lengths is not None and (lengths != c.shape(step.input(0))[0]).any():
        raise unsupported(step, "its sequences are shorter than the input", "full sequences")

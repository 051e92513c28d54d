"""Operators of control flow written out: what a model does when it runs, node by node.

If with a constant condition is its branch; Loop with constant conditions and Scan are their bodies,
as often as they run. Whether a value is constant is known once the nodes before it are folded, so
nodes are given out one by one, and facts about values are asked for in between. Nodes are counted
before they are made. Source: the operators' texts in onnx/docs/Operators.md and Changelog.md.
"""

from collections import ChainMap
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from onnx import GraphProto, NodeProto, helper

from inferproof.errors import ModelRejected, Reason
from inferproof.models.graph import Body, Graph, read_body, reads
from inferproof.models.naming import FreshNames
from inferproof.models.operators import BODIES
from inferproof.models.show import shown
from inferproof.models.tensors import Array

_AXES_AS_INPUT = 13
"""From this opset on Unsqueeze takes its axes as an input."""
_SCAN_WITHOUT_SAMPLES = 9
"""Before this opset Scan has a batch axis before the axis that it goes along."""
RECURRENT = {"RNN": 12, "GRU": 24, "LSTM": 28}
"""Nodes that one step of a recurrent layer counts as: what `sumcheck` makes of it."""

_WAYS = {
    "If": "export the branch that is meant, or choose between two values with Where",
    "Loop": "export it for a fixed number of steps, or of the inputs' sizes alone",
    "Scan": "export it without sequence lengths",
}

Scope = ChainMap[str, str]
"""The flat name of each name that has another one; names of the nearest graph go first."""
Made = Generator[NodeProto, None, list[str]]
"""Nodes, and at last the flat names of what was asked for."""


class Facts(Protocol):
    """What is known of values that the nodes given out so far make."""

    @property
    def names(self) -> set[str]:
        """All names of the graph; what is made adds to them."""

    def constant(self, name: str) -> Array | None:
        """The value, if it is a constant."""

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of the value."""

    def define(self, name: str, value: Array) -> None:
        """Makes a further constant known."""

    def use(self, name: str) -> None:
        """Says that a node will take this value."""


@dataclass(frozen=True, slots=True)
class _Loaded:
    """A graph within a node, which was read, and the flat names of its constants."""

    proto: GraphProto
    body: Body
    constants: dict[str, str]


@dataclass(frozen=True, slots=True)
class _Walk:
    """Along which axis a Scan takes or stacks one value, and whether from the end."""

    axis: int
    backwards: bool


class Unroller:
    """Gives out the nodes of a graph without control flow."""

    def __init__(self, graph: Graph, facts: Facts) -> None:
        self._graph = graph
        self._facts = facts
        self._limit = graph.reader.limits.nodes
        self._left = self._limit - len(graph.nodes)
        self._fresh = FreshNames(facts.names)
        self._loaded: dict[tuple[int, str], _Loaded] = {}
        self._numbers: dict[tuple[str, int, int], str] = {}
        self._parts: dict[tuple[str, int, int], str] = {}

    def nodes(self) -> Iterator[NodeProto]:
        """The nodes in an order in which they run; the caller visits each before the next.

        Raises: ModelRejected MODEL_UNROLLED_TOO_LONG, MODEL_NOT_UNROLLED, and what is wrong with
        the graphs that run.
        """
        top: Scope = ChainMap({})
        for node in self._graph.nodes:
            if node.op_type in BODIES:
                yield from self._control(node, top)
            else:
                node.input[:] = _inputs(node, top)
                yield node
        for output in self._graph.outputs:
            if output.name in top:
                yield helper.make_node("Identity", [top[output.name]], [output.name])

    def spend(self, node: NodeProto, count: int) -> None:
        """Counts nodes that will stand for this one. Raises: MODEL_UNROLLED_TOO_LONG."""
        self._check(node, count)
        self._left -= count

    def _check(self, node: NodeProto, count: int) -> None:
        if count > self._left:
            raise ModelRejected(
                Reason.MODEL_UNROLLED_TOO_LONG,
                op=shown(node.op_type),
                name=shown(_label(node)),
                limit=self._limit,
            )

    def _control(self, node: NodeProto, scope: Scope) -> Iterator[NodeProto]:
        """The nodes that stand for one node; its outputs' names lead to theirs from now on."""
        rule = {"If": self._if, "Loop": self._loop, "Scan": self._scan}[node.op_type]
        results = yield from rule(node, scope)
        if len(results) < len(node.output):
            raise _invalid(node, f"it has {len(node.output)} outputs, its graph {len(results)}")
        scope.update((own, flat) for own, flat in zip(node.output, results, strict=False) if own)

    def _if(self, node: NodeProto, scope: Scope) -> Made:
        inputs = _inputs(node, scope)
        if len(inputs) != 1 or not inputs[0]:
            raise _invalid(node, "it has not one condition")
        branch = "then_branch" if self._truth(node, inputs[0]) else "else_branch"
        return (yield from self._run(node, branch, [], scope))

    def _loop(self, node: NodeProto, scope: Scope) -> Made:
        inputs = [*_inputs(node, scope), "", ""]
        states = inputs[2:-2]
        loaded = self._body(node, "body")
        count = self._trips(node, inputs[0])
        going = self._truth(node, inputs[1]) if inputs[1] else True
        outputs = loaded.body.outputs
        if (
            not all(states)
            or len(outputs) <= len(states)
            or len(loaded.body.inputs) != len(states) + 2
        ):
            raise _invalid(node, "its graph has not the inputs and outputs of its states")
        each = len(outputs) - 1 - len(states)
        if going and count is not None and outputs[0] == loaded.body.inputs[1]:
            self._check(node, count * (len(loaded.body.nodes) + each))
        stacks: list[list[str]] = [[] for _ in range(each)]
        turn = 0
        while going and (count is None or turn < count):
            self.spend(node, each)
            given = [self._number(loaded, 0, turn), self._number(loaded, 1, 1), *states]
            results = yield from self._run(node, "body", given, scope)
            states = results[1 : len(states) + 1]
            for stack, result in zip(stacks, results[len(states) + 1 :], strict=True):
                stack.append(result)
            turn += 1
            going = turn == count or self._truth(node, results[0])
        for stack in stacks:
            states += [(yield from self._stacked(node, len(states), stack, _Walk(0, False)))]
        return states

    def _scan(self, node: NodeProto, scope: Scope) -> Made:
        inputs = _inputs(node, scope)
        numbers = _numbers(node)
        count = numbers.get("num_scan_inputs", [0])[0]
        by_sample = self._graph.opset < _SCAN_WITHOUT_SAMPLES
        lengths = inputs.pop(0) if by_sample and inputs else ""
        first = len(inputs) - count
        outputs = len(self._body(node, "body").body.outputs) - first
        if count < 1 or first < 0 or outputs < 0 or not all(inputs):
            raise _invalid(node, "its numbers of states and scanned inputs do not fit its graph")
        flags = "directions" if by_sample else "scan_input_directions"
        taken = _walks(node, numbers.get("scan_input_axes"), numbers.get(flags), count)
        stacked = _walks(
            node, numbers.get("scan_output_axes"), numbers.get("scan_output_directions"), outputs
        )
        if not by_sample:
            return (yield from self._scanned(node, scope, inputs, taken, stacked))
        samples = self._facts.shape(inputs[0])[:1]
        self._check_lengths(node, lengths, inputs[-1])
        results: list[list[str]] = [[] for _ in range(first + outputs)]
        for sample in range(*samples):
            self.spend(node, len(inputs) + len(results))
            given: list[str] = []
            for name in inputs:
                given += [(yield from self._slice(name, 0, sample))]
            made = yield from self._scanned(node, scope, given, taken, stacked)
            for stack, result in zip(results, made, strict=True):
                stack.append(result)
        whole: list[str] = []
        for stack in results:
            whole += [(yield from self._stacked(node, len(whole), stack, _Walk(0, False)))]
        return whole

    def _scanned(
        self,
        node: NodeProto,
        scope: Scope,
        inputs: list[str],
        taken: list[_Walk],
        stacked: list[_Walk],
    ) -> Made:
        """One Scan: its last states, and what it stacks."""
        first = len(inputs) - len(taken)
        states, scanned = inputs[:first], inputs[first:]
        axes = [
            _axis(node, walk.axis, len(self._facts.shape(name)))
            for walk, name in zip(taken, scanned, strict=True)
        ]
        sizes = {self._facts.shape(name)[a] for a, name in zip(axes, scanned, strict=True)}
        if len(sizes) != 1:
            raise _invalid(node, "what it scans is not all of one length")
        (steps,) = sizes
        each = len(taken) + len(stacked)
        self._check(node, steps * (len(self._body(node, "body").body.nodes) + each))
        stacks: list[list[str]] = [[] for _ in stacked]
        for step in range(steps):
            self.spend(node, each)
            given = list(states)
            for walk, axis, name in zip(taken, axes, scanned, strict=True):
                place = steps - 1 - step if walk.backwards else step
                given += [(yield from self._slice(name, axis, place))]
            results = yield from self._run(node, "body", given, scope)
            states = results[:first]
            for stack, result in zip(stacks, results[first:], strict=True):
                stack.append(result)
        for stack, walk in zip(stacks, stacked, strict=True):
            states += [(yield from self._stacked(node, len(states), stack, walk))]
        return states

    def _run(self, node: NodeProto, name: str, given: list[str], around: Scope) -> Made:
        """One run of a graph of the node; the flat names of the graph's outputs."""
        loaded = self._body(node, name)
        body = loaded.body
        if len(body.inputs) != len(given):
            raise _invalid(node, f"its graph has {len(body.inputs)} inputs, not {len(given)}")
        self.spend(node, max(1, len(body.nodes)))
        names = dict(zip(body.inputs, given, strict=True))
        plain = [inner for inner in body.nodes if inner.op_type not in BODIES]
        names.update((own, self._fresh.like(own)) for inner in plain for own in inner.output if own)
        scope: Scope = around.new_child(loaded.constants).new_child(names)
        for taken in (name for inner in body.nodes for name in reads(inner)):
            self._facts.use(scope.get(taken, taken))
        for taken in body.outputs:
            self._facts.use(scope.get(taken, taken))
        for inner in body.nodes:
            if inner.op_type in BODIES:
                yield from self._control(inner, scope)
                continue
            made = NodeProto()
            made.CopyFrom(inner)
            made.input[:] = _inputs(inner, scope)
            made.output[:] = [names.get(own, "") for own in inner.output]
            yield made
        return [scope.get(own, own) for own in body.outputs]

    def _body(self, node: NodeProto, name: str) -> _Loaded:
        """A graph of the node, read once for all its runs."""
        key = (id(node), name)
        if key not in self._loaded:
            graphs = [item.g for item in node.attribute if item.name == name and item.HasField("g")]
            if not graphs:
                raise _invalid(node, f"it has no graph {name}")
            body = read_body(graphs[0], self._graph.opset, self._graph.reader)
            if not all(body.inputs) or not all(body.outputs):
                raise _invalid(node, "its graph has inputs or outputs without names")
            constants = {own: self._fresh.like(own) for own in body.constants}
            for own, flat in constants.items():
                self._facts.define(flat, body.constants[own])
            self._loaded[key] = _Loaded(graphs[0], body, constants)
        return self._loaded[key]

    def _number(self, loaded: _Loaded, place: int, value: int) -> str:
        """The step's number or condition, as a list of one where the graph declares it so."""
        told = loaded.proto.input[place].type.tensor_type.shape.dim
        return self._constant("?" if place else "<i8", value, min(1, len(told)))

    def _constant(self, dtype: str, value: int, rank: int) -> str:
        """A constant of one element; equal ones are one."""
        key = (dtype, value, rank)
        if key not in self._numbers:
            self._numbers[key] = self._fresh.like("number")
            self._facts.define(self._numbers[key], np.full((1,) * rank, value, dtype=dtype))
        return self._numbers[key]

    def _slice(self, name: str, axis: int, place: int) -> Generator[NodeProto, None, str]:
        """A value at one place of an axis, without that axis."""
        value = self._facts.constant(name)
        if value is not None:
            key = (name, axis, place)
            if key not in self._parts:
                self._parts[key] = self._fresh.like(name)
                self._facts.define(self._parts[key], value[(slice(None),) * axis + (place,)])
            return self._parts[key]
        index = self._constant("<i8", place, 0)
        made = self._fresh.like(name)
        yield helper.make_node("Gather", [name, index], [made], axis=axis)
        return made

    def _stacked(
        self, node: NodeProto, place: int, names: list[str], walk: _Walk
    ) -> Generator[NodeProto, None, str]:
        """The node's output at a place, if it has a name: values in a row along a new axis."""
        told = node.output[place] if place < len(node.output) else ""
        if not told:
            return ""
        if not names:
            raise ModelRejected(Reason.MODEL_BAD_SHAPE, name=shown(told), shape=[0])
        axis = _axis(node, walk.axis, len(self._facts.shape(names[0])) + 1)
        parts = []
        for name in names:
            part = self._fresh.like(name)
            if self._graph.opset < _AXES_AS_INPUT:
                yield helper.make_node("Unsqueeze", [name], [part], axes=[axis])
            else:
                axes = self._constant("<i8", axis, 1)
                yield helper.make_node("Unsqueeze", [name, axes], [part])
            parts.append(part)
        whole = self._fresh.like(told)
        yield helper.make_node("Concat", parts[:: -1 if walk.backwards else 1], [whole], axis=axis)
        return whole

    def _truth(self, node: NodeProto, name: str) -> bool:
        return bool(self._one(node, name, "condition"))

    def _trips(self, node: NodeProto, name: str) -> int | None:
        """How often a Loop runs at most."""
        return max(0, int(self._one(node, name, "number of steps"))) if name else None

    def _one(self, node: NodeProto, name: str, what: str) -> Any:
        value = self._facts.constant(name)
        if value is None:
            raise _depends(node, what)
        if value.size != 1 or value.dtype.kind not in "bi":
            raise _invalid(node, f"its {what} is not one number")
        return value.reshape(())[()]

    def _check_lengths(self, node: NodeProto, name: str, scanned: str) -> None:
        """Returns when every sequence is as long as the input."""
        if not name:
            return
        lengths = self._facts.constant(name)
        if lengths is None:
            raise _depends(node, "sequence lengths")
        if (lengths != self._facts.shape(scanned)[1:2]).any():
            raise _invalid(node, "its sequences are shorter than what it scans")


def _inputs(node: NodeProto, scope: Scope) -> list[str]:
    return [scope.get(name, name) for name in node.input]


def _label(node: NodeProto) -> str:
    """The first of a node's outputs that has a name."""
    return next((name for name in node.output if name), node.name)


def _numbers(node: NodeProto) -> dict[str, list[int]]:
    """The node's attributes that are whole numbers."""
    return {
        item.name: list(item.ints) or [item.i]
        for item in node.attribute
        if item.ints or item.HasField("i")
    }


def _walks(
    node: NodeProto, axes: Sequence[int] | None, directions: Sequence[int] | None, count: int
) -> list[_Walk]:
    axes, directions = axes or [0] * count, directions or [0] * count
    if not len(axes) == len(directions) == count:
        raise _invalid(node, "its axes or directions are not as many as what it scans")
    return [_Walk(axis, way != 0) for axis, way in zip(axes, directions, strict=True)]


def _axis(node: NodeProto, axis: int, rank: int) -> int:
    if not -rank <= axis < rank:
        raise _invalid(node, f"axis {axis} is none of {rank}")
    return axis % rank


def _depends(node: NodeProto, what: str) -> ModelRejected:
    return ModelRejected(
        Reason.MODEL_NOT_UNROLLED,
        op=shown(node.op_type),
        name=shown(_label(node)),
        what=what,
        way=_WAYS[node.op_type],
    )


def _invalid(node: NodeProto, why: str) -> ModelRejected:
    return ModelRejected(Reason.MODEL_INVALID, op=shown(node.op_type), why=why)

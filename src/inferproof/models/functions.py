"""Functions of a model's own, written out where they are called.

The onnx package has an inliner. It drops the defaults of attributes, which changes what a model
computes, and has no bound on what calls within calls grow to. Source: the section on model-local
functions of onnx/docs/IR.md.
"""

from collections.abc import Iterable, Iterator, Mapping

from onnx import AttributeProto, FunctionProto, GraphProto, ModelProto, NodeProto, defs, helper

from inferproof.errors import ModelRejected, Reason
from inferproof.models.limits import Limits
from inferproof.models.naming import FreshNames
from inferproof.models.show import shown

STANDARD = ("", "ai.onnx")
MOST_NESTED = 32
"""Calls within calls. Exporters that make a function of every module stay below 15."""

_Key = tuple[str, str, str]
_Attributes = Mapping[str, AttributeProto]


def inlined(model: ModelProto, limits: Limits) -> ModelProto:
    """The model without functions, each call replaced by what the function does.

    Raises: ModelRejected MODEL_FUNCTION_REFUSED, MODEL_DUPLICATE_NAME, MODEL_TOO_MANY,
    MODEL_TOO_LARGE.
    """
    if not model.functions:
        return model
    flat = ModelProto()
    flat.CopyFrom(model)
    writer = _Writer(flat, limits)
    del flat.functions[:]
    del flat.graph.node[:]
    flat.graph.node.extend(writer.expanded(model.graph.node))
    if not any(item.domain in STANDARD for item in flat.opset_import):
        versions = {_version(function) for function in model.functions}
        flat.opset_import.extend(helper.make_opsetid("", v) for v in versions if v is not None)
    return flat


def _version(owner: ModelProto | FunctionProto) -> int | None:
    """Which version of the standard operators it imports."""
    found = [item.version for item in owner.opset_import if item.domain in STANDARD]
    return int(found[0]) if found else None


def _key(owner: NodeProto | FunctionProto) -> _Key:
    name = owner.op_type if isinstance(owner, NodeProto) else owner.name
    return owner.domain, name, owner.overload


class _Writer:
    def __init__(self, model: ModelProto, limits: Limits) -> None:
        self._limits = limits
        self._version = _version(model)
        self._functions: dict[_Key, FunctionProto] = {}
        taken = set(_names(model.graph.node))
        taken.update(item.name for item in (*model.graph.input, *model.graph.initializer))
        for function in model.functions:
            kept = FunctionProto()
            kept.CopyFrom(function)
            if _key(kept) in self._functions:
                raise _refused(kept, "it is defined twice")
            self._functions[_key(kept)] = kept
            taken.update(_names(kept.node))
        self._fresh = FreshNames(taken)
        self._running: list[_Key] = []
        self._made = self._bytes = 0

    def expanded(
        self,
        nodes: Iterable[NodeProto],
        names: Mapping[str, str] | None = None,
        attributes: _Attributes | None = None,
    ) -> Iterator[NodeProto]:
        """The nodes with calls written out. Within a function `names` holds the flat name of each
        of its names, and `attributes` what it was called with."""
        for node in nodes:
            made = NodeProto()
            made.CopyFrom(node)
            if names is not None and attributes is not None:
                made.input[:] = [names.get(name, name) for name in node.input]
                made.output[:] = [names.get(name, name) for name in node.output]
                _bind(made, attributes)
            for attribute in made.attribute:
                if attribute.HasField("g"):
                    self._graph(attribute.g, names, attributes)
            self._count(made)
            function = self._functions.get(_key(made))
            if function is None:
                yield made
            else:
                yield from self._called(made, function)

    def _called(self, node: NodeProto, function: FunctionProto) -> Iterator[NodeProto]:
        self._check(node, function)
        names = dict(zip(function.input, [*node.input, *[""] * len(function.input)], strict=False))
        copies: list[tuple[str, str]] = []
        for formal, actual in zip(function.output, node.output, strict=False):
            if formal in names:
                # What it was given, or gave already, under one more name.
                copies += [(names[formal], actual)] * bool(actual)
            elif actual:
                names[formal] = actual
        for name in (name for inner in function.node for name in inner.output if name):
            if name in function.input:
                raise ModelRejected(Reason.MODEL_DUPLICATE_NAME, name=shown(name))
            if name not in names:
                names[name] = self._fresh.like(name)
        given = {item.name: item for item in function.attribute_proto}
        given |= {item.name: item for item in node.attribute}
        self._running.append(_key(function))
        yield from self.expanded(function.node, names, given)
        self._running.pop()
        for source, target in copies:
            yield helper.make_node("Identity", [source], [target])

    def _check(self, node: NodeProto, function: FunctionProto) -> None:
        if _key(function) in self._running:
            raise _refused(function, "it calls itself")
        if len(self._running) >= MOST_NESTED:
            raise _refused(function, f"calls nest more than {MOST_NESTED} deep")
        for given, formal, what in (
            (node.input, function.input, "inputs"),
            (node.output, function.output, "outputs"),
        ):
            if len(given) > len(formal):
                raise _refused(function, f"it is called with {len(given)} {what} of {len(formal)}")
        if function.domain in STANDARD and defs.has(function.name):
            raise _refused(function, "it has the name of a standard operator; rename it")
        version = _version(function)
        if version is None or self._version in (None, version):
            return
        for inner in function.node:
            if inner.domain in STANDARD and not _alike(inner.op_type, version, self._version):
                raise _refused(
                    function,
                    f"{shown(inner.op_type)} means in its opset {version} something else than in "
                    f"the model's opset {self._version}; export both for one opset",
                )

    def _graph(
        self, graph: GraphProto, names: Mapping[str, str] | None, attributes: _Attributes | None
    ) -> None:
        """Writes out the calls in a graph within a node, in place. Within a function its own names
        are replaced too: they could be those of what the function was called with."""
        if names is not None:
            own = [item.name for item in (*graph.input, *graph.initializer)]
            own += [name for node in graph.node for name in node.output if name]
            names = {**names, **{name: self._fresh.like(name) for name in own}}
            for item in (*graph.input, *graph.initializer, *graph.output):
                item.name = names.get(item.name, item.name)
        nodes = list(self.expanded(list(graph.node), names, attributes))
        del graph.node[:]
        graph.node.extend(nodes)

    def _count(self, node: NodeProto) -> None:
        self._made += 1
        self._bytes += node.ByteSize()
        if self._made > self._limits.nodes:
            raise ModelRejected(Reason.MODEL_TOO_MANY, what="nodes", limit=self._limits.nodes)
        if self._bytes > self._limits.file_bytes:
            raise ModelRejected(
                Reason.MODEL_TOO_LARGE, size=self._bytes, limit=self._limits.file_bytes
            )


def _bind(node: NodeProto, attributes: _Attributes) -> None:
    """Puts what the function was called with in place of references to it; a reference to what
    was not given is an attribute that is not there."""
    bound = []
    for item in node.attribute:
        if not item.ref_attr_name:
            bound.append(item)
        elif item.ref_attr_name in attributes:
            value = AttributeProto()
            value.CopyFrom(attributes[item.ref_attr_name])
            value.name = item.name
            bound.append(value)
    if len(bound) != len(node.attribute) or any(item.ref_attr_name for item in node.attribute):
        del node.attribute[:]
        node.attribute.extend(bound)


def _names(nodes: Iterable[NodeProto]) -> Iterator[str]:
    """All names that nodes and the graphs within them use."""
    for node in nodes:
        yield from node.input
        yield from node.output
        for attribute in node.attribute:
            graph = attribute.g
            yield from (item.name for item in (*graph.input, *graph.initializer, *graph.output))
            yield from _names(graph.node)


def _alike(op: str, version: int, other: int | None) -> bool:
    try:
        one, two = (defs.get_schema(op, number or 0, "") for number in (version, other))
    except defs.SchemaError:
        # Refused, or not, where the node itself is looked at.
        return True
    return bool(one.since_version == two.since_version)


def _refused(function: FunctionProto, why: str) -> ModelRejected:
    return ModelRejected(
        Reason.MODEL_FUNCTION_REFUSED,
        function=shown(f"{function.domain}.{function.name}".lstrip(".")),
        why=why,
    )

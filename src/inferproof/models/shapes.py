"""Infers the shape of every tensor, one node at a time, each bounded before the next.

The library's inference works on the whole graph at once; a hostile shape would already have
been multiplied through all of it. Here numbers that size tensors are bounded before a node
is looked at, so that products stay within int64, and its outputs before they are used.
"""

import re

import numpy as np
from onnx import (
    NodeProto,
    TensorProto,
    TypeProto,
    checker,
    defs,
    helper,
    numpy_helper,
    shape_inference,
)

from inferproof.errors import ModelRejected, Reason
from inferproof.models.classical.trees import check_trees
from inferproof.models.contrib import is_rewritten, is_unnamed, rewritten
from inferproof.models.cost import multiply_adds, scratch_elements
from inferproof.models.definitions import DEFINED, definition, expanded_selection
from inferproof.models.folding import LARGEST, fold
from inferproof.models.graph import Graph, reads
from inferproof.models.limits import Limits
from inferproof.models.naming import located
from inferproof.models.operands import check_operands
from inferproof.models.operators import ML_DOMAIN, ML_OPSET, SELECTING, operator_schema, refused
from inferproof.models.outputs import settle
from inferproof.models.sequences import SEQUENCES, Held
from inferproof.models.shaped import Shaped
from inferproof.models.show import first_line, shown
from inferproof.models.tensors import DTYPES, Array, check_shape, dtype_of, numbered
from inferproof.models.unroll import RECURRENT, Unroller

_INFERENCE_ERRORS = (
    shape_inference.InferenceError,
    checker.ValidationError,
    # What the library's C++ exceptions turn into.
    RuntimeError,
    ValueError,
    IndexError,
    OverflowError,
)

_TYPE_REFUSED = re.compile(r"has unsupported type: (tensor\(\w+\))")

# Function operators without a shape rule of their own in some opsets.
_LIKE_FIRST_INPUT = frozenset({"GroupNormalization", "MeanVarianceNormalization"})


def infer_shapes(graph: Graph, limits: Limits) -> Shaped:
    """The graph with all shapes; shape arithmetic is replaced by its result.

    Raises: ModelRejected with MODEL_INVALID, MODEL_SIZE_OPERAND, MODEL_SHAPES_DISAGREE,
    MODEL_SHAPE_UNKNOWN, MODEL_RANK_TOO_HIGH, MODEL_BAD_SHAPE, MODEL_TENSOR_TOO_LARGE,
    MODEL_ACTIVATIONS_TOO_LARGE, MODEL_SCRATCH_TOO_LARGE, MODEL_TOO_MUCH_WORK,
    MODEL_OPERATOR_REFUSED (a Dropout in training), MODEL_TREE_TOO_DEEP,
    or as `settle` and `Unroller.nodes`.
    """
    walk = _Walk(graph, limits)
    unroller = Unroller(graph, walk)
    for node in unroller.nodes():
        walk.visit(node)
        if node.op_type in RECURRENT:
            rows_first = any(item.name == "layout" and item.i for item in node.attribute)
            steps = walk.shape(node.input[0])[1 if rows_first else 0]
            directions = walk.shape(node.input[1])[0]
            unroller.spend(node, steps * directions * RECURRENT[node.op_type])
    for output in graph.outputs:
        settle(walk, output)
    return walk.shaped


def _without_empty(
    node: NodeProto, kept: list[str], empty: dict[str, tuple[int, ...]]
) -> NodeProto:
    """A Split of which one part has everything. Raises: ModelRejected MODEL_BAD_SHAPE."""
    if node.op_type != "Split" or len(kept) != 1:
        name = next(name for name in node.output if name in empty)
        raise _bad_shape(name, empty[name])
    return helper.make_node("Identity", node.input[:1], kept, name=node.name)


def _bad_shape(name: str, shape: tuple[int, ...]) -> ModelRejected:
    return ModelRejected(Reason.MODEL_BAD_SHAPE, name=shown(name), shape=list(shape))


def _elem_type(inferred: dict[str, TypeProto], name: str) -> np.dtype[np.generic] | None:
    found = inferred.get(name)
    return DTYPES.get(found.tensor_type.elem_type) if found is not None else None


class _Walk:
    def __init__(self, graph: Graph, limits: Limits) -> None:
        self.graph = graph
        self.limits = limits
        self.shaped = Shaped(graph, {}, [], dict(graph.constants))
        self._protos: dict[str, TypeProto] = {}
        self._empty: dict[str, tuple[int, ...]] = {}
        self._sequences = Held(limits.nodes, graph.opset)
        self._used = {name for node in graph.nodes for name in reads(node)}
        self._used |= {item.name for item in graph.outputs}
        self.names = {name for node in graph.nodes for name in node.output}
        self.names |= {*graph.constants, *(item.name for item in graph.inputs)}
        self._visited = 0
        self._made_bytes = 0
        self._opsets = [
            helper.make_opsetid("", graph.opset),
            helper.make_opsetid(ML_DOMAIN, ML_OPSET),
        ]
        self._context = checker.C.CheckerContext()
        self._context.ir_version = 8
        self._context.opset_imports = {"": graph.opset, ML_DOMAIN: ML_OPSET}
        for name, array in graph.constants.items():
            self._set(name, array.dtype, array.shape)
        for item in graph.inputs:
            self._set(item.name, item.dtype, tuple(int(size) for size in item.shape or ()))

    def _set(self, name: str, dtype: np.dtype[np.generic], shape: tuple[int, ...]) -> None:
        self.shaped.types[name] = (dtype, shape)
        code = helper.np_dtype_to_tensor_dtype(dtype)
        self._protos[name] = helper.make_tensor_type_proto(code, shape)

    def constant(self, name: str) -> Array | None:
        """The value of this name, if it is a constant."""
        return self.shaped.constants.get(name)

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of a value that was made before."""
        return self.shaped.types[name][1]

    def define(self, name: str, value: Array) -> None:
        """Adds a constant."""
        self.shaped.constants[name] = value
        self._set(name, value.dtype, value.shape)

    def use(self, name: str) -> None:
        """Keeps an output of this name, which a later node reads."""
        self._used.add(name)

    def held(self, name: str) -> list[str] | None:
        """The tensors of a sequence; None for what is none."""
        return self._sequences.names_of(name)

    def rename(self, name: str, new: str) -> None:
        """Gives a value that nodes make another name."""
        for node in self.shaped.nodes:
            for names in (node.input, node.output):
                names[:] = [new if other == name else other for other in names]
        self._set(new, *self.shaped.types[name])

    def visit(self, node: NodeProto) -> None:
        self._visited += 1
        if self._visited > self.limits.nodes:  # the file was counted, what stands for it was not
            raise ModelRejected(Reason.MODEL_TOO_MANY, what="nodes", limit=self.limits.nodes)
        self._check_empty(node)
        if node.op_type not in SEQUENCES:
            self._sequences.check(node)
        if is_rewritten(node, self.graph.opset):
            self._rewrite(node)
            return
        schema = operator_schema(node, self.graph.opset)
        self._check(node)
        self._drop_unused_outputs(node, schema)
        if node.op_type in DEFINED and not node.domain:
            self._visit_definition(node, schema)
            return
        values = [self.shaped.constants.get(name) if name else None for name in node.input]
        if node.op_type in SEQUENCES and not node.domain:
            made = self._sequences.read(node, values, self.shaped.types)
            self._visit_parts(node, made.nodes, made.constants)
            return
        check_operands(node, values, self.limits)
        if node.op_type in SELECTING:
            self._select(node, values)
            return
        inferred = self._infer(node, schema, values)
        if node.op_type in _LIKE_FIRST_INPUT:
            inferred = {node.output[0]: self._protos[node.input[0]]}
        if node.domain == ML_DOMAIN:
            inferred = self._tree_outputs(node)
        folded = self._fold(node, values)
        if folded is not None and _elem_type(inferred, node.output[0]) == folded.dtype:
            self.define(node.output[0], folded)
            return
        for name in node.output:
            if name:
                self._take(node, name, inferred.get(name))
        kept = [name for name in node.output if name not in self._empty]
        if not kept:
            return
        if len(kept) < len(node.output):
            node = _without_empty(node, kept, self._empty)
        self._add_work(node)
        self.shaped.nodes.append(node)

    def _check(self, node: NodeProto) -> None:
        try:
            checker.check_node(node, self._context)
        except checker.ValidationError as error:
            raise ModelRejected(
                Reason.MODEL_INVALID, op=shown(node.op_type), why=first_line(str(error))
            ) from None

    def _check_empty(self, node: NodeProto) -> None:
        """Leaves what has no elements out of a Concat; nothing else may read it."""
        if node.op_type == "Concat" and not self._empty.keys() >= set(node.input):
            kept = [name for name in node.input if name not in self._empty]
            del node.input[:]
            node.input.extend(kept)
        for name in node.input:
            if name in self._empty:
                raise _bad_shape(name, self._empty[name])

    def _select(self, node: NodeProto, values: list[Array | None]) -> None:
        """An operator whose result has as many elements as a constant says."""
        made = (
            expanded_selection(node, values, self.graph.opset)
            if node.op_type == "Compress"
            else None
        )
        if made is not None:
            self._visit_parts(node, made.nodes, made.constants)
            return
        folded = self._fold(node, values)
        if folded is None:
            raise refused(node)
        self.define(node.output[0], folded)

    def _rewrite(self, node: NodeProto) -> None:
        """Takes the nodes and constants that stand for the node."""
        if not is_unnamed(node, self.graph.opset):
            self._check(node)
        types, constants = self.shaped.types, self.shaped.constants
        most = self.limits.tensor_elements
        made = rewritten(node, self.graph.opset, types, constants, self._used, most)
        self._visit_parts(node, made.nodes, made.constants)

    def _visit_definition(self, node: NodeProto, schema: defs.OpSchema) -> None:
        types = [self._protos[name] if name else TypeProto() for name in node.input]
        self._visit_parts(node, *definition(node, schema, types))

    def _visit_parts(
        self, node: NodeProto, nodes: list[NodeProto], constants: dict[str, Array]
    ) -> None:
        """What stands for the node: constants, and nodes in an order in which they run."""
        own = {"", *node.output}
        new = [name for item in nodes for name in item.output]
        for name in (*constants, *new):
            if name in own:
                continue
            if name in self.names:
                raise ModelRejected(Reason.MODEL_DUPLICATE_NAME, name=shown(name))
            self.names.add(name)
        for name, array in constants.items():
            check_shape(name, array.shape, self.limits)
            self._made_bytes += array.nbytes
            if self._made_bytes > self.limits.weight_bytes:
                raise ModelRejected(
                    Reason.MODEL_WEIGHTS_TOO_LARGE,
                    size=self._made_bytes,
                    limit=self.limits.weight_bytes,
                )
            self.shaped.constants[name] = numbered(f"constant {shown(name)}", array)
            self._set(name, array.dtype, array.shape)
        self._used.update(name for item in nodes for name in item.input)
        for item in nodes:
            item.name = item.name or node.name
            self.visit(item)

    def _infer(
        self, node: NodeProto, schema: defs.OpSchema, values: list[Array | None]
    ) -> dict[str, TypeProto]:
        small = {
            name: numpy_helper.from_array(value)
            for name, value in zip(node.input, values, strict=True)
            if value is not None and value.size <= LARGEST
        }
        try:
            return shape_inference.infer_node_outputs(
                schema,
                node,
                {name: self._protos[name] for name in node.input if name},
                small,
                opset_imports=self._opsets,
            )
        except _INFERENCE_ERRORS as error:
            raise ModelRejected(
                Reason.MODEL_SHAPES_DISAGREE, op=located(node), why=_why(str(error))
            ) from None

    def _tree_outputs(self, node: NodeProto) -> dict[str, TypeProto]:
        """The library knows no shapes of these: a row for each row of the one input."""
        shape = self.shaped.types[node.input[0]][1]
        attributes = {item.name: item for item in node.attribute}
        if len(shape) != 2:
            raise ModelRejected(
                Reason.MODEL_SHAPES_DISAGREE,
                op=located(node),
                why="its input has not two dimensions",
            )
        check_trees(node, shape[1])
        if node.op_type == "TreeEnsembleRegressor":
            targets = attributes["n_targets"].i if "n_targets" in attributes else 1
            sizes: list[tuple[int, tuple[int, ...]]] = [
                (TensorProto.FLOAT, (shape[0], max(1, targets)))
            ]
        else:
            labels = attributes.get("classlabels_int64s")
            count = len(labels.ints) if labels is not None else 0
            sizes = [
                (TensorProto.INT64, (shape[0],)),
                (TensorProto.FLOAT, (shape[0], max(2, count))),
            ]
        return {
            name: helper.make_tensor_type_proto(code, size)
            for name, (code, size) in zip(node.output, sizes, strict=False)
        }

    def _drop_unused_outputs(self, node: NodeProto, schema: defs.OpSchema) -> None:
        # A mask or running mean that nobody reads has no shape rule in some opsets.
        for place, name in enumerate(node.output):
            formal = schema.outputs[min(place, len(schema.outputs) - 1)]
            optional = formal.option == defs.OpSchema.FormalParameterOption.Optional
            if optional and name not in self._used:
                node.output[place] = ""

    def _fold(self, node: NodeProto, values: list[Array | None]) -> Array | None:
        shape_only = node.op_type in ("Shape", "Size") and len(node.input) == 1
        if shape_only:
            shape = self.shaped.types[node.input[0]][1]
            if node.op_type == "Size":
                return np.array(int(np.prod(shape, dtype=object)), dtype=np.int64)
            bounds = {item.name: item.i for item in node.attribute}
            return np.array(shape, dtype=np.int64)[bounds.get("start", 0) : bounds.get("end")]
        if any(value is None for value, name in zip(values, node.input, strict=True) if name):
            return None
        return fold(node, self.graph.opset, values)

    def _take(self, node: NodeProto, name: str, inferred: TypeProto | None) -> None:
        unknown = ModelRejected(
            Reason.MODEL_SHAPE_UNKNOWN, name=shown(name), op=shown(node.op_type)
        )
        if inferred is None or inferred.WhichOneof("value") != "tensor_type":
            raise unknown
        tensor = inferred.tensor_type
        if not tensor.HasField("shape") or not all(
            dim.HasField("dim_value") for dim in tensor.shape.dim
        ):
            raise unknown
        shape = tuple(dim.dim_value for dim in tensor.shape.dim)
        elements = check_shape(name, shape, self.limits)
        if elements == 0:
            # Runtimes abort on some of them; what reads it may do without (`_check_empty`).
            if any(item.name == name for item in self.graph.outputs):
                raise _bad_shape(name, shape)
            self._empty[name] = shape
            return
        self.shaped.activations += elements
        self._set(name, dtype_of(name, tensor.elem_type), shape)
        if self.shaped.activations > self.limits.activation_elements:
            raise ModelRejected(
                Reason.MODEL_ACTIVATIONS_TOO_LARGE, limit=self.limits.activation_elements
            )

    def _add_work(self, node: NodeProto) -> None:
        names = (*node.input, *node.output)
        shapes = {name: self.shaped.types[name][1] for name in names if name}
        scratch = scratch_elements(node, shapes)
        if scratch > self.limits.tensor_elements:
            raise ModelRejected(
                Reason.MODEL_SCRATCH_TOO_LARGE,
                op=shown(node.op_type),
                elements=scratch,
                limit=self.limits.tensor_elements,
            )
        self.shaped.multiply_adds += multiply_adds(node, shapes)
        if self.shaped.multiply_adds > self.limits.multiply_adds:
            raise ModelRejected(Reason.MODEL_TOO_MUCH_WORK, limit=self.limits.multiply_adds)


def _why(told: str) -> str:
    """The library's message, or a plainer one with a way out where we know it."""
    found = _TYPE_REFUSED.search(told)
    if found is None:
        return first_line(told)
    return (
        f"the file's operator set lets it take no {found[1]}, and runtimes refuse the file too; "
        "export for a newer operator set, or cast before it"
    )

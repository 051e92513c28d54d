"""Files that are made to hurt whoever compiles them, by what they attack. Each is a function that
writes one file, so that nothing large is kept.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from hostile import (
    INT64,
    dense,
    external,
    field,
    info,
    model,
    node,
    relu,
    undeclared,
    varint,
    weight,
    with_attribute_graphs,
)
from onnx import ModelProto, NodeProto, TensorProto, helper

Bomb = Callable[[Path], None]
BOMBS: dict[str, Bomb] = {}

ML = "ai.onnx.ml"
BOOL = TensorProto.BOOL


def _add(name: str, make: Callable[[], ModelProto | bytes]) -> None:
    def write(path: Path) -> None:
        made = make()
        path.write_bytes(made if isinstance(made, bytes) else made.SerializeToString())

    assert name not in BOMBS
    BOMBS[name] = write


def _classical(
    op: str, inputs: Sequence[str] = ("x",), outputs: int = 1, **more: Any
) -> ModelProto:
    """A model of one operator; the first of two outputs is a label."""
    names = ["y", *(f"y{place}" for place in range(1, outputs))]
    types = [INT64, TensorProto.FLOAT] if outputs == 2 else [TensorProto.FLOAT] * outputs
    made = model(
        [node(op, inputs, names, domain=ML, **more)],
        outputs=[undeclared(name, dtype) for name, dtype in zip(names, types, strict=True)],
    )
    made.opset_import.append(helper.make_opsetid(ML, 3))
    return made


# Recurrence: each step is a layer of its own.


def _recurrent(op: str, steps: int, hidden: int) -> ModelProto:
    gates = {"LSTM": 4, "GRU": 3, "RNN": 1}[op] * hidden
    return model(
        [node(op, ["x", "w", "r"], ["", "y"], hidden_size=hidden)],
        [weight("w", np.ones((1, gates, 4))), weight("r", np.ones((1, gates, hidden)))],
        inputs=[info("x", [steps, 1, 4])],
    )


for _op in ("LSTM", "GRU", "RNN"):
    for _steps in (10_000, 100_000, 1_000_000):
        for _hidden in (8, 64):
            _add(f"recurrent-{_op}-{_steps}-{_hidden}", partial(_recurrent, _op, _steps, _hidden))


# Subgraphs that run often.


def _scan(length: int, body: int) -> ModelProto:
    steps = [relu("in" if place == 0 else f"v{place}", f"v{place + 1}") for place in range(body)]
    steps.append(node("Add", ["state", f"v{body}"], ["next"]))
    steps.append(node("Identity", ["next"], ["out"]))
    graph = helper.make_graph(
        steps,
        "body",
        [info("state", [4]), info("in", [4])],
        [info("next", [4]), info("out", [4])],
    )
    return model(
        [node("Scan", ["s", "x"], ["last", "y"], body=graph, num_scan_inputs=1)],
        [weight("s", np.zeros(4))],
        inputs=[info("x", [length, 4])],
    )


for _length, _body in ((100_000, 1), (1_000_000, 1), (1_000, 1_000), (10_000, 100)):
    _add(f"scan-{_length}-{_body}", partial(_scan, _length, _body))


def _loop(trips: int, depth: int, growing: bool = False) -> ModelProto:
    """Loops within each other, all of the same number of trips."""
    inner: list[NodeProto] = [node("Add", ["v0", "one"], ["r0"])]
    for level in range(depth):
        body = helper.make_graph(
            [*inner, node("Identity", [f"c{level}"], [f"d{level}"])],
            f"body{level}",
            [info(f"i{level}", [], INT64), info(f"c{level}", [], BOOL), info(f"v{level}", [1, 4])],
            [info(f"d{level}", [], BOOL), info(f"r{level}", [1, 4])]
            + ([info(f"r{level}", [1, 4])] if growing and level == depth - 1 else []),
        )
        outer = "x" if level == depth - 1 else f"v{level + 1}"
        made = ["y" if level == depth - 1 else f"r{level + 1}"]
        inner = [node("Loop", ["trips", "true", outer], made + ["all"] * growing, body=body)]
    return model(
        inner,
        [
            weight("trips", trips, "i8"),
            weight("true", True, "?"),
            weight("one", np.ones((1, 4))),
        ],
    )


for _trips, _depth in ((10**9, 1), (100_000, 1), (1_000, 2), (200, 3), (100, 4), (2, 20)):
    _add(f"loop-{_trips}-{_depth}", partial(_loop, _trips, _depth))
_add("loop-growing", partial(_loop, 10**6, 1, True))


def _open_loop(what: str) -> ModelProto:
    made = _loop(10, 1)
    loop = made.graph.node[0]
    loop.input[0 if what == "trips" else 1] = "given"
    made.graph.input.append(info("given", [], INT64 if what == "trips" else BOOL))
    return made


_add("loop-trips-by-input", partial(_open_loop, "trips"))
_add("loop-condition-by-input", partial(_open_loop, "condition"))
for _depth in (3, 10, 25):
    _add(f"if-{_depth}-deep", partial(with_attribute_graphs, _depth))


def _if_doubling(depth: int) -> ModelProto:
    """Both branches of each If hold two of the next."""
    graph = helper.make_graph([relu()], "leaf", [], [info("y", [1, 4])])
    for _ in range(depth):
        branch = node("If", ["c"], ["y"], then_branch=graph, else_branch=graph)
        graph = helper.make_graph([branch], "level", [], [info("y", [1, 4])])
    return model(
        [node("If", ["c"], ["y"], then_branch=graph, else_branch=graph)],
        inputs=[info("x", [1, 4]), info("c", [], BOOL)],
    )


_add("if-doubling", partial(_if_doubling, 6))


# Functions.


def _function(name: str, nodes: Sequence[NodeProto]) -> Any:
    return helper.make_function(
        "own",
        name,
        ["x"],
        ["y"],
        nodes,
        [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)],
    )


def _call(name: str, source: str = "x", target: str = "y") -> NodeProto:
    return node(name, [source], [target], domain="own")


def _with_functions(functions: Sequence[Any]) -> ModelProto:
    made = model([_call("f0")])
    made.opset_import.append(helper.make_opsetid("own", 1))
    made.functions.extend(functions)
    return made


def _ring(size: int) -> ModelProto:
    return _with_functions(
        [_function(f"f{place}", [_call(f"f{(place + 1) % size}")]) for place in range(size)]
    )


def _doubling(depth: int) -> ModelProto:
    made = [
        _function(f"f{place}", [_call(f"f{place + 1}", "x", "m"), _call(f"f{place + 1}", "m")])
        for place in range(depth)
    ]
    return _with_functions([*made, _function(f"f{depth}", [relu()])])


for _size in (1, 2, 3, 100):
    _add(f"function-ring-{_size}", partial(_ring, _size))
for _depth in (16, 24, 32, 60):
    _add(f"function-doubling-{_depth}", partial(_doubling, _depth))
_add("function-missing", lambda: _with_functions([]))
_add("function-twice", lambda: _with_functions([_function("f0", [relu()])] * 2))
_add("function-without-result", lambda: _with_functions([_function("f0", [relu("x", "z")])]))
_add("function-of-unknown-name", lambda: _with_functions([_function("f0", [relu("q")])]))


# Ensembles of trees.


def _tree(classifier: bool = False, **changes: Any) -> ModelProto:
    """One tree of one branch and two leaves, with changes."""
    kind = "class" if classifier else "target"
    given: dict[str, Any] = {
        "nodes_treeids": [0, 0, 0],
        "nodes_nodeids": [0, 1, 2],
        "nodes_featureids": [0, 0, 0],
        "nodes_modes": ["BRANCH_LEQ", "LEAF", "LEAF"],
        "nodes_values": [0.5, 0.0, 0.0],
        "nodes_truenodeids": [1, 0, 0],
        "nodes_falsenodeids": [2, 0, 0],
        f"{kind}_treeids": [0, 0],
        f"{kind}_nodeids": [1, 2],
        f"{kind}_ids": [0, 0],
        f"{kind}_weights": [1.0, -1.0],
    }
    given |= {"classlabels_int64s": [0, 1]} if classifier else {"n_targets": 1}
    given |= {name.replace("target", kind): value for name, value in changes.items()}
    op = "TreeEnsembleClassifier" if classifier else "TreeEnsembleRegressor"
    return _classical(op, outputs=2 if classifier else 1, **given)


def _chain(length: int) -> dict[str, Any]:
    """A tree as deep as it has branches."""
    places = list(range(2 * length + 1))
    inner = [place < 2 * length and place % 2 == 0 for place in places]
    leaves = [place for place in places if not inner[place]]
    return {
        "nodes_treeids": [0] * len(places),
        "nodes_nodeids": places,
        "nodes_featureids": [0] * len(places),
        "nodes_modes": ["BRANCH_LEQ" if branch else "LEAF" for branch in inner],
        "nodes_values": [float(place) for place in places],
        "nodes_truenodeids": [place + 1 if inner[place] else 0 for place in places],
        "nodes_falsenodeids": [place + 2 if inner[place] else 0 for place in places],
        "target_treeids": [0] * len(leaves),
        "target_nodeids": leaves,
        "target_ids": [0] * len(leaves),
        "target_weights": [1.0] * len(leaves),
    }


def _deep_tree(length: int, classifier: bool) -> ModelProto:
    return _tree(classifier, **_chain(length))


_TREES: dict[str, dict[str, Any]] = {
    "itself": {"nodes_truenodeids": [0, 0, 0]},
    "cycle": {"nodes_modes": ["BRANCH_LEQ", "BRANCH_LEQ", "LEAF"], "nodes_truenodeids": [1, 0, 0]},
    "nowhere": {"nodes_truenodeids": [7, 0, 0]},
    "two-parents": {"nodes_falsenodeids": [1, 0, 0]},
    "negative": {"nodes_truenodeids": [-1, 0, 0]},
    "feature-beyond": {"nodes_featureids": [10**9, 0, 0]},
    "feature-negative": {"nodes_featureids": [-5, 0, 0]},
    "target-beyond": {"target_ids": [0, 10**6]},
    "unknown-mode": {"nodes_modes": ["BRANCH_OFTEN", "LEAF", "LEAF"]},
    "not-a-number": {"nodes_values": [float("nan"), 0.0, 0.0]},
    "infinite-weight": {"target_weights": [float("inf"), 0.0]},
    "uneven": {"nodes_values": [0.5]},
    "leaf-of-another": {"target_nodeids": [0, 9]},
    "twice": {"nodes_nodeids": [0, 1, 1]},
}
for _name, _changes in _TREES.items():
    for _classifier in (False, True):
        _kind = "classifier" if _classifier else "regressor"
        _add(f"tree-{_name}-{_kind}", partial(_tree, _classifier, **_changes))
for _length in (20_000, 200_000, 600_000):
    _add(f"tree-deep-{_length}-classifier", partial(_deep_tree, _length, True))
    _add(f"tree-deep-{_length}-regressor", partial(_deep_tree, _length, False))
_add("tree-targets", lambda: _tree(n_targets=10**9))
_add("tree-classes", lambda: _tree(True, classlabels_int64s=list(range(10**6))))


# Tables, machines and scores of classical machine learning.

_MANY = 10**7
_TABLES: dict[str, Callable[[], ModelProto]] = {
    "labels": lambda: _classical(
        "LabelEncoder", keys_int64s=range(_MANY), values_int64s=range(_MANY)
    ),
    "label-words": lambda: _classical(
        "LabelEncoder", keys_int64s=range(10**6), values_strings=[b"word"] * 10**6
    ),
    "one-hot": lambda: _classical("OneHotEncoder", cats_int64s=range(_MANY)),
    "one-hot-words": lambda: _classical("OneHotEncoder", cats_strings=[b"word"] * 10**6),
    "categories": lambda: _classical(
        "CategoryMapper", cats_int64s=range(10**6), cats_strings=[b"w"] * 10**6
    ),
    "classes": lambda: _classical(
        "LinearClassifier",
        outputs=2,
        coefficients=np.zeros(4 * 10**6, "f4"),
        intercepts=np.zeros(10**6, "f4"),
        classlabels_ints=range(10**6),
    ),
    "supports": lambda: _classical(
        "SVMRegressor",
        coefficients=np.zeros(4 * 10**6, "f4"),
        support_vectors=np.zeros(16 * 10**6, "f4"),
        n_supports=4 * 10**6,
        rho=[0.0],
        kernel_type="RBF",
        kernel_params=[1.0, 0.0, 3.0],
    ),
    "supports-that-lack": lambda: _classical(
        "SVMRegressor", coefficients=[1.0], support_vectors=[1.0], n_supports=10**6, rho=[0.0]
    ),
    "scale-that-lacks": lambda: _classical("Scaler", offset=[0.0] * 3, scale=[1.0] * 5),
    "names": lambda: _classical("ZipMap", classlabels_strings=[b"name"] * 10**6),
    "vocabulary": lambda: _classical(
        "TfIdfVectorizer",
        mode="TF",
        min_gram_length=1,
        max_gram_length=1,
        max_skip_count=0,
        ngram_counts=[0],
        ngram_indexes=range(10**6),
        pool_int64s=range(10**6),
    ),
}
for _name, _make in _TABLES.items():
    _add(f"table-{_name}", _make)


# Sizes that a few bytes ask for.


def _sized(op: str, size: Any, *more: str, dtype: str = "i8", **attributes: Any) -> ModelProto:
    return model(
        [node(op, ["x", "size", *more], ["y"], **attributes)], [weight("size", size, dtype)]
    )


for _big in (2**30, 2**40, 2**62):
    _add(f"size-Expand-{_big}", partial(_sized, "Expand", [_big, 4]))
    _add(f"size-Tile-{_big}", partial(_sized, "Tile", [_big, _big]))
    _add(f"size-Pad-{_big}", partial(_sized, "Pad", [0, 0, _big, _big]))
    _add(f"size-Reshape-{_big}", partial(_sized, "Reshape", [_big, -1]))
    _add(f"size-TopK-{_big}", partial(_sized, "TopK", [_big]))
    _add(f"size-OneHot-{_big}", partial(_sized, "OneHot", _big, "values"))
    _add(
        f"size-ConstantOfShape-{_big}",
        partial(model, [node("ConstantOfShape", ["s"], ["y"])], [weight("s", [_big, _big], "i8")]),
    )
    _add(
        f"size-Range-{_big}",
        partial(
            model,
            [node("Range", ["a", "b", "c"], ["y"])],
            [weight("a", 0, "i8"), weight("b", _big, "i8"), weight("c", 1, "i8")],
        ),
    )


def _image(op: str, weights: Sequence[TensorProto], *names: str, **attributes: Any) -> ModelProto:
    return model(
        [node(op, ["x", *names], ["y"], **attributes)], weights, inputs=[info("x", [1, 1, 64, 64])]
    )


_add("size-Resize", lambda: _image("Resize", [weight("s", [1, 1, 1e9, 1e9])], "", "s"))
_add(
    "size-Conv", lambda: _image("Conv", [weight("w", np.ones((1, 1, 3, 3)))], "w", pads=[2**30] * 4)
)
_add(
    "size-Conv-dilation",
    lambda: _image("Conv", [weight("w", np.ones((1, 1, 3, 3)))], "w", dilations=[2**40, 1]),
)
_add(
    "size-Conv-stride",
    lambda: _image("Conv", [weight("w", np.ones((1, 1, 3, 3)))], "w", strides=[0, 0]),
)
_add(
    "size-Conv-group",
    lambda: _image("Conv", [weight("w", np.ones((1, 1, 3, 3)))], "w", group=10**9),
)
_add(
    "size-ConvTranspose",
    lambda: _image(
        "ConvTranspose", [weight("w", np.ones((1, 1, 3, 3)))], "w", strides=[2**20, 2**20]
    ),
)
_add("size-MaxPool", lambda: _image("MaxPool", [], kernel_shape=[2**30, 2**30]))
_add("size-DepthToSpace", lambda: _image("DepthToSpace", [], blocksize=2**31))
_add(
    "size-Einsum",
    lambda: model(
        [
            node(
                "Einsum",
                ["x"] * 20,
                ["y"],
                equation=",".join(
                    f"{a}{b}"
                    for a, b in zip("abcdefghijklmnopqrst", "uvwxyzABCDEFGHIJKLMN", strict=True)
                )
                + "->abcdefghijklmnopqrst",
            )
        ]
    ),
)
_add("size-CumSum", lambda: _sized("CumSum", 10**9))
_add("size-Gather", lambda: _sized("Gather", [10**9]))
_add("size-Unsqueeze", lambda: _sized("Unsqueeze", list(range(2, 60))))


# Growth from node to node.


def _growing(op: str, depth: int, **attributes: Any) -> ModelProto:
    names = ["x", *(f"v{place}" for place in range(1, depth)), "y"]
    pairs = pairwise(names)
    return model([node(op, [a, a], [b], **attributes) for a, b in pairs])


def _spreading(depth: int) -> ModelProto:
    """Every sum is of all values before it."""
    names = ["x", *(f"v{place}" for place in range(1, depth)), "y"]
    return model([node("Sum", names[:place], [names[place]]) for place in range(1, len(names))])


for _depth in (26, 40, 1_000):
    _add(f"growth-Concat-{_depth}", partial(_growing, "Concat", _depth, axis=0))
for _depth in (25_000, 65_000):
    _add(f"growth-Add-{_depth}", partial(_growing, "Add", _depth))
_add("growth-Sum", partial(_spreading, 5_000))
_add(
    "growth-MatMul",
    lambda: model(
        [node("MatMul", ["x", "w"], ["y"])],
        [weight("w", np.ones((8192, 8192)))],
        inputs=[info("x", [8192, 8192])],
    ),
)
_add("growth-Concat-wide", lambda: model([node("Concat", ["x"] * 5_000, ["y"], axis=0)]))


# Bytes.

_SOUND = dense().SerializeToString()
_add("bytes-none", lambda: b"")
_add("bytes-one", lambda: b"\x00")
_add("bytes-text", lambda: b"this is not a model\n" * 100)
_add("bytes-zip", lambda: b"PK\x03\x04" + bytes(1000))
_add("bytes-deep", lambda: _nested(5_000))
_add("bytes-length", lambda: varint(7 << 3 | 2) + varint(2**62))
_add("bytes-nodes", lambda: field(7, b"\x0a\x00" * 3_000_000))
_add("bytes-tensors", lambda: field(7, b"\x2a\x00" * 3_000_000))
_add("bytes-opsets", lambda: b"\x42\x00" * 3_000_000)
_add("bytes-varint", lambda: b"\xff" * 100)
for _share in (0.1, 0.5, 0.9, 0.99):
    _add(f"bytes-cut-{_share}", partial(lambda share: _SOUND[: int(len(_SOUND) * share)], _share))
for _seed in range(12):
    _add(
        f"bytes-noise-{_seed}", partial(lambda seed: np.random.default_rng(seed).bytes(4096), _seed)
    )


def _nested(depth: int) -> bytes:
    body = b""
    for _ in range(depth):
        body = field(1, field(5, field(6, body)))
        if len(body) > 2**20:
            break
    return field(7, body)


# Tensors and where they lie.


def _weighted(change: Callable[[TensorProto], None]) -> ModelProto:
    made = dense()
    change(made.graph.initializer[0])
    return made


def _dims(*sizes: int) -> Callable[[TensorProto], None]:
    def change(tensor: TensorProto) -> None:
        del tensor.dims[:]
        tensor.dims.extend(sizes)

    return change


def _raw(data: bytes) -> Callable[[TensorProto], None]:
    def change(tensor: TensorProto) -> None:
        tensor.raw_data = data

    return change


for _name, _change in {
    "negative": _dims(-4, -3),
    "wrapping": _dims(2**62, 4),
    "huge": _dims(2**31, 2**31),
    "many": _dims(*[1] * 2_000),
    "short": _raw(b"1234"),
    "long": _raw(bytes(4096)),
    "not-a-number": _raw(np.full(12, np.nan, "f4").tobytes()),
    "infinite": _raw(np.full(12, np.inf, "f4").tobytes()),
}.items():
    _add(f"tensor-{_name}", partial(_weighted, _change))
for _name, _place in {
    "above": "../secret",
    "root": "/etc/passwd",
    "device": "/dev/zero",
    "missing": "not-there",
    "self": ".",
    "null": "a\x00b",
}.items():
    _add(f"external-{_name}", partial(external, _place))
_add("external-offset", partial(external, "not-there", str(2**63)))
_add("external-length", partial(external, "not-there", "0", str(2**63)))


# Names and wiring.

_add("names-cycle", lambda: model([node("Add", ["x", "b"], ["a"]), relu("a", "b"), relu("b")]))
_add("names-itself", lambda: model([node("Add", ["x", "y"], ["y"])]))
_add("names-undefined", lambda: model([relu("nobody")]))
_add("names-twice", lambda: model([relu(), relu()]))
_add("names-output", lambda: model([relu("x", "z")]))
_add("names-input-is-output", lambda: model([], outputs=[info("x", [1, 4])]))
_add("names-nothing", lambda: ModelProto())
_add("names-no-output", lambda: model([relu()], outputs=[]))
_add("names-long", lambda: model([relu("x", "n" * 10**6), relu("n" * 10**6)]))
_add("operator-unknown", lambda: model([node("Explode", ["x"], ["y"])]))
_add(
    "operator-of-a-stranger", lambda: model([node("Explode", ["x"], ["y"], domain="com.stranger")])
)
_add("operator-random", lambda: model([node("RandomNormalLike", ["x"], ["y"])]))
_add(
    "operator-of-training",
    lambda: model([node("Adam", ["x"], ["y"], domain="ai.onnx.preview.training")]),
)
_add("opset-0", lambda: model([relu()], opset=0))
_add("opset-1000", lambda: model([relu()], opset=1000))


# Quantised parts.


def _unquantised(scale: Any, zero: Any, **more: Any) -> ModelProto:
    return model(
        [
            node("QuantizeLinear", ["x", "s", "z"], ["q"], **more),
            node("DequantizeLinear", ["q", "s", "z"], ["y"], **more),
        ],
        [weight("s", scale), weight("z", zero, "i1")],
    )


for _name, _scale, _zero in (
    ("zero", 0.0, 0),
    ("nan", np.nan, 0),
    ("infinite", np.inf, 0),
    ("columns", [1.0] * 7, [0] * 7),
):
    _add(f"quantised-{_name}", partial(_unquantised, _scale, _zero))
_add("quantised-axis", partial(_unquantised, [1.0] * 4, [0] * 4, axis=40))
_add(
    "quantised-product",
    lambda: model([node("MatMulInteger", ["x", "w"], ["y"])], [weight("w", np.ones((4, 3)), "i1")]),
)


def each() -> Iterator[tuple[str, Bomb]]:
    """Every file's name, and what writes it."""
    yield from BOMBS.items()

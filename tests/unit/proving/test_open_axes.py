"""A model with functions, a Scan and open axes: compiled for sizes, and proven."""

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper, save
from small_models import JOB, PROVIDER, SALT

from inferproof.errors import Reason
from inferproof.models.axes import Axes
from inferproof.proving.base import CompileRequest
from inferproof.proving.execution import ProveRequest, prove
from inferproof.proving.sumcheck.system import SumcheckSystem
from inferproof.testing.rejections import rejects

pytestmark = pytest.mark.native
NODE, FLOAT = helper.make_node, TensorProto.FLOAT


def info(name: str, shape: Any = None, dtype: int = FLOAT) -> Any:
    return helper.make_tensor_value_info(name, dtype, shape)


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Token numbers to an average of embeddings that a function makes, and a recurrent state."""
    rng = np.random.default_rng(5)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    average = [
        NODE("Shape", ["e"], ["s"]),
        NODE("Constant", [], ["one"], value_int=1),
        NODE("Gather", ["s", "one"], ["t"]),
        NODE("Cast", ["t"], ["count"], to=FLOAT),
        NODE("Constant", [], ["axes"], value_ints=[1]),
        NODE("ReduceSum", ["e", "axes"], ["sum"], keepdims=0),
        NODE("Div", ["sum", "count"], ["m"]),
    ]
    step = helper.make_graph(
        [
            NODE("MatMul", ["h", "r"], ["a"]),
            NODE("Add", ["a", "now"], ["b"]),
            NODE("Tanh", ["b"], ["n"]),
        ],
        "step",
        [info("h"), info("now")],
        [info("n")],
    )
    nodes = [
        NODE("Gather", ["table", "ids"], ["e"]),
        NODE("average", ["e"], ["m"], domain="own"),
        NODE("Transpose", ["e"], ["turned"], perm=[1, 0, 2]),
        NODE("Scan", ["zero", "turned"], ["last"], body=step, num_scan_inputs=1),
        NODE("Concat", ["m", "last"], ["c"], axis=1),
        NODE("MatMul", ["c", "w"], ["y"]),
    ]
    weights = {
        "table": rng.normal(size=(20, 4)),
        "zero": np.zeros((1, 4)),
        "r": rng.normal(size=(4, 4)) / 2,
        "w": rng.normal(size=(8, 2)),
    }
    graph = helper.make_graph(
        nodes,
        "g",
        [info("ids", ["batch", "tokens"], TensorProto.INT64)],
        [info("y", ["batch", 2])],
        [numpy_helper.from_array(v.astype("f4"), k) for k, v in weights.items()],
    )
    function = helper.make_function("own", "average", ["e"], ["m"], average, opsets[:1])
    path = tmp_path_factory.mktemp("tokens") / "m.onnx"
    save(helper.make_model(graph, opset_imports=opsets, functions=[function], ir_version=10), path)
    return path


def test_it_is_proven_for_the_sizes_that_were_given(
    tokens: Path, sumcheck_system: SumcheckSystem, tmp_path: Path
):
    data = np.random.default_rng(6).integers(0, 20, (40, 1, 6))
    request = CompileRequest(tokens, {"ids": data}, tmp_path / "made", axes=Axes(1, {"tokens": 6}))
    sumcheck_system.compile(request)
    made = prove(sumcheck_system, ProveRequest(request.out, {"ids": data[0]}, JOB, PROVIDER, SALT))
    session = onnxruntime.InferenceSession(tokens, providers=["CPUExecutionProvider"])
    (exact,) = session.run(None, {"ids": data[0]})
    assert np.abs(made.verified.outputs[0].to_array() - exact).max() < 0.02


def test_it_is_not_compiled_without_them(
    tokens: Path, sumcheck_system: SumcheckSystem, tmp_path: Path
):
    data = {"ids": np.zeros((4, 1, 6), dtype=np.int64)}
    with rejects(
        Reason.MODEL_DYNAMIC_DIM,
        "the model leaves axes open: 'tokens' (dimension 1 of 'ids'); give each a size: "
        "--shape tokens=SIZE",
    ):
        sumcheck_system.compile(CompileRequest(tokens, data, tmp_path / "made"))

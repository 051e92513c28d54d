"""Whatever is done to a model file, reading it gives a model or a typed rejection.

Most mutants are read in this process, for speed, and drawn the same way each time: the onnx
package's native code aborts on some inputs, which the sandbox turns into a rejection, but
which would end the test run here.
"""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import ModelProto, TensorProto, helper, numpy_helper

from inferproof.errors import ModelRejected
from inferproof.models.limits import Limits
from inferproof.models.load import load_model
from inferproof.models.loaded import LoadedModel
from inferproof.models.parse import parse_untrusted

# Small enough that a mutant with a huge but allowed shape costs no time.
LIMITS = Limits(tensor_elements=10_000, multiply_adds=10**7, file_bytes=100_000)


def base() -> ModelProto:
    """A convolution, a recurrent layer's worth of operators, attributes of many kinds."""
    w = np.linspace(-1, 1, 18).reshape(2, 1, 3, 3).astype("f4")
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1], strides=[2, 2]),
        helper.make_node("MaxPool", ["c"], ["p"], kernel_shape=[2, 2]),
        helper.make_node("Shape", ["p"], ["s"]),
        helper.make_node("Constant", [], ["i"], value_ints=[0]),
        helper.make_node("Gather", ["s", "i"], ["n"], axis=0),
        helper.make_node("Concat", ["n", "rest"], ["target"], axis=0),
        helper.make_node("Reshape", ["p", "target"], ["f"]),
        helper.make_node("Gemm", ["f", "g", "b"], ["h"], alpha=0.5, transB=1),
        helper.make_node("Pad", ["h", "pads"], ["q"], mode="constant"),
        helper.make_node("Softmax", ["q"], ["y"], axis=-1),
    ]
    weights = {
        "w": w,
        "rest": np.array([-1], "i8"),
        "g": np.ones((3, 18), "f4"),
        "b": np.zeros(3, "f4"),
        "pads": np.array([0, 0, 0, 1], "i8"),
    }
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 1, 8, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 4])],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])


BASE = base()
BYTES = BASE.SerializeToString()
REFERENCE = parse_untrusted(BYTES, LIMITS)


def result_of(data: bytes) -> LoadedModel | ModelRejected:
    try:
        return parse_untrusted(data, LIMITS)
    except ModelRejected as rejected:
        return rejected


def outcome(data: bytes) -> LoadedModel | None:
    """The model, or None when it was rejected by a reason. Anything else fails the test."""
    result = result_of(data)
    if isinstance(result, ModelRejected):
        assert result.code.startswith("MODEL_")
        assert len(result.message) < 600
        assert "\n" not in result.message
        return None
    assert parse_untrusted(result.onnx, LIMITS).onnx == result.onnx
    return result


@settings(max_examples=500, deadline=None, derandomize=True)
@given(
    st.lists(st.tuples(st.integers(0, len(BYTES) - 1), st.integers(0, 255)), min_size=1, max_size=6)
)
def test_changed_bytes(changes: list[tuple[int, int]]):
    data = bytearray(BYTES)
    for place, value in changes:
        data[place] = value
    outcome(bytes(data))


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.integers(0, len(BYTES) - 1), st.integers(0, 40), st.binary(max_size=40))
def test_spliced_bytes(place: int, removed: int, inserted: bytes):
    outcome(BYTES[:place] + inserted + BYTES[place + removed :])


def test_every_truncation():
    loaded = [cut for cut in range(len(BYTES)) if outcome(BYTES[:cut]) is not None]
    # Only whole fields at the end, which the format lets one leave out, may go missing.
    assert all(cut > len(BYTES) - 10 for cut in loaded)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.binary(max_size=300))
def test_random_bytes(data: bytes):
    outcome(data)


SIZES = [0, 1, -1, 2, 3, 8, 2**31 - 1, 2**31, -(2**31), 2**62, 2**63 - 1, -(2**63)]
numbers = st.sampled_from(SIZES)


@settings(
    max_examples=500, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
@given(st.data())
def test_changed_meaning(data: st.DataObject):
    """Mutants that still parse: other wiring, operators, sizes and attributes."""
    model = ModelProto.FromString(BYTES)
    graph = model.graph
    names = ["", "x", "y", *(out for node in graph.node for out in node.output)]
    names += [tensor.name for tensor in graph.initializer]
    operators = ["Add", "Tile", "Expand", "Resize", "Slice", "Split", "LSTM", "Einsum", "TopK"]
    operators += ["Squeeze", "Range", "ConstantOfShape", "Cast", "Div", "Where", "Dropout", "Clip"]
    for _ in range(data.draw(st.integers(1, 4))):
        node = data.draw(st.sampled_from(list(graph.node)))
        match data.draw(st.integers(0, 7)):
            case 0 if node.input:
                place = data.draw(st.integers(0, len(node.input) - 1))
                node.input[place] = data.draw(st.sampled_from(names))
            case 1:
                node.op_type = data.draw(st.sampled_from(operators))
            case 2:
                node.input.append(data.draw(st.sampled_from(names)))
            case 3 if node.attribute:
                attribute = data.draw(st.sampled_from(list(node.attribute)))
                attribute.i = data.draw(numbers)
                if attribute.ints:
                    attribute.ints[0] = data.draw(numbers)
            case 4:
                tensor = data.draw(st.sampled_from(list(graph.initializer)))
                if tensor.data_type == TensorProto.INT64:
                    tensor.raw_data = np.array(
                        [data.draw(numbers) for _ in range(tensor.dims[0])], "<i8"
                    ).tobytes()
            case 5:
                dims = graph.input[0].type.tensor_type.shape.dim
                data.draw(st.sampled_from(list(dims))).dim_value = data.draw(numbers)
            case 6:
                graph.node.remove(node)
                if not graph.node:
                    break
            case _:
                node.attribute.append(helper.make_attribute("axis", data.draw(numbers)))
    outcome(model.SerializeToString())


@pytest.mark.parametrize("seed", range(8))
def test_changed_bytes_through_the_sandbox(tmp_path: Path, seed: int):
    random = np.random.default_rng(seed)
    data = bytearray(BYTES)
    for place in random.integers(0, len(data), size=3):
        data[place] = random.integers(0, 256)
    path = tmp_path / "mutant.onnx"
    path.write_bytes(data)
    expected = result_of(bytes(data))
    try:
        result: LoadedModel | ModelRejected = load_model(path, LIMITS)
    except ModelRejected as rejected:
        result = rejected
    if isinstance(expected, ModelRejected):
        assert isinstance(result, ModelRejected)
        assert result.message == expected.message
    else:
        assert result == expected

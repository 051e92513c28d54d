"""Small models, and one compiled and proven per session, for all tests of proof systems."""

import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from inferproof.proving.base import CompileRequest, Proved, ProveRequest
from inferproof.proving.ezkl.system import EzklSystem
from inferproof.types.digest import Address, Digest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "suites"))

JOB = Digest(bytes(range(32)))
PROVIDER = Address(bytes(range(20)))
SALT = bytes(range(100, 132))


def save(path: Path, nodes, inputs, outputs, constants=()) -> Path:
    """An ONNX file of these nodes; inputs and outputs as (name, type, shape)."""
    graph = helper.make_graph(
        list(nodes),
        "test",
        [helper.make_tensor_value_info(*i) for i in inputs],
        [helper.make_tensor_value_info(*o) for o in outputs],
        [numpy_helper.from_array(array, name) for name, array in constants],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)
    return path


def mlp(path: Path, *sizes: int) -> Path:
    """A multilayer perceptron with fixed random weights."""
    rng = np.random.default_rng(1)
    nodes, constants, at = [], [], "x"
    for i, (a, b) in enumerate(pairwise(sizes)):
        weights = (rng.standard_normal((a, b)) / np.sqrt(a)).astype(np.float32)
        constants += [
            (f"w{i}", weights),
            (f"b{i}", (rng.standard_normal(b) * 0.1).astype(np.float32)),
        ]
        last = i == len(sizes) - 2
        nodes.append(helper.make_node("Gemm", [at, f"w{i}", f"b{i}"], ["y" if last else f"g{i}"]))
        if not last:
            nodes.append(helper.make_node("Relu", [f"g{i}"], [f"r{i}"]))
            at = f"r{i}"
    return save(
        path,
        nodes,
        [("x", TensorProto.FLOAT, [1, sizes[0]])],
        [("y", TensorProto.FLOAT, [1, sizes[-1]])],
        constants,
    )


def calibration(*shape: int, samples: int = 8) -> np.ndarray:
    return np.random.default_rng(2).standard_normal((samples, *shape)).astype(np.float32)


@pytest.fixture(scope="session", autouse=True)
def srs_home(tmp_path_factory):
    """Development SRS of the tests, apart from the user's; shared by parallel test processes."""
    patch = pytest.MonkeyPatch()
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if base.name.startswith("popen-") else base
    patch.setenv("INFERPROOF_HOME", str(shared / "inferproof-home"))
    yield
    patch.undo()


@pytest.fixture(scope="session")
def ezkl_system():
    system = EzklSystem()
    yield system
    system.close()


@pytest.fixture(scope="session")
def mlp_request(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mlp")
    return CompileRequest(
        model=mlp(folder / "model.onnx", 4, 6, 3),
        calibration={"x": calibration(1, 4)},
        out=folder / "compiled",
    )


@pytest.fixture(scope="session")
def ezkl_compiled(ezkl_system, mlp_request) -> Path:
    """A compiled 4-6-3 perceptron with public input."""
    ezkl_system.compile(mlp_request)
    return mlp_request.out


@pytest.fixture(scope="session")
def ezkl_proved(ezkl_system, ezkl_compiled, mlp_request) -> Proved:
    """A proof of the first calibration sample."""
    inputs = {"x": mlp_request.calibration["x"][0]}
    return ezkl_system.prove(ProveRequest(ezkl_compiled, inputs, JOB, PROVIDER, SALT))

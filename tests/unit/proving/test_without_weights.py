"""Models that multiply nothing by weights: proven like any other."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper
from small_models import JOB, PROVIDER, SALT, calibration, save

from inferproof.errors import ProofRejected
from inferproof.inference.session import Session
from inferproof.models.load import load_model
from inferproof.protocol.proof_file import encode_proof_file
from inferproof.proving.base import CompileRequest
from inferproof.proving.execution import ProveRequest, prove
from inferproof.proving.sumcheck.system import SumcheckSystem
from inferproof.verify.proof import verify_proof

pytestmark = pytest.mark.native

NODE, FLOAT = helper.make_node, TensorProto.FLOAT
MODELS = {
    "rectifier": ([NODE("Relu", ["x"], ["y"])], [1, 4], FLOAT),
    "softmax": ([NODE("Softmax", ["x"], ["y"], axis=1)], [1, 4], FLOAT),
    "average": ([NODE("ReduceMean", ["x"], ["y"], keepdims=0)], [], FLOAT),
    "argmax": ([NODE("ArgMax", ["x"], ["y"], axis=1)], [1, 1], TensorProto.INT64),
    "sum": ([NODE("Add", ["x", "x"], ["y"])], [1, 4], FLOAT),
    "transposed": ([NODE("Transpose", ["x"], ["y"])], [4, 1], FLOAT),
}


@pytest.mark.parametrize("name", MODELS)
def test_it_is_proven(name: str, sumcheck_system: SumcheckSystem, tmp_path: Path) -> None:
    nodes, shape, kind = MODELS[name]
    data = calibration(1, 4, samples=16)
    model = save(tmp_path / "m.onnx", nodes, [("x", FLOAT, [1, 4])], [("y", kind, shape)])
    request = CompileRequest(model, {"x": data}, tmp_path / "compiled")
    sumcheck_system.compile(request)
    made = prove(sumcheck_system, ProveRequest(request.out, {"x": data[0]}, JOB, PROVIDER, SALT))
    (output,) = made.verified.outputs
    exact = Session(load_model(model)).run({"x": data[0]})["y"]
    assert np.abs(output.to_array() - exact).max() < 0.01
    first = output.values[0] + 1
    forged = replace(output, values=(first, *output.values[1:]))
    file = encode_proof_file(replace(made.verified.file, outputs=(forged,)))
    with pytest.raises(ProofRejected):
        verify_proof(file, sumcheck_system.verifier(request.out), sumcheck_system)

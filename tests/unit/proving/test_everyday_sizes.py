"""A network of everyday size: MobileNetV2 at 224 × 224 is compiled, proven, and verified within the
limits that hold for a stranger's key."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper, save
from small_models import JOB, PROVIDER, SALT

from inferproof.errors import ProofRejected, Reason
from inferproof.protocol.proof_file import decode_proof_file, encode_proof_file
from inferproof.proving.base import CompileRequest
from inferproof.proving.execution import ProveRequest, prove
from inferproof.proving.isolated import LIMITS, IsolatedChecker, IsolatedWorker
from inferproof.proving.sumcheck.system import SumcheckSystem
from inferproof.verify.proof import verify_proof

MEMORY = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
pytestmark = [
    pytest.mark.native,
    pytest.mark.slow,
    pytest.mark.skipif(MEMORY < 10 * 2**30, reason="compiling and proving take 5.6 GB"),
]
SIDE = 224
# Expansion, channels, blocks and first stride of each stage (arXiv 1801.04381, table 2).
STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1))
STAGES += ((6, 160, 3, 2), (6, 320, 1, 1))


class _Net:
    """Layers one after another, with random weights."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(2)
        self.nodes: list = []
        self.weights: list = []
        self.last, self.channels = "x", 3

    def add(self, op: str, *more: str, **attributes: object) -> str:
        name = f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, [self.last, *more], [name], **attributes))
        self.last = name
        return name

    def weight(self, *shape: int) -> str:
        scale = np.sqrt(2 / np.prod(shape[1:]))
        values = self.rng.normal(size=shape, scale=scale).astype("f4")
        self.weights.append(numpy_helper.from_array(values, f"w{len(self.weights)}"))
        return str(self.weights[-1].name)

    def conv(self, channels: int, kernel: int, stride: int = 1, *, depthwise: bool = False) -> None:
        group = self.channels if depthwise else 1
        weight = self.weight(channels, self.channels // group, kernel, kernel)
        pads = [kernel // 2] * 4
        self.add("Conv", weight, group=group, strides=[stride] * 2, pads=pads)
        self.channels = channels

    def clipped(self) -> None:
        self.add("Clip", "zero", "six")

    def block(self, expansion: int, channels: int, stride: int) -> None:
        before, wide = (self.last, self.channels), self.channels * expansion
        if expansion > 1:
            self.conv(wide, 1)
            self.clipped()
        self.conv(wide, 3, stride, depthwise=True)
        self.clipped()
        self.conv(channels, 1)
        if stride == 1 and before[1] == channels:
            self.add("Add", before[0])


def mobilenet(path: Path) -> None:
    """MobileNetV2 of width 1, for a thousand classes."""
    net = _Net()
    for name, value in (("zero", 0), ("six", 6)):
        net.weights.append(numpy_helper.from_array(np.array(value, dtype="f4"), name))
    net.conv(32, 3, 2)
    net.clipped()
    for expansion, channels, blocks, stride in STAGES:
        for number in range(blocks):
            net.block(expansion, channels, stride if number == 0 else 1)
    net.conv(1280, 1)
    net.clipped()
    net.add("GlobalAveragePool")
    net.add("Flatten")
    net.add("MatMul", net.weight(1280, 1000))
    net.nodes[-1].output[0] = "y"
    info = helper.make_tensor_value_info
    inputs = [info("x", TensorProto.FLOAT, [1, 3, SIDE, SIDE])]
    outputs = [info("y", TensorProto.FLOAT, [1, 1000])]
    graph = helper.make_graph(net.nodes, "g", inputs, outputs, net.weights)
    opsets = [helper.make_opsetid("", 17)]
    save(helper.make_model(graph, opset_imports=opsets, ir_version=10), path)


def test_mobilenet_at_its_own_size_is_verified_as_a_strangers_model(
    sumcheck_system: SumcheckSystem, tmp_path: Path
):
    mobilenet(tmp_path / "m.onnx")
    data = np.random.default_rng(3).normal(size=(5, 3, SIDE, SIDE)).astype("f4")
    compiled = tmp_path / "compiled"
    # Random weights lose more to quantisation than trained ones; that is not what is asked here.
    asked = CompileRequest(tmp_path / "m.onnx", {"x": data}, compiled, max_error=0.2)
    sumcheck_system.compile(asked)
    request = ProveRequest(compiled, {"x": data[:1]}, JOB, PROVIDER, SALT)
    proof = prove(sumcheck_system, request).file
    bundle = sumcheck_system.verifier(compiled)
    worker = IsolatedWorker(LIMITS["sumcheck"])
    try:
        checker = IsolatedChecker("sumcheck", worker)
        assert verify_proof(proof, bundle, checker).statement.job_id == JOB
        file = decode_proof_file(proof)
        changed = file.proof[:-1] + bytes([file.proof[-1] ^ 1])
        with pytest.raises(ProofRejected) as caught:
            verify_proof(encode_proof_file(replace(file, proof=changed)), bundle, checker)
        assert caught.value.reason is Reason.PROOF_INVALID
    finally:
        worker.close()

"""Multiply-adds against counts that were done by hand."""

import pytest
from onnx import helper

from inferproof.models.cost import multiply_adds


@pytest.mark.parametrize(
    ("op", "inputs", "output", "attributes", "expected"),
    [
        ("MatMul", [(2, 3), (3, 5)], (2, 5), {}, 30),
        ("MatMul", [(7, 2, 3), (3, 5)], (7, 2, 5), {}, 210),
        ("MatMul", [(3,), (3,)], (), {}, 3),
        ("Gemm", [(2, 3), (3, 5), (5,)], (2, 5), {}, 30),
        ("Gemm", [(3, 2), (5, 3)], (2, 5), {"transA": 1, "transB": 1}, 30),
        ("Conv", [(1, 4, 8, 8), (6, 4, 3, 3)], (1, 6, 6, 6), {}, 6 * 36 * 36),
        ("Conv", [(1, 4, 8, 8), (4, 1, 3, 3)], (1, 4, 6, 6), {"group": 4}, 4 * 36 * 9),
        ("ConvTranspose", [(1, 4, 5, 5), (4, 2, 3, 3)], (1, 2, 7, 7), {}, 100 * 18),
        ("Einsum", [(2, 3), (3, 5)], (2, 5), {"equation": "ij,jk->ik"}, 30),
        ("Einsum", [(7, 2, 3), (7, 3, 5)], (7, 2, 5), {"equation": "bij, bjk -> bik"}, 210),
        ("Einsum", [(7, 2, 3), (3, 5)], (7, 2, 5), {"equation": "...ij,jk->...ik"}, 210),
        ("MaxPool", [(1, 1, 4, 4)], (1, 1, 2, 2), {"kernel_shape": [2, 2]}, 16),
        ("LSTM", [(5, 1, 3), (1, 16, 3), (1, 16, 4)], (5, 1, 1, 4), {}, 5 * (48 + 64)),
        ("LRN", [(1, 4, 2, 2)], (1, 4, 2, 2), {"size": 3}, 48),
        ("Relu", [(4, 4)], (4, 4), {}, 16),
        ("ReduceSum", [(4, 4)], (1, 1), {}, 16),
    ],
)
def test_multiply_adds(op, inputs, output, attributes, expected: int):
    names = [f"i{n}" for n in range(len(inputs))]
    node = helper.make_node(op, names, ["o"], **attributes)
    assert multiply_adds(node, {**dict(zip(names, inputs, strict=True)), "o": output}) == expected

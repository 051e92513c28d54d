"""What a gateway does with what strangers bring: in other processes, with limits."""

from contextlib import AsyncExitStack

import numpy as np
import pytest

from inferproof.app.isolated import IsolatedPreprocess
from inferproof.app.provers import open_checkers, open_preprocess
from inferproof.errors import ArtifactRejected, InferproofError, Reason
from inferproof.inference.request import request_tensors
from inferproof.proving.bounds import Limits
from inferproof.proving.isolated import IsolatedChecker
from inferproof.proving.registry import known_systems
from inferproof.testing.rejections import rejects

ITEM = {"name": "x", "shape": [2, 2], "min": (-9.0).hex(), "max": (9.0).hex()}
TENSOR = {"kind": "tensor", "inputs": [ITEM]}
BODY = b'{"input": [[1.0, 2.0], [3.0, 4.5]]}'


async def test_every_system_of_this_release_checks_apart():
    own = object()
    async with AsyncExitStack() as stack:
        find = open_checkers(lambda _name: own, stack)
        assert all(isinstance(find(name), IsolatedChecker) for name in known_systems())
        assert find("external") is own  # a program of its own already


async def test_pre_processing_apart_gives_the_same_tensors_and_refuses_alike():
    async with AsyncExitStack() as stack:
        preprocess = open_preprocess(stack)
        expected = request_tensors(TENSOR, BODY)
        got = preprocess(TENSOR, BODY)
        assert got.keys() == expected.keys()
        assert all(np.array_equal(got[name], expected[name]) for name in got)
        assert all(got[name].dtype == expected[name].dtype for name in got)
        for canonical, body in (
            (TENSOR, b"[]"),
            (TENSOR, b'{"input": [1]}'),
            ({"kind": "x"}, BODY),
        ):
            with pytest.raises(InferproofError) as here:
                request_tensors(canonical, body)
            with pytest.raises(type(here.value)) as there:
                preprocess(canonical, body)
            assert there.value.message == here.value.message


def test_pre_processing_without_end_is_a_typed_rejection():
    size = 2**26
    preprocess = IsolatedPreprocess(Limits(20, 2**28))
    try:
        message = (
            f"checking under this verifier bundle took more than {2**28} bytes of memory and was "
            "stopped"
        )
        with rejects(Reason.CHECK_MEMORY_LIMIT, message, kind=ArtifactRejected):
            preprocess({**TENSOR, "note": "x" * size}, b'{"input": "' + b"0" * size + b'"}')
    finally:
        preprocess.close()

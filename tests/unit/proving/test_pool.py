"""The pool of worker processes is a backend for heavy work."""

import pytest
from compute_backend_suite import ComputeBackendSuite

from inferproof.proving.pool import WorkerPool


class TestWorkerPool(ComputeBackendSuite):
    @pytest.fixture
    def make(self):
        pools = []

        def made(size=1, memory_bytes=0):
            pools.append(WorkerPool(size=size, threads=1, memory_bytes=memory_bytes))
            return pools[-1]

        yield made
        for pool in pools:
            pool.close()

"""The pool of worker processes is a backend for heavy work."""

import os
import signal
import subprocess
import sys

import pytest
from compute_backend_suite import ComputeBackendSuite
from processes import alive, is_gone

from inferproof.proving.pool import WorkerPool

PARENT = """
from inferproof.proving.pool import WorkerPool

pool = WorkerPool(size=1, threads=1, memory_bytes=0)
tasks = "inferproof.testing.worker_tasks"
print(pool.run(f"{tasks}:echo", {}, time_limit_s=60)["pid"], flush=True)
pool.run(f"{tasks}:sleep", {"seconds": 600}, time_limit_s=600)
"""


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


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_worker_ends_with_its_parent_in_the_midst_of_a_task(how):
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE) as parent:
        worker = int(parent.stdout.readline())
        assert alive(worker)
        os.kill(parent.pid, how)
    assert is_gone(worker)

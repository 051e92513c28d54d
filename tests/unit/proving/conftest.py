"""One small model compiled and proven per session, for all tests of proof systems."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from small_models import JOB, PROVIDER, SALT, SALTS, calibration, mlp

from inferproof.app.openings import local_openings
from inferproof.proving.base import CompileRequest
from inferproof.proving.execution import Proved, ProveRequest, prove
from inferproof.proving.ezkl.system import EzklSystem
from inferproof.proving.sumcheck.system import SumcheckSystem

FIRST: dict[str, Any] = {}
"""The state of each module's `RNG` before the first of its tests."""


@pytest.fixture(scope="session", autouse=True)
def srs_home(tmp_path_factory):
    """Development SRS of the tests, apart from the user's; shared by parallel test processes."""
    patch = pytest.MonkeyPatch()
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if base.name.startswith("popen-") else base
    patch.setenv("INFERPROOF_HOME", str(shared / "inferproof-home"))
    yield
    patch.undo()


@pytest.fixture(autouse=True)
def same_draws(request):
    """Every test draws from its module's `RNG` as if it were the first: which tests ran before it
    in its process, which is chance where several run beside each other, changes nothing."""
    if generator := getattr(request.module, "RNG", None):
        bits = generator.bit_generator
        bits.state = FIRST.setdefault(request.module.__name__, bits.state)


@pytest.fixture(scope="session")
def ezkl_system():
    system = EzklSystem()
    yield system
    system.close()


@pytest.fixture(scope="session")
def sumcheck_system():
    system = SumcheckSystem(openings=local_openings)
    yield system
    system.close()


@pytest.fixture(scope="session")
def sumcheck_compiled(sumcheck_system, mlp_request, tmp_path_factory) -> Path:
    """The perceptron compiled by sumcheck."""
    out = tmp_path_factory.mktemp("mlp-sumcheck") / "compiled"
    sumcheck_system.compile(replace(mlp_request, out=out))
    return out


@pytest.fixture(scope="session")
def mlp_request(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mlp")
    return CompileRequest(
        model=mlp(folder / "model.onnx", 4, 6, 3),
        calibration={"x": calibration(1, 4)},
        out=folder / "compiled",
        salts=SALTS,
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
    return prove(ezkl_system, ProveRequest(ezkl_compiled, inputs, JOB, PROVIDER, SALT))

"""The first proof system that takes a model compiles it, and the report says which and why."""

from dataclasses import replace

import pytest
from small_models import calibration, mlp

from inferproof.app.openings import local_openings
from inferproof.errors import InferproofError, MissingPart, ModelRejected, NotFound, Reason
from inferproof.proving.base import CompileRequest
from inferproof.proving.selection import compile_with_first, compiler_of
from inferproof.testing.rejections import rejects
from inferproof.testing.toy_proofs import ACKNOWLEDGEMENT, ToySystem
from inferproof.types.proof import Visibility


class Refusing(ToySystem):
    """Compiles nothing, and says so."""

    def __init__(self, name: str, error: InferproofError) -> None:
        super().__init__(ACKNOWLEDGEMENT)
        self.name = name
        self._error = error

    def compile(self, request, progress=None):
        raise self._error


def system(name):
    made = ToySystem(ACKNOWLEDGEMENT)
    made.name = name
    return made


def refused(name, why="no"):
    return Refusing(name, ModelRejected(Reason.CIRCUIT_REFUSED, system=name, why=why))


@pytest.fixture
def request_(tmp_path):
    file = mlp(tmp_path / "m.onnx", 4, 6, 3)
    return CompileRequest(file, {"x": calibration(1, 4)}, tmp_path / "out")


def test_the_first_that_takes_the_model_compiles_it(request_):
    done = compile_with_first([system("a"), refused("b")], request_)
    assert done.parts.proof_system == "a"
    assert done.notes == ("proof system a takes the model and is the fastest",)


def test_what_those_before_it_said_is_told(request_):
    done = compile_with_first([refused("a", "too odd"), system("b")], request_)
    assert done.parts.proof_system == "b"
    assert done.notes == (
        "proof system b takes the model; a refused it: proof system a cannot build a circuit of "
        "this model: too odd",
    )


def test_a_system_that_is_not_installed_is_passed_over(request_):
    missing = MissingPart(Reason.MISSING_NATIVE)
    done = compile_with_first([Refusing("a", missing), system("b")], request_)
    assert done.parts.proof_system == "b"
    assert f"a refused it: {missing.message}" in done.notes[0]


def test_where_none_takes_it_all_are_told(request_):
    with rejects(
        Reason.SYSTEM_NONE,
        "no proof system takes the model: a refused it: proof system a cannot build a circuit of "
        "this model: no; b refused it: proof system b cannot build a circuit of this model: no",
    ):
        compile_with_first([refused("a"), refused("b")], request_)


def test_what_all_say_alike_is_said_once(request_):
    wrong = replace(request_, calibration={"z": calibration(1, 4)})
    with rejects(Reason.CALIBRATION_INPUTS, "calibration data must hold one array for each of: x"):
        compile_with_first([system("a"), system("b")], wrong)


def test_other_failures_end_it(request_):
    broken = Refusing("a", NotFound(Reason.SYSTEM_UNKNOWN, name="a", known="b"))
    with rejects(Reason.SYSTEM_UNKNOWN, "there is no proof system a; known are: b", kind=NotFound):
        compile_with_first([broken, system("b")], request_)


def test_a_name_is_that_system_alone():
    with rejects(
        Reason.SYSTEM_UNKNOWN,
        "there is no proof system best; known are: ezkl, sumcheck",
        kind=NotFound,
    ):
        compiler_of("best")


@pytest.mark.native
def test_the_native_prover_goes_first_and_ezkl_takes_what_it_does_not(request_):
    compiler = compiler_of("auto", local_openings)
    done = compiler(request_, lambda _stage, _share: None)
    assert done.parts.proof_system == "sumcheck"
    hashed = replace(request_, visibility=Visibility.HASHED, out=request_.out.with_name("hashed"))
    done = compiler(hashed, lambda _stage, _share: None)
    assert done.parts.proof_system == "ezkl"
    assert done.notes[0].startswith("proof system ezkl takes the model; sumcheck refused it: ")

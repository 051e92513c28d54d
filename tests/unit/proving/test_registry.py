"""Finding proof systems, and saying what is missing."""

import sys
from types import ModuleType

import pytest
from small_models import JOB, PROVIDER, SALT

from inferproof.errors import Misconfigured, MissingPart, NotFound, Reason
from inferproof.models.card import DEFAULT_SYSTEM
from inferproof.proving.execution import ProveRequest, prove
from inferproof.proving.registry import get_system, known_systems
from inferproof.testing.rejections import rejects


def test_our_systems_are_known():
    assert known_systems() == ("ezkl", "sumcheck")
    assert [get_system(name).name for name in known_systems()] == ["ezkl", "sumcheck"]


def test_the_default_is_one_of_ours():
    assert get_system(DEFAULT_SYSTEM).name == "sumcheck"


@pytest.mark.parametrize("name", ["toy", "external", "magic"])
def test_others_are_not(name):
    message = f"there is no proof system {name}; known are: ezkl, sumcheck"
    with rejects(Reason.SYSTEM_UNKNOWN, message, kind=NotFound):
        get_system(name)


def test_a_missing_ezkl_says_how_to_get_it(ezkl_compiled, ezkl_system, mlp_request, monkeypatch):
    monkeypatch.setitem(sys.modules, "ezkl", None)
    message = (
        "proof system ezkl needs the Python package ezkl; "
        "install it with: pip install 'inferproof[ezkl]'"
    )
    inputs = {"x": mlp_request.calibration["x"][0]}
    with rejects(Reason.MISSING_LIBRARY, message, kind=MissingPart):
        prove(ezkl_system, ProveRequest(ezkl_compiled, inputs, JOB, PROVIDER, SALT))
    with rejects(Reason.MISSING_LIBRARY, message, kind=MissingPart):
        ezkl_system.compile(mlp_request)


def test_another_version_of_ezkl_is_refused(ezkl_system, mlp_request, monkeypatch):
    other = ModuleType("ezkl")
    other.__version__ = "24.0.0"
    monkeypatch.setitem(sys.modules, "ezkl", other)
    message = "package ezkl is of version 24.0.0, this release works with 23.0.5"
    with rejects(Reason.PROVER_VERSION, message, kind=Misconfigured):
        ezkl_system.compile(mlp_request)

"""The conformance suite over every proof system."""

import sys

import pytest
from proof_system_suite import ProofSystemSuite

from inferproof.proving.external import ExternalSystem
from inferproof.testing.toy_proofs import ToySystem


class TestEzkl(ProofSystemSuite):
    @pytest.fixture(scope="class")
    @classmethod
    def system(cls, ezkl_system):
        return ezkl_system


@pytest.mark.native
class TestSumcheck(ProofSystemSuite):
    unsupported = "Det"

    @pytest.fixture(scope="class")
    @classmethod
    def system(cls, sumcheck_system):
        return sumcheck_system


class TestToy(ProofSystemSuite):
    @pytest.fixture(scope="class")
    @classmethod
    def system(cls):
        return ToySystem(acknowledge="this proves nothing")


@pytest.mark.slow  # each call is a process
class TestExternal(ProofSystemSuite):
    """Our own command as the binary behind the contract of specs/external-prover.md."""

    @pytest.fixture(scope="class")
    @classmethod
    def system(cls):
        command = [sys.executable, "-m", "inferproof.proving.stdio", "--system", "ezkl"]
        return ExternalSystem(command)


def test_a_toy_is_built_only_by_who_says_so():
    with pytest.raises(ValueError, match="this proves nothing"):
        ToySystem(acknowledge="yes")

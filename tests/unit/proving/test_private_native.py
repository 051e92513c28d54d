"""Keys, epochs and proofs at the door to the native module."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pytest

from inferproof.proving.sumcheck.library import Int8s, Int32s, library
from inferproof.second_verifier.private.shown_ranges import verify_ranges
from inferproof.second_verifier.private.soundness import terms
from inferproof.second_verifier.private.verifier import PrivateKey
from inferproof.second_verifier.reader import Rejected
from reference.vectors import files, load

if TYPE_CHECKING:
    from inferproof.proving.sumcheck import _native

pytestmark = pytest.mark.native

STATEMENT = bytes(range(32))
NOTHING = np.zeros(0, np.int32)
STARTS, LEAST_PROOFS, PROOFS = 1024, 16, 1_000_000


@dataclass(frozen=True)
class Made:
    """A key with all that its owner keeps."""

    graph: bytes
    weights: Int8s
    verifying_key: bytes
    ranges: bytes
    secret: bytes
    inputs: list[Int32s]

    def load(self, secret: bytes | None = None, links: bytes = b"") -> "_native.PrivateKey":
        native = library()
        own = self.secret if secret is None else secret
        return native.PrivateKey(self.verifying_key, self.weights, NOTHING, own, links)

    def verifier(self) -> "_native.VerifyingKey":
        return library().VerifyingKey(self.verifying_key, self.ranges)


@pytest.fixture(scope="module")
def made() -> Made:
    (path,) = [path for path in files("private") if path.stem == "linear-default"]
    vector = load(path)
    graph = vector.key[vector.key.index(b"INFGRAPH") :]
    count, _, _ = library().graph_size(graph)
    weights = (np.arange(count) * 37 % 251 - 125).astype(np.int8)
    native = library()
    key, secret, _ = native.commit_private(graph, weights, NOTHING, "default")
    ranges = native.PrivateKey(key, weights, NOTHING, secret).prove_ranges(0, 0)
    inputs = [np.array(values, np.int32) for values in vector.inputs]
    return Made(graph, weights, key, ranges, secret, inputs)


def code(call: Callable[[], object]) -> str:
    with pytest.raises(library().NativeError) as caught:
        call()
    return str(caught.value.args[0])


def test_a_key_serves_a_million_proofs_and_a_thousand_starts(made: Made) -> None:
    key = made.load()
    assert key.openings() == STARTS + 1
    links = key.begin(0)
    assert not links.proves()
    proofs = links.begin(0)
    assert proofs.proves()
    assert proofs.openings() >= LEAST_PROOFS
    assert STARTS * links.openings() * proofs.openings() >= PROOFS
    names = {key.name(), links.name(), proofs.name(), links.begin(1).name()}
    assert len(names) == 4
    assert {len(name) for name in names} == {32}
    assert made.load().name() == key.name()


def test_proofs_of_an_epoch_verify_under_the_key(made: Made) -> None:
    key = made.load()
    epoch = key.begin(3).begin(0)
    verifier = made.verifier()
    proofs = []
    for slot in (0, 5):
        execution = key.execute(made.inputs)
        outputs = execution.outputs()
        ran = library().run_graph(made.graph, made.weights, made.inputs)
        assert [out.tolist() for out in outputs] == [out.tolist() for out in ran]
        proofs.append(epoch.prove(execution, STATEMENT, slot))
        verifier.verify(made.inputs, outputs, STATEMENT, proofs[-1])
        with pytest.raises(library().NativeError, match="OPENING_INVALID"):
            verifier.verify(made.inputs, outputs, bytes(32), proofs[-1])
    assert proofs[0] != proofs[1]
    # A changed byte of a link that is known by now is seen all the same.
    link = bytearray(proofs[0])
    link[200] ^= 1
    failed = code(lambda: verifier.verify(made.inputs, outputs, STATEMENT, bytes(link)))
    assert failed == "LINK_INVALID"


def test_slots_are_used_once_and_by_what_they_are_for(made: Made) -> None:
    key = made.load()
    links = key.begin(0)
    epoch = links.begin(0)
    execution = key.execute(made.inputs)
    assert code(lambda: key.begin(0)) == "OPENINGS_SPENT"
    assert code(lambda: key.begin(STARTS)) == "SLOT_RANGE"
    assert code(lambda: links.begin(links.openings())) == "SLOT_RANGE"
    assert code(lambda: epoch.begin(1)) == "EPOCH_KIND"
    assert code(lambda: links.prove(execution, STATEMENT, 0)) == "EPOCH_KIND"
    assert code(lambda: epoch.prove(execution, STATEMENT, 0)) == "RUN_SPENT"
    epoch.prove(key.execute(made.inputs), STATEMENT, 0)
    again = key.execute(made.inputs)
    assert code(lambda: epoch.prove(again, STATEMENT, 0)) == "OPENINGS_SPENT"


def test_phases_are_told_and_can_be_stopped(made: Made) -> None:
    key = made.load()
    seen: list[str] = []

    def stopping(last: str) -> Callable[[str], bool]:
        def goes_on(phase: str) -> bool:
            seen.append(phase)
            return phase != last

        return goes_on

    assert code(lambda: key.begin(0, stopping("open"))) == "CANCELLED"
    epoch = key.begin(0).begin(0)
    run = key.execute(made.inputs)
    assert code(lambda: epoch.prove(run, STATEMENT, 0, stopping("open"))) == "CANCELLED"
    epoch.prove(key.execute(made.inputs), STATEMENT, 0, stopping("none"))
    proof = ["commit", "look up", "reduce", "relate", "open"]
    assert seen == ["commit", "open", *proof, *proof]


def test_a_key_is_read_with_its_own_weights_and_secret_only(made: Made) -> None:
    native = library()
    other = made.weights.copy()
    other[0] ^= 1
    key, secret = made.verifying_key, made.secret

    def load(weights: Int8s, parameters: Int32s, secret: bytes, links: bytes = b"") -> str:
        return code(lambda: native.PrivateKey(key, weights, parameters, secret, links))

    assert load(other, NOTHING, secret) == "WEIGHTS_OTHER"
    assert load(made.weights, NOTHING, bytes(32)) == "WEIGHTS_OTHER"
    assert load(made.weights, np.zeros(1, np.int32), secret) == "EXECUTION"
    assert load(made.weights[1:], NOTHING, secret) == "EXECUTION"
    assert load(made.weights, NOTHING, secret, b"\x01") == "PROOF_MALFORMED"
    with pytest.raises(ValueError, match="32"):
        native.PrivateKey(key, made.weights, NOTHING, secret[1:])
    _, again, _ = native.commit_private(made.graph, made.weights, NOTHING, "default")
    assert again != secret


def test_a_key_that_is_renewed_keeps_its_identity(made: Made) -> None:
    key = made.load()
    links, secret = key.rotate(STARTS)
    renewed = made.load(secret, links)
    assert renewed.name() != key.name()
    assert renewed.openings() == key.openings()
    assert code(lambda: made.load(made.secret, links)) == "WEIGHTS_OTHER"
    assert code(lambda: made.load(secret)) == "WEIGHTS_OTHER"
    epoch = renewed.begin(0).begin(0)
    execution = renewed.execute(made.inputs)
    proof = epoch.prove(execution, STATEMENT, 0)
    verifier = made.verifier()
    verifier.verify(made.inputs, execution.outputs(), STATEMENT, proof)


def test_the_second_verifier_counts_the_same_of_keys_of_the_usual_size(made: Made) -> None:
    key = PrivateKey(made.verifying_key)
    report = json.loads(made.verifier().security())
    told = {term["name"]: term["bits"] for term in report["terms"]}
    own = terms(key)
    assert own.keys() == told.keys()
    for name, error in own.items():
        # Of equations more are counted than there must be.
        near = 3 if "batching of equations" in name else 0.011
        assert -error == pytest.approx(told[name], abs=near)


@pytest.mark.slow
def test_the_second_verifier_accepts_a_proof_of_the_usual_size(made: Made) -> None:
    key = made.load()
    execution = key.execute(made.inputs)
    proof = key.begin(0).begin(0).prove(execution, STATEMENT, 0)
    inputs = [own.tolist() for own in made.inputs]
    outputs = [own.tolist() for own in execution.outputs()]
    second = PrivateKey(made.verifying_key)
    assert [link.kind for link in second.read(proof).links] == [2, 3]
    second.verify(inputs, outputs, STATEMENT, proof)
    with pytest.raises(Rejected, match="OPENING_INVALID"):
        second.verify(inputs, outputs, bytes(32), proof)


@pytest.mark.parametrize("profile", ["default", "conservative"])
def test_the_report_counts_links(made: Made, profile: str) -> None:
    report = json.loads(library().security(made.graph, profile))
    assert report["provable_bits"] >= 100
    names = {term["name"].split(":")[0] for term in report["terms"]}
    assert {"links of keys", "link of an epoch", "opening", "ranges"} <= names
    if profile == "default":
        key = made.verifier()
        assert json.loads(key.security()) == report


def test_a_key_is_read_with_the_proof_of_its_ranges_only(made: Made) -> None:
    native, key = library(), made.verifying_key

    def refused(key: bytes, ranges: bytes) -> str:
        return code(lambda: native.VerifyingKey(key, ranges))

    assert native.VerifyingKey(key, made.ranges)
    verify_ranges(key, made.ranges)
    assert refused(key, b"") == "RANGES_MISSING"
    changed = bytearray(made.ranges)
    changed[100] ^= 1
    assert refused(key, bytes(changed)) == "RANGES_INVALID"
    assert refused(key, made.ranges[:-1]) == "RANGES_INVALID"
    # That of another key for the same weights.
    other, secret, _ = native.commit_private(made.graph, made.weights, NOTHING, "default")
    shown = native.PrivateKey(other, made.weights, NOTHING, secret).prove_ranges(0, 3)
    assert native.VerifyingKey(other, shown)
    assert refused(key, shown) == "RANGES_INVALID"


def test_a_key_for_contracts_shows_its_ranges_by_its_own_transcript(made: Made) -> None:
    """Both verifiers take it, and neither takes the bytes as those of a key by the other hash."""
    native = library()
    key, secret, _ = native.commit_private(made.graph, made.weights, NOTHING, "evm")
    ranges = native.PrivateKey(key, made.weights, NOTHING, secret).prove_ranges(0, 0)
    assert native.VerifyingKey(key, ranges)
    verify_ranges(key, ranges)
    assert code(lambda: native.VerifyingKey(key, made.ranges)) == "RANGES_INVALID"
    changed = bytearray(ranges)
    changed[-1] ^= 1
    assert code(lambda: native.VerifyingKey(key, bytes(changed))) == "RANGES_INVALID"
    with pytest.raises(Rejected):
        verify_ranges(key, bytes(changed))


def test_ranges_are_shown_by_openings_of_the_first_key(made: Made) -> None:
    key = made.load()
    assert key.range_parts() == 1
    seen: list[str] = []

    def stopping(phase: str) -> bool:
        seen.append(phase)
        return phase != "open"

    assert code(lambda: key.prove_ranges(0, 5, stopping)) == "CANCELLED"
    assert seen == ["commit", "open"]
    key.prove_ranges(0, 5)
    assert code(lambda: key.prove_ranges(0, 5)) == "OPENINGS_SPENT"
    assert code(lambda: key.begin(5)) == "OPENINGS_SPENT"
    assert code(lambda: key.prove_ranges(0, STARTS)) == "SLOT_RANGE"
    assert code(lambda: key.prove_ranges(1, 6)) == "EPOCH_KIND"
    links, secret = key.rotate(STARTS)
    renewed = made.load(secret, links)
    assert code(lambda: renewed.prove_ranges(0, 0)) == "RANGES_ROTATED"


@pytest.mark.parametrize("profile", ["small", ""])
def test_there_are_no_other_profiles(made: Made, profile: str) -> None:
    native = library()
    refused = code(lambda: native.commit_private(made.graph, made.weights, NOTHING, profile))
    assert refused == "PROFILE"
    assert code(lambda: native.security(made.graph, profile)) == "PROFILE"

"""The committed mode through the product: the models that it is for, sound in both profiles, and
keys and proofs of strangers, which neither panic nor cost much."""

import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from small_models import JOB, PROVIDER, SALT

from inferproof.errors import ArtifactRejected, ProofRejected, Reason
from inferproof.protocol.proof_file import decode_proof_file, encode_proof_file
from inferproof.protocol.statement import statement_digest
from inferproof.protocol.verifier_bundle import VerifierBundle, verifying_key_digest
from inferproof.proving.base import CompileRequest
from inferproof.proving.execution import ProveRequest, prove
from inferproof.proving.sumcheck import graph as g
from inferproof.proving.sumcheck.check import flat_inputs, read_facts
from inferproof.proving.sumcheck.graph_bytes import encode_graph
from inferproof.proving.sumcheck.library import library
from inferproof.proving.sumcheck.modes import COMMITTED, PROFILES, mode_of
from inferproof.testing.rejections import rejects
from inferproof.types.digest import Digest
from inferproof.verify.proof import verify_proof

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT))

from bench.native_models import depthwise_cnn, lenet, native_dense  # noqa: E402

pytestmark = pytest.mark.native


@dataclass(frozen=True)
class Compiled:
    """A model of the benchmark, compiled for the committed mode, and an input."""

    folder: Path
    bundle: VerifierBundle
    inputs: dict


def _first(path):
    with np.load(path) as stored:
        return {name: stored[name][0].astype(np.float32) for name in stored.files}


def _all(path):
    with np.load(path) as stored:
        return {name: stored[name].astype(np.float32) for name in stored.files}


@pytest.fixture(scope="module")
def compiled(sumcheck_system, tmp_path_factory):
    """Makes each model once for each profile."""
    made = {}

    def make(name, profile):
        if (name, profile) not in made:
            folder = tmp_path_factory.mktemp(name)
            model = MODELS[name](folder)
            files = model.files
            sumcheck_system.compile(
                CompileRequest(
                    files.model,
                    _all(files.calibration),
                    folder / "out",
                    profile=profile,
                    mode=COMMITTED,
                )
            )
            bundle = sumcheck_system.verifier(folder / "out")
            made[name, profile] = Compiled(folder / "out", bundle, _first(model.fresh))
        return made[name, profile]

    return make


MODELS = {
    "mlp": lambda folder: native_dense((784, 128, 10), folder),
    "lenet": lenet,
    "cnn": depthwise_cnn,
}
PARTS = ("lookups: ", "reduction: ", "witness opening: ", "witness opening, ", "opening: ")


@pytest.mark.parametrize("profile", PROFILES[COMMITTED])
@pytest.mark.parametrize("name", ["mlp", "lenet", pytest.param("cnn", marks=pytest.mark.slow)])
def test_models_are_proven_with_a_hundred_bits(name, profile, compiled, sumcheck_system):
    model = compiled(name, profile)
    assert mode_of(model.bundle.verifying_key) == COMMITTED
    told = sumcheck_system.security(model.bundle)
    assert (told.mode, told.profile) == (COMMITTED, profile)
    assert told.provable_bits >= 100
    assert told.provable_bits <= min(bits for _, bits in told.terms)
    # Both openings and what lies between them are counted, and the pin, which chooses among lists.
    pin = ("pin",) if profile == "default" else ()
    for part in (*PARTS, *pin):
        assert any(part in term for term, _ in told.terms), part
    proved = prove(sumcheck_system, ProveRequest(model.folder, model.inputs, JOB, PROVIDER, SALT))
    verified = verify_proof(proved.file, model.bundle, sumcheck_system)
    assert verified.file.statement.job_id == JOB
    file = decode_proof_file(proved.file)
    for place in np.random.default_rng(4).integers(0, len(file.proof), 12).tolist():
        changed = bytearray(file.proof)
        changed[place] ^= 1 << (place % 8)
        with rejects(Reason.PROOF_INVALID, "the proof does not hold for its statement"):
            forged = replace(file, proof=bytes(changed))
            verify_proof(encode_proof_file(forged), model.bundle, sumcheck_system)


@pytest.mark.slow
def test_a_large_models_proof_is_smaller_than_in_the_clear_mode(
    compiled, sumcheck_system, tmp_path
):
    """What the mode is for. Both give the same answer."""
    model = compiled("cnn", "default")
    request = ProveRequest(model.folder, model.inputs, JOB, PROVIDER, SALT)
    committed = prove(sumcheck_system, request)
    files = depthwise_cnn(tmp_path).files
    out = tmp_path / "clear"
    sumcheck_system.compile(CompileRequest(files.model, _all(files.calibration), out))
    clear = prove(sumcheck_system, replace(request, artifact=out))
    assert clear.outputs == committed.outputs
    assert len(committed.file) < len(clear.file) / 2


def _changes(draw, data, within, count):
    """So many copies with another byte somewhere among the first `within`."""
    for _ in range(count):
        changed = bytearray(data)
        place = int(draw.integers(within))
        while changed == data:
            flipped = changed[place] ^ 1 << int(draw.integers(8))
            changed[place] = int(draw.choice((flipped, 0, 1, 255)))
        yield bytes(changed)


def test_no_changed_byte_of_key_or_proof_makes_the_verifier_panic(compiled, sumcheck_system):
    native, model = library(), compiled("lenet", "default")
    proved = prove(sumcheck_system, ProveRequest(model.folder, model.inputs, JOB, PROVIDER, SALT))
    file = decode_proof_file(proved.file)
    settings = read_facts(model.bundle).settings
    inputs = flat_inputs(settings, file.disclosed.tensors)
    outputs = [np.array(o.values, np.int32).reshape(-1) for o in file.outputs]
    statement = statement_digest(file.statement).raw

    def verdict(key, proof):
        try:
            native.VerifyingKey(key).verify(inputs, outputs, statement, proof)
        except native.NativeError as error:
            return error.args[0]
        return None

    key, proof = model.bundle.verifying_key, file.proof
    assert verdict(key, proof) is None
    draw = np.random.default_rng(5)
    seen = set()
    # The graph begins behind the pin; most of a key is constants.
    for within in (len(key), 300):
        seen |= {verdict(changed, proof) for changed in _changes(draw, key, within, 200)}
    for changed in _changes(draw, proof, len(proof), 100):
        seen.add(verdict(key, changed))
        seen.add(verdict(key, proof[: draw.integers(len(proof))]))
    assert None not in seen
    assert "PANIC" not in seen
    assert {"KEY_GRAPH", "PROOF_MALFORMED", "LOOKUP_MISMATCH"} <= seen


# -- what a stranger's key may cost ---------------------------------------------------------


def _graph(shape, nodes, inputs=()):
    """A graph of one contraction with one weight, nodes after it, and a rescaling at the end."""
    linear = g.Node(g.Linear(0), (0,), shape, -128, 128)
    last = 1 + len(inputs) + len(nodes)
    rescale = g.Node(g.Rescale(0, 0, 1), (last,), nodes[-1].shape, -100, 100)
    return g.Graph(
        inputs=(g.Input(shape, -1, 1), *(g.Input(other, -1, 1) for other in inputs)),
        weights=(g.Weight(1, 1),),
        constants=(g.Constant(np.array([1], dtype=np.int32)),),
        nodes=(linear, *nodes, rescale),
        outputs=(last + 1,),
    )


def views(count, rows=2**10):
    """Diagonals of a square, each repeated to a square and read address by address."""
    shape = (rows, rows, 1)
    view = g.View(0, (rows + 1, 0, 0))
    nodes = [g.Node(view, (1 + i,), shape, -128, 128) for i in range(count)]
    return _graph(shape, nodes)


def uses(count, most=4096):
    """Sums of one tensor with itself, `count` times in all."""
    nodes = []
    for start in range(0, count, most):
        terms = min(most, count - start)
        node = g.Node(g.Add((1,) * terms), (1,) * terms, (1, 1), -(2**28), 2**28)
        nodes.append(node)
    sums = tuple(range(2, 2 + len(nodes)))
    total = g.Node(g.Add((1,) * len(sums)), sums, (1, 1), -(2**29) + 1, 2**29 - 1)
    return _graph((1, 1), [*nodes, total])


def claims_on_an_input(count, size=2**20):
    """Products of an input with itself: for each, two claims that a verifier computes."""
    shape = (size, 1)
    first = g.Node(g.Add((1, 1)), (0, 2), shape, -129, 129)
    nodes = [
        g.Node(g.Add((1, 1)), (1, 3 + number), shape, -(2**20), 2**20) for number in range(count)
    ]
    return _graph(shape, [first, *nodes], inputs=[shape])


@pytest.mark.parametrize(
    ("fine", "costly"),
    [
        (views(7), views(8)),
        (uses(4000), uses(4200)),
        (claims_on_an_input(12), claims_on_an_input(13)),
    ],
    ids=["addresses", "claims on one tensor", "claims on an input"],
)
def test_costly_keys_are_refused_before_they_cost(fine, costly):
    native = library()
    native.security(encode_graph(fine), "default", COMMITTED)
    with pytest.raises(native.NativeError) as caught:
        native.security(encode_graph(costly), "default", COMMITTED)
    assert caught.value.args == (
        "KEY_WORK",
        "the graph takes its verifier too much where its results are hidden",
    )


def test_a_strangers_costly_bundle_is_refused(sumcheck_system, sumcheck_compiled):
    bundle = sumcheck_system.verifier(sumcheck_compiled)
    head = b"INFSUMVK" + (1).to_bytes(4, "little") + bytes([2, 1]) + bytes(32) + bytes(4)
    key = head + encode_graph(views(8))
    parts = replace(bundle.parts, verifying_key=verifying_key_digest(key))
    message = (
        "the circuit's settings are not those of a sound circuit: the graph takes its verifier too "
        "much where its results are hidden"
    )
    with rejects(Reason.ARTIFACT_SETTINGS, message, kind=ArtifactRejected):
        read_facts(replace(bundle, verifying_key=key, parts=parts))


def test_the_security_report_of_a_graph_is_that_of_its_key(compiled):
    native, model = library(), compiled("lenet", "default")
    key = native.VerifyingKey(model.bundle.verifying_key)
    assert key.mode() == COMMITTED
    assert native.security(key.graph(), "default", COMMITTED) == key.security()
    clear = json.loads(native.security(key.graph(), "default"))
    assert clear["terms"] != json.loads(key.security())["terms"]
    with pytest.raises(native.NativeError) as caught:
        native.security(key.graph(), "default", "open")
    assert caught.value.args == ("MODE", "there is no mode open")


def test_modes_that_there_are_not_are_refused(compiled):
    native, model = library(), compiled("lenet", "default")
    key = model.bundle.verifying_key
    with pytest.raises(native.NativeError) as caught:
        native.security(native.VerifyingKey(key).graph(), "default", "hidden")
    assert caught.value.args == ("MODE", "there is no mode hidden")
    with pytest.raises(native.NativeError) as caught:
        native.VerifyingKey(key[:12] + bytes([9]) + key[13:])
    assert caught.value.args[0] == "KEY_VERSION"


def test_a_proof_for_another_job_or_provider_is_rejected(compiled, sumcheck_system):
    model = compiled("lenet", "default")
    proved = prove(sumcheck_system, ProveRequest(model.folder, model.inputs, JOB, PROVIDER, SALT))
    file = decode_proof_file(proved.file)
    for change in (
        {"job_id": Digest(b"\x01" * 32)},
        {"provider": replace(PROVIDER, raw=bytes(20))},
    ):
        other = replace(file, statement=replace(file.statement, **change))
        message = "the proof does not hold for its statement"
        with rejects(Reason.PROOF_INVALID, message, kind=ProofRejected):
            verify_proof(encode_proof_file(other), model.bundle, sumcheck_system)

"""The native proof system: what it refuses, and what it keeps in memory."""

import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hostile_keys import consumers
from onnx import TensorProto, helper
from small_models import JOB, PROVIDER, SALT, save

from inferproof.app.openings import local_openings
from inferproof.client.tools import installed_tools
from inferproof.errors import (
    ArtifactRejected,
    MissingPart,
    ModelRejected,
    Reason,
    Unavailable,
)
from inferproof.proving.artifact import HEADER
from inferproof.proving.base import CompileRequest, SrsSource
from inferproof.proving.execution import ProveRequest, prove
from inferproof.proving.isolated import LIMITS, IsolatedChecker, IsolatedWorker
from inferproof.proving.openings import PassingOpenings
from inferproof.proving.sumcheck import graph as g
from inferproof.proving.sumcheck import library as door
from inferproof.proving.sumcheck import loaded as loading
from inferproof.proving.sumcheck.check import read_facts
from inferproof.proving.sumcheck.graph_bytes import encode_graph
from inferproof.proving.sumcheck.loaded import WEIGHTS, Cache, load
from inferproof.proving.sumcheck.lower.program import Step
from inferproof.proving.sumcheck.refusals import refusal
from inferproof.proving.sumcheck.system import SumcheckSystem
from inferproof.testing.rejections import rejects
from inferproof.types.proof import Visibility
from inferproof.verify.proof import out_of_range, security_of, verify_proof

pytestmark = pytest.mark.native


@pytest.fixture
def no_module(monkeypatch):
    monkeypatch.delitem(sys.modules, door.NAME, raising=False)
    monkeypatch.setattr(door, "installed", lambda: ())


def _inputs(mlp_request):
    return {"x": mlp_request.calibration["x"][0]}


def test_without_the_module_it_says_how_to_get_it(no_module, mlp_request):
    message = (
        "proof system sumcheck needs its native module, which is not built for this machine; "
        "install a wheel that holds it, or in a checkout get Rust from https://rustup.rs and "
        "run: make native"
    )
    system = SumcheckSystem()
    with rejects(Reason.MISSING_NATIVE, message, kind=MissingPart):
        system.compile(mlp_request)
    with rejects(Reason.MISSING_NATIVE, message, kind=MissingPart):
        installed_tools().checker("sumcheck")
    assert system.describe().name == "sumcheck"
    assert system.supports("Gemm")


def test_a_build_that_cannot_be_loaded_is_passed_over(monkeypatch, tmp_path):
    broken = tmp_path / "_native_avx2.abi3.so"
    broken.write_bytes(b"not a library")
    good = door.installed()
    monkeypatch.delitem(sys.modules, door.NAME, raising=False)
    monkeypatch.setattr(door, "installed", lambda: (("avx2", broken), *good))
    assert door.library().build() in ("portable", "avx2", "avx512")
    monkeypatch.delitem(sys.modules, door.NAME)
    monkeypatch.setattr(door, "installed", lambda: (("avx2", broken),))
    message = (
        "proof system sumcheck needs its native module, which is not built for this machine; "
        "install a wheel that holds it, or in a checkout get Rust from https://rustup.rs and "
        "run: make native"
    )
    with rejects(Reason.MISSING_NATIVE, message, kind=MissingPart):
        door.library()


def test_hashed_inputs_are_refused(sumcheck_system, mlp_request, tmp_path):
    message = (
        "proof system sumcheck shows its input; it cannot prove with hashed visibility, use "
        "public, or proof system ezkl"
    )
    request = replace(mlp_request, visibility=Visibility.HASHED, out=tmp_path / "none")
    with rejects(Reason.VISIBILITY_UNSUPPORTED, message, kind=ModelRejected):
        sumcheck_system.compile(request)
    assert list(tmp_path.iterdir()) == []


def test_an_srs_is_refused_where_none_is_used(sumcheck_system, mlp_request, tmp_path):
    message = (
        "proof system sumcheck has no trusted set-up and uses no SRS; leave it away, or name the "
        "proof system that it is for"
    )
    request = replace(mlp_request, srs=SrsSource(tmp_path / "srs", "00" * 32), out=tmp_path / "no")
    with rejects(Reason.SRS_UNUSED, message, kind=ModelRejected):
        sumcheck_system.compile(request)
    assert list(tmp_path.iterdir()) == []


def test_ezkl_has_one_profile(ezkl_system, mlp_request, tmp_path):
    request = replace(mlp_request, profile="conservative", out=tmp_path / "no")
    message = "there is no security profile conservative; known are: default"
    with rejects(Reason.PROFILE_UNKNOWN, message, kind=ModelRejected):
        ezkl_system.compile(request)


@pytest.mark.parametrize("name", ["fast", "small"])
def test_unknown_profiles_are_refused(sumcheck_system, mlp_request, tmp_path, name):
    message = f"there is no security profile {name}; known are: default, conservative, evm"
    request = replace(mlp_request, profile=name, out=tmp_path / "none")
    with rejects(Reason.PROFILE_UNKNOWN, message, kind=ModelRejected):
        sumcheck_system.compile(request)
    assert list(tmp_path.iterdir()) == []


def test_a_model_that_ends_in_a_class_or_in_a_sum_is_proven(mlp_request, tmp_path):
    passing = PassingOpenings()
    system = SumcheckSystem(openings=lambda _folder: passing)
    sums = helper.make_node("Gemm", ["x", "w"], ["g"])
    classes = helper.make_node("ArgMax", ["g"], ["y"], axis=1, keepdims=0)
    weights = np.random.default_rng(3).standard_normal((4, 3)).astype(np.float32)
    ends = {
        "class": ([sums, classes], ("y", TensorProto.INT64, [1])),
        # Nothing is looked up behind the weights.
        "sum": ([sums], ("g", TensorProto.FLOAT, [1, 3])),
    }
    for name, (nodes, output) in ends.items():
        inputs, constants = [("x", TensorProto.FLOAT, [1, 4])], [("w", weights)]
        path = save(tmp_path / f"{name}.onnx", nodes, inputs, [output], constants)
        out = tmp_path / name
        request = replace(mlp_request, model=path, out=out, max_error=1.0)
        system.compile(request)
        sample = {"x": np.array([[0.3, -1.2, 0.8, 0.1]], np.float32)}
        proof = prove(system, ProveRequest(out, sample, JOB, PROVIDER, SALT))
        if name == "class":
            (place,) = proof.outputs
            assert place.values[0] == np.argmax(sample["x"] @ weights)
    system.close()


def refused(graph, steps=()):
    """What is said of a graph that cannot be proven, of a model with these steps."""
    native = door.library()
    with pytest.raises(native.NativeError) as failed:
        native.security(encode_graph(graph), "default")
    return refusal(failed.value, graph, steps)


def test_a_graph_that_is_not_covered_is_refused_by_its_node():
    """No model of the corpus is: divisors are not as large as this one."""
    graph = g.Graph(
        inputs=(g.Input((1, 2), -9, 9),),
        weights=(g.Weight(2, 2),),
        constants=(),
        nodes=(
            g.Node(g.Linear(0, g.NONE), (0,), (1, 2), 1, 2**28 + 1),
            g.Node(g.Divide(1), (0, 1), (1, 2), -9, 9, step=5),
        ),
        outputs=(2,),
    )
    start = "proof system sumcheck cannot prove this model: "
    end = (
        "cannot be hidden: its products are too large for the field; change the model, or try "
        "proof system ezkl"
    )
    with rejects(
        Reason.MODEL_NOT_PROVABLE,
        f"{start}node 1 (Divide) of the integer graph {end}",
        kind=ModelRejected,
    ):
        raise refused(graph)
    steps = [Step("sum", "Gemm", (), (), index=4), Step("share", "Div", (), (), index=5)]
    with rejects(
        Reason.MODEL_NOT_PROVABLE,
        f"{start}node 'share' (Div) takes a Divide that {end}",
        kind=ModelRejected,
    ):
        raise refused(graph, steps)


def test_a_graph_with_too_many_lookups_is_refused_by_the_node_that_makes_most_of_it():
    """No model of the corpus is: the one with most needs 11,509."""
    graph = consumers(2**15 + 1)
    nodes = tuple(replace(node, step=int(number > 1)) for number, node in enumerate(graph.nodes))
    graph = replace(graph, nodes=nodes)
    steps = [Step("first", "Gemm", (), (), index=0), Step("all", "Scan", (), (), index=1)]
    message = (
        "proof system sumcheck cannot prove this model: 65538 lookups in 1 tables; "
        "1 to 65536 in 1 to 1024 are possible; 32768 of 32770 nodes of the integer graph are made "
        "for node 'all' (Scan); change the model, or try proof system ezkl"
    )
    with rejects(Reason.MODEL_NOT_PROVABLE, message, kind=ModelRejected):
        raise refused(graph, steps)


def test_the_conservative_profile_is_another_model_with_longer_proofs(
    sumcheck_system, sumcheck_compiled, mlp_request, tmp_path
):
    out = tmp_path / "compiled"
    sumcheck_system.compile(replace(mlp_request, profile="conservative", out=out))
    bundle = sumcheck_system.verifier(out)
    default = sumcheck_system.verifier(sumcheck_compiled)
    assert bundle.commitment != default.commitment
    assert bundle.parts.quantisation == default.parts.quantisation
    inputs = _inputs(mlp_request)
    proved = prove(sumcheck_system, ProveRequest(out, inputs, JOB, PROVIDER, SALT))
    verify_proof(proved.file, bundle, sumcheck_system)
    other = prove(sumcheck_system, ProveRequest(sumcheck_compiled, inputs, JOB, PROVIDER, SALT))
    assert len(proved.file) > len(other.file)
    assert proved.outputs == other.outputs


def test_a_model_for_contracts_whose_proofs_none_can_check_is_refused(sumcheck_system, tmp_path):
    """What follows from inputs alone a contract does not compute."""
    nodes = [
        helper.make_node("Relu", ["x"], ["a"]),
        helper.make_node("MatMul", ["a", "w"], ["y"]),
    ]
    shapes = [("x", TensorProto.FLOAT, [1, 4])], [("y", TensorProto.FLOAT, [1, 3])]
    path = save(tmp_path / "m.onnx", nodes, *shapes, [("w", np.eye(4, 3, dtype=np.float32))])
    samples = np.random.default_rng(1).normal(size=(64, 1, 4)).astype(np.float32)
    request = CompileRequest(path, {"x": samples}, tmp_path / "out", profile="evm")
    message = (
        "no contract can check proofs of this model, which the profile evm is for: a contract does "
        "not execute what follows from inputs; leave --profile away"
    )
    with rejects(Reason.PROFILE_NO_CONTRACT, message, kind=ModelRejected):
        sumcheck_system.compile(request)
    assert not (tmp_path / "out").exists()


def test_a_proof_ends_when_it_is_cancelled_or_out_of_time(
    sumcheck_system, sumcheck_compiled, mlp_request
):
    request = ProveRequest(sumcheck_compiled, _inputs(mlp_request), JOB, PROVIDER, SALT)
    with rejects(Reason.PROVER_CANCELLED, "the proof was cancelled", kind=Unavailable):
        prove(sumcheck_system, request, cancelled=lambda: True)
    message = "the prover did not finish within 0 seconds and was stopped"
    with rejects(Reason.PROVER_TIME_LIMIT, message, kind=Unavailable):
        prove(sumcheck_system, replace(request, time_limit_s=0))


class Counted:
    """A native key that counts its runs of the model."""

    def __init__(self, key):
        self.key, self.runs = key, 0

    def execute(self, inputs):
        self.runs += 1
        return self.key.execute(inputs)


def test_a_model_runs_once_for_an_answer_and_its_proof(sumcheck_compiled, mlp_request, monkeypatch):
    """The native proof begins behind the run: it has no other way to the tensors than the run."""
    system, checks = SumcheckSystem(openings=local_openings), []
    loaded = system._cache.get(sumcheck_compiled)
    counted = Counted(loaded.key)
    monkeypatch.setattr(system._cache, "get", lambda _folder: replace(loaded, key=counted))
    monkeypatch.setattr(system, "check", lambda *_: checks.append(1))
    phases = []
    execution = system.execute(sumcheck_compiled, _inputs(mlp_request), SALT)
    assert counted.runs == 1
    proof = execution.prove(
        execution.ran.statement(JOB, PROVIDER), progress=lambda stage, _: phases.append(stage)
    )
    assert counted.runs == 1
    assert "running the quantised model" not in phases
    assert checks == []
    monkeypatch.undo()
    verify_proof(proof.file, system.verifier(sumcheck_compiled), system)


def test_progress_names_the_phases(sumcheck_system, sumcheck_compiled, mlp_request):
    seen = []
    prove(
        sumcheck_system,
        ProveRequest(sumcheck_compiled, _inputs(mlp_request), JOB, PROVIDER, SALT),
        lambda stage, share: seen.append((stage, share)),
    )
    assert [stage for stage, _ in seen] == [
        "loading keys",
        "running the quantised model",
        "taking an opening of the key",
        "committing to what it computes",
        "looking its values up in their tables",
        "reducing its layers to its weights",
        "relating what is under the pads",
        "opening the weights",
        "verifying",
        "done",
    ]
    assert [share for _, share in seen] == sorted(share for _, share in seen)


def test_a_run_that_the_graph_cannot_finish_is_the_inputs_fault(sumcheck_compiled, mlp_request):
    from inferproof.errors import InputRejected
    from inferproof.proving.sumcheck.prove import run

    loaded = load(sumcheck_compiled, local_openings)
    message = (
        "the input drives the model out of the range it was calibrated for; calibrate with "
        "samples like it"
    )
    with rejects(Reason.INPUT_BEYOND_CIRCUIT, message, kind=InputRejected):
        run(loaded, [np.full(4, 2**28, np.int32)])


def test_evaluating_gives_what_proofs_show(sumcheck_system, sumcheck_compiled, mlp_request):
    samples = {"x": mlp_request.calibration["x"][:3]}
    shown = sumcheck_system.evaluate(sumcheck_compiled, samples)
    for number in range(3):
        proved = prove(
            sumcheck_system,
            ProveRequest(sumcheck_compiled, {"x": samples["x"][number]}, JOB, PROVIDER, SALT),
        )
        assert np.array_equal(proved.outputs[0].to_array(), shown["y"][number])


def _copied(folder: Path, out: Path) -> Path:
    return Path(shutil.copytree(folder, out))


def test_other_weights_are_refused(sumcheck_compiled, tmp_path):
    folder = _copied(sumcheck_compiled, tmp_path / "copy")
    data = bytearray((folder / WEIGHTS).read_bytes())
    data[0] ^= 1
    (folder / WEIGHTS).write_bytes(bytes(data))
    message = f"the file {WEIGHTS} of the compiled model does not have the digest it states"
    with rejects(Reason.ARTIFACT_DIGEST_MISMATCH, message, kind=ArtifactRejected):
        load(folder, local_openings)
    # With a header that fits them, the commitment in the verifying key still does not.
    header = (folder / HEADER).read_text()
    from inferproof.proving.artifact import open_artifact, write_header
    from inferproof.proving.files import sha256_file

    assert sha256_file(folder / WEIGHTS) not in header
    old = open_artifact(sumcheck_compiled, "sumcheck", "1")
    (folder / HEADER).unlink()
    write_header(folder, old.bundle, old.costs, old.details)
    message = (
        "the weights or private-key.json of the compiled model does not have the digest it states"
    )
    with rejects(Reason.ARTIFACT_DIGEST_MISMATCH, message, kind=ArtifactRejected):
        load(folder, local_openings)


def test_keys_stay_in_memory(sumcheck_compiled, tmp_path, monkeypatch):
    opened = []

    def counted(folder, openings):
        opened.append(folder.name)
        return load(folder, openings)

    monkeypatch.setattr(loading, "load", counted)
    a, b = (_copied(sumcheck_compiled, tmp_path / name) for name in "ab")
    cache = Cache(local_openings)
    assert cache.get(a) is cache.get(a)
    cache.get(b)
    cache.get(a)
    assert opened == ["a", "b"]
    assert cache.names() == [str(a), str(b)]
    cache.close()
    assert cache.names() == []


def test_a_model_that_was_compiled_again_is_loaded_anew(
    sumcheck_system, sumcheck_compiled, mlp_request, tmp_path
):
    folder = _copied(sumcheck_compiled, tmp_path / "copy")
    cache = Cache(local_openings)
    before = cache.get(folder)
    again = replace(mlp_request, out=folder, profile="conservative")
    sumcheck_system.compile(again)
    after = cache.get(folder)
    assert after.bundle.commitment != before.bundle.commitment


def test_threads_share_one_key(sumcheck_system, sumcheck_compiled, mlp_request):
    from concurrent.futures import ThreadPoolExecutor

    system = SumcheckSystem(openings=local_openings)
    samples = mlp_request.calibration["x"][:8]

    def proven(sample):
        return prove(system, ProveRequest(sumcheck_compiled, {"x": sample}, JOB, PROVIDER, SALT))

    with ThreadPoolExecutor(4) as threads:
        together = list(threads.map(proven, samples))
    bundle = system.verifier(sumcheck_compiled)
    for sample, proved in zip(samples, together, strict=True):
        verify_proof(proved.file, bundle, system)
        # Each proof has randomness of its own: the same job has another one.
        assert proved.file != proven(sample).file
    system.close()


def test_values_beyond_the_calibrated_range_are_counted(
    sumcheck_system, sumcheck_compiled, mlp_request
):
    bundle = sumcheck_system.verifier(sumcheck_compiled)
    (item,) = read_facts(bundle).settings.inputs
    x = _inputs(mlp_request)["x"].copy()
    assert out_of_range(sumcheck_system, bundle, {"x": x}) == 0
    x[0, 1], x[0, 3] = item.scale * (item.hi + 1), item.scale * (item.lo - 1)
    proved = prove(sumcheck_system, ProveRequest(sumcheck_compiled, {"x": x}, JOB, PROVIDER, SALT))
    assert proved.verified.out_of_range == 2
    worker = IsolatedWorker(LIMITS["sumcheck"])
    try:
        isolated = IsolatedChecker("sumcheck", worker)
        assert verify_proof(proved.file, bundle, isolated).out_of_range == 2
        assert security_of(isolated, bundle) == security_of(sumcheck_system, bundle)
        assert security_of(IsolatedChecker("ezkl", worker), bundle) is None
    finally:
        worker.close()
    # The ends of the range are still in it.
    x[0, 1], x[0, 3] = item.scale * item.hi, item.scale * item.lo
    assert out_of_range(sumcheck_system, bundle, {"x": x}) == 0

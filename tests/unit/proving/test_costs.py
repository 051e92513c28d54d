"""Measured costs: the file, the law through its points, and who goes by it."""

import json
from contextlib import AsyncExitStack
from dataclasses import replace

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from inferproof.app.provers import open_systems
from inferproof.app.stores import open_stores
from inferproof.cli import calibrate as command
from inferproof.errors import ArtifactRejected, MissingPart, Reason
from inferproof.protocol.documents import encode_document
from inferproof.proving import costs as room
from inferproof.proving.costs import (
    FILE,
    Costs,
    Machine,
    Point,
    Size,
    decode_costs,
    encode_costs,
    fit,
    read_costs,
)
from inferproof.proving.registry import get_system
from inferproof.proving.sumcheck import calibrate
from inferproof.proving.sumcheck.calibrate import SHAPES, graph_of, measure, size_of
from inferproof.settings import Settings
from inferproof.testing.rejections import rejects

APP = typer.Typer(pretty_exceptions_enable=False)
command.register(APP)
SIZES = (
    Size(1_072, 1_072, 211),
    Size(101_632, 101_632, 1_306),
    Size(32_768, 2_097_152, 73_728),
    Size(3_456, 1_990_656, 50_688),
    Size(262_144, 33_554_432, 327_680),
    Size(13_824, 14_155_776, 180_224),
    Size(1_048_576, 1_048_576, 5_120),
    Size(4_194_304, 4_194_304, 10_240),
)
"""Of the graphs of SHAPES."""
LAW = np.array([700.0, 0.015, 0.0005, 0.03])
MACHINE = Machine("A processor", 2, 2**34, "Linux x86_64", "avx2")


def lawful(law=LAW, sizes=SIZES):
    """Costs in one mode that follow a law in microseconds, verifying taking a half of proving."""
    times = [law @ [1, s.weights, s.products, s.steps] for s in sizes]
    pairs = zip(sizes, times, strict=True)
    points = [Point(s, round(t), round(t / 2)) for s, t in pairs]
    return Costs("sumcheck", "1", 1_700_000_000, MACHINE, tuple(points))


def test_the_law_of_the_points_is_found():
    costs = lawful()
    between = Size(500_000, 9_000_000, 40_000)
    expected = LAW @ [1, 500_000, 9_000_000, 40_000] / 1e6
    prove_s, verify_s = costs.seconds(between)
    assert prove_s == pytest.approx(expected, rel=1e-3)
    assert verify_s == pytest.approx(expected / 2, rel=1e-3)


def test_no_size_is_foreseen_below_nothing():
    # Points at which more weights cost less: unconstrained, a large model would take no time.
    sizes = [Size(10**n, 10**n, 10**3) for n in range(3, 7)]
    law = fit(sizes, [4000, 3000, 2000, 1000])
    assert (law >= 0).all()
    assert law[0] > 0


def test_one_point_is_enough():
    costs = lawful(sizes=SIZES[:1])
    assert costs.seconds(SIZES[0])[0] == pytest.approx(costs.points[0].prove_us / 1e6)


def test_the_file_has_one_form():
    costs = lawful()
    assert decode_costs(encode_costs(costs)) == costs


def test_a_file_of_before_is_to_be_measured_again(tmp_path):
    """Of the first format, whose points were of several modes."""
    document = json.loads(encode_costs(lawful()))
    path = tmp_path / FILE
    path.write_bytes(encode_document("inferproof/costs/1", document["body"]))
    message = (
        f"the measured costs in {path} are of inferproof/costs/1, this is inferproof/costs/2; "
        "measure again with: inferproof calibrate"
    )
    with rejects(Reason.COSTS_OTHER, message, kind=ArtifactRejected):
        read_costs(path, "sumcheck", "1")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"points": ()}, "field points of the inferproof/costs/2 is malformed"),
        (
            {"points": (Point(SIZES[0], 0, 1),)},
            "field prove_us of the inferproof/costs/2.points is malformed",
        ),
        (
            {"points": (Point(Size(0, 1, 1), 1, 1),)},
            "field weights of the inferproof/costs/2.points is malformed",
        ),
        (
            {"machine": replace(MACHINE, cores=0)},
            "field cores of the inferproof/costs/2.machine is malformed",
        ),
    ],
    ids=["no points", "no time", "no weights", "no cores"],
)
def test_what_nobody_measures_is_refused(change, message):
    with rejects(Reason.FIELD_MALFORMED, message, kind=ArtifactRejected):
        decode_costs(encode_costs(replace(lawful(), **change)))


def test_a_changed_file_is_refused(tmp_path):
    path = tmp_path / FILE
    path.write_bytes(encode_costs(lawful()).replace(b'"cores":2', b'"cores":3'))
    with pytest.raises(ArtifactRejected) as caught:
        read_costs(path, "sumcheck", "1")
    assert caught.value.reason is Reason.DOCUMENT_CHECKSUM


def test_costs_of_another_version_are_refused(tmp_path):
    path = tmp_path / FILE
    path.write_bytes(encode_costs(lawful()))
    assert read_costs(path, "sumcheck", "1") == lawful()
    message = (
        f"the measured costs in {path} are of sumcheck 1, this is sumcheck 2; "
        "measure again with: inferproof calibrate"
    )
    with rejects(Reason.COSTS_OTHER, message, kind=ArtifactRejected):
        read_costs(path, "sumcheck", "2")


def test_where_nothing_was_measured_there_are_none(tmp_path):
    assert read_costs(tmp_path / FILE, "sumcheck", "1") is None
    (tmp_path / FILE).mkdir()
    message = f"{tmp_path / FILE} cannot be read: is a directory"
    with rejects(Reason.FILE_UNREADABLE, message, kind=ArtifactRejected):
        read_costs(tmp_path / FILE, "sumcheck", "1")


@pytest.mark.native
@pytest.mark.parametrize("number", range(len(SHAPES)), ids=lambda number: SHAPES[number].name)
def test_the_graphs_that_are_measured_are_well_formed_and_of_their_sizes(number):
    assert size_of(graph_of(SHAPES[number])) == SIZES[number]


def test_the_sizes_tell_the_terms_apart():
    rows = np.array([[1, s.weights, s.products, s.steps] for s in SIZES], dtype=float)
    rows /= np.linalg.norm(rows, axis=0)
    assert np.linalg.cond(rows) < 100


@pytest.mark.native
def test_estimates_go_by_what_was_measured(sumcheck_compiled, tmp_path):
    path = tmp_path / FILE
    own = get_system("sumcheck").estimate(sumcheck_compiled)
    assert get_system("sumcheck", costs=path).estimate(sumcheck_compiled) == own
    costs = lawful(LAW * 1000)
    path.write_bytes(encode_costs(costs))
    told = get_system("sumcheck", costs=path).estimate(sumcheck_compiled)
    assert told.prove_s == pytest.approx(0.7, rel=0.1)
    assert told.verify_s == pytest.approx(0.35, rel=0.1)
    assert replace(told, prove_s=own.prove_s, verify_s=own.verify_s) == own


def test_ezkl_keeps_its_own_record(ezkl_compiled, tmp_path):
    (tmp_path / FILE).write_bytes(encode_costs(lawful(LAW * 1000)))
    told = get_system("ezkl", costs=tmp_path / FILE).estimate(ezkl_compiled)
    assert told == get_system("ezkl").estimate(ezkl_compiled)


async def test_a_gateway_reads_them_from_its_data_folder(tmp_path):
    async with AsyncExitStack() as stack:
        settings = Settings.load(data_dir=tmp_path)
        stores = await stack.enter_async_context(open_stores(settings))
        systems = open_systems(settings, stores, stack, {})
        assert systems("sumcheck")._costs == tmp_path / FILE


@pytest.mark.native
def test_measuring_takes_the_medians_of_real_proofs():
    stages = []
    costs = measure(lambda stage, share: stages.append((stage, share)), SHAPES[:2], proofs=2)
    assert [point.size for point in costs.points] == list(SIZES[:2])
    assert all(point.prove_us > 0 and point.verify_us > 0 for point in costs.points)
    shapes = ("dense 16-32-16-3", "dense 784-128-10")
    told = [f"proving {shape}" for shape in shapes]
    assert [stage for stage, _ in stages] == [*told, "done"]
    assert [share for _, share in stages] == [n / len(told) for n in range(len(told) + 1)]
    assert costs.machine == room.this_machine(costs.machine.build)


def run(*arguments):
    result = CliRunner().invoke(APP, [str(a) for a in arguments])
    return result.exit_code, result.stdout


@pytest.mark.native
def test_the_command_keeps_what_it_measured(
    tmp_path, sumcheck_system, sumcheck_compiled, monkeypatch
):
    costs = lawful()
    monkeypatch.setattr(command, "measure", lambda *_args, **_kwargs: costs)
    commitment = sumcheck_system.verifier(sumcheck_compiled).commitment
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / commitment.raw.hex()).symlink_to(sumcheck_compiled)
    code, text = run("--data-dir", tmp_path, "--json")
    told = json.loads(text)
    assert code == 0
    assert decode_costs((tmp_path / FILE).read_bytes()) == costs
    assert told["file"] == str(tmp_path / FILE)
    assert len(told["points"]) == len(SHAPES)
    assert [model["model_commitment"] for model in told["models"]] == [commitment.hex]
    assert told["models"][0]["prove_s"] == pytest.approx(0.0007, rel=0.1)
    code, text = run("--data-dir", tmp_path)
    assert code == 0
    assert "A processor, 2 cores, 16 GiB, build avx2" in text
    assert commitment.hex[:18] in text


def test_a_folder_that_cannot_be_written_is_found_before_measuring(tmp_path, monkeypatch):
    monkeypatch.setattr(command, "measure", None)
    (tmp_path / FILE).write_bytes(b"")
    (tmp_path / "file").write_bytes(b"")
    code, text = run("--data-dir", tmp_path / "file", "--json")
    assert (code, json.loads(text)["reason"]) == (1, "SYSTEM_REFUSED")


def test_without_the_native_module_nothing_is_measured(tmp_path, monkeypatch):
    def missing():
        raise MissingPart(Reason.MISSING_NATIVE)

    monkeypatch.setattr(calibrate, "library", missing)
    code, text = run("--data-dir", tmp_path, "--json")
    assert (code, json.loads(text)["reason"]) == (1, "MISSING_NATIVE")
    assert list(tmp_path.iterdir()) == []

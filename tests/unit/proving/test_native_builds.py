"""The builds of the native module for different processors run graphs alike, and each verifies what
the others prove."""

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from inferproof.proving.sumcheck import cpu
from inferproof.proving.sumcheck import library as door

PROVE = """
import hashlib, sys
from pathlib import Path
import numpy as np
from inferproof.proving.sumcheck import library as door
door.installed = lambda: ((sys.argv[1], Path(sys.argv[2])),)
native = door.library()
from inferproof.proving.sumcheck import graph as g
from inferproof.proving.sumcheck.graph_bytes import encode_graph
graph = g.Graph(
    (g.Input((3, 70), -500, 500),),
    (g.Weight(40, 70), g.Weight(9, 40)),
    (g.Constant(np.array([3])),),
    (
        g.Node(g.Linear(0), (0,), (3, 40), -(2**28), 2**28),
        g.Node(g.Rescale(0, 0, 12), (1,), (3, 40), -30000, 30000),
        g.Node(g.Linear(1), (2,), (3, 9), -(2**28), 2**28),
    ),
    (3,),
)
rng = np.random.default_rng(0)
weights = rng.integers(-128, 128, 40 * 70 + 9 * 40).astype(np.int8)
x = rng.integers(-500, 501, 210).astype(np.int32)
state = hashlib.sha256()
folder = Path(sys.argv[3])
for profile in ("default", "conservative"):
    key, secret, own = native.commit_private(
        encode_graph(graph), weights, np.zeros(0, np.int32), profile
    )
    run = own.execute([x])
    outputs, epoch = run.outputs(), own.begin(0)
    epoch = epoch if epoch.proves() else epoch.begin(0)
    proof, ranges = epoch.prove(run, bytes(32), 0), own.prove_ranges(0, 1)
    np.savez(folder / f"{native.build()}-{profile}.npz",
             key=np.frombuffer(key, "u1"), ranges=np.frombuffer(ranges, "u1"),
             proof=np.frombuffer(proof, "u1"), secret=np.frombuffer(secret, "u1"))
    state.update(outputs[0].tobytes())
for made in folder.glob("*.npz"):
    held = {name: part.tobytes() for name, part in np.load(made).items()}
    native.VerifyingKey(held["key"], held["ranges"]).verify([x], outputs, bytes(32), held["proof"])
    # The commitment under the key is made again from its secret.
    native.PrivateKey(held["key"], weights, np.zeros(0, np.int32), held["secret"])
print(native.build(), state.hexdigest())
"""


def _run(variant: str, path: Path, folder: Path) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", PROVE, variant, str(path), str(folder)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.native
def test_every_build_that_is_here_runs_alike_and_verifies_what_the_others_prove(tmp_path):
    found = {variant: _run(variant, path, tmp_path) for variant, path in door.installed()}
    # Once more, now that the others have proven.
    for variant, path in door.installed():
        assert _run(variant, path, tmp_path) == found[variant]
    assert found
    assert {variant: told[0] for variant, told in found.items()} == {v: v for v in found}
    assert len({told[1] for told in found.values()}) == 1
    assert all(len(told[1]) == 2 * hashlib.sha256().digest_size for told in found.values())


@pytest.mark.parametrize(
    ("machine", "flags", "usable"),
    [
        ("aarch64", cpu.AVX512, ("portable",)),
        ("x86_64", frozenset(), ("portable",)),
        ("x86_64", cpu.AVX2, ("avx2", "portable")),
        ("x86_64", cpu.AVX512, ("avx512", "avx2", "portable")),
        ("x86_64", cpu.AVX512 - {"avx512_vnni"}, ("avx2", "portable")),
        ("AMD64", cpu.AVX2 - {"fma"}, ("portable",)),
    ],
)
def test_builds_are_chosen_by_what_the_processor_tells(monkeypatch, machine, flags, usable):
    monkeypatch.setattr(cpu.platform, "machine", lambda: machine)
    monkeypatch.setattr(cpu, "_flags", lambda: flags)
    assert cpu.usable() == usable


def test_a_processor_that_tells_nothing_runs_the_portable_build(monkeypatch):
    def unreadable(*_, **__):
        raise PermissionError

    monkeypatch.setattr(cpu.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(cpu.Path, "read_text", unreadable)
    assert cpu.usable() == ("portable",)

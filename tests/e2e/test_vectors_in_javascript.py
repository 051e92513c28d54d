"""The shared vectors, recomputed by viem in Node."""

import json
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = Path(__file__).parent / "js" / "vectors.mjs"


def run(vectors: Path) -> subprocess.CompletedProcess[str]:
    node = shutil.which("node")
    assert node is not None, "Node.js is needed; scripts/bootstrap.sh js says how to get it"
    return subprocess.run(
        [node, str(SCRIPT), str(vectors)], capture_output=True, text=True, timeout=120, check=False
    )


def test_viem_computes_the_same_digests_and_signers() -> None:
    done = run(ROOT / "vectors")
    assert done.returncode == 0, done.stderr
    counted = json.loads(done.stdout)
    assert counted["digests"] >= 4
    assert counted["signatures"] >= 2


def test_a_changed_vector_is_noticed(tmp_path: Path) -> None:
    for path in (ROOT / "vectors").glob("*.json"):
        shutil.copy(path, tmp_path)
    path = tmp_path / "statement.json"
    path.write_text(path.read_text("utf-8").replace('"version": 1\n   }', '"version": 2\n   }'))
    done = run(tmp_path)
    assert done.returncode == 1
    assert "the vector says" in done.stderr

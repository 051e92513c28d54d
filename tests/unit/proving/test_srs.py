"""Structured reference strings: cached, pinned, cut."""

import hashlib
import subprocess
import sys
import textwrap

import pytest

from inferproof.errors import ArtifactRejected, Reason
from inferproof.proving.base import SrsSource
from inferproof.proving.srs import ceremony_srs, cut_srs, development_srs, srs_size
from inferproof.testing.rejections import rejects


def fake(k: int, seed: int = 0) -> bytes:
    body = bytes((i * 7 + seed) % 251 for i in range(srs_size(k) - 4))
    return k.to_bytes(4, "little") + body


def source(path, data=None):
    return SrsSource(
        path, hashlib.sha256(data if data is not None else path.read_bytes()).hexdigest()
    )


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("INFERPROOF_HOME", str(tmp_path))
    return tmp_path


def test_a_development_srs_is_made_once(home):
    made = []

    def generate(path):
        made.append(path)
        path.write_bytes(fake(6))

    first = development_srs(6, generate)
    assert first == home / "srs" / "dev-k6.srs"
    assert development_srs(6, generate) == first
    assert len(made) == 1


def test_two_processes_make_one_development_srs(home):
    script = textwrap.dedent(
        """
        import sys, time
        from inferproof.proving.srs import development_srs

        def generate(path):
            time.sleep(0.3)
            path.write_bytes(sys.argv[1].encode() * 9)
            print("made", flush=True)

        print(development_srs(6, generate).read_text()[0], flush=True)
        """
    )
    both = [
        subprocess.Popen([sys.executable, "-c", script, name], stdout=subprocess.PIPE, text=True)
        for name in ("a", "b")
    ]
    said = [process.communicate(timeout=120)[0].split() for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sorted(len(words) for words in said) == [1, 2]  # one of them made it
    assert said[0][-1] == said[1][-1] == (home / "srs" / "dev-k6.srs").read_text()[0]


def test_a_damaged_development_srs_is_made_anew(home):
    path = development_srs(6, lambda p: p.write_bytes(fake(6)))
    path.write_bytes(fake(6, seed=1))
    again = development_srs(6, lambda p: p.write_bytes(fake(6, seed=2)))
    assert again.read_bytes() == fake(6, seed=2)


def test_cutting_keeps_what_a_verifier_needs():
    whole = fake(6)
    cut = cut_srs(whole)
    assert len(cut) == srs_size(1) == 516
    assert cut[:4] == b"\x01\x00\x00\x00"
    assert cut[4:132] == whole[4:132]
    assert cut[-256:] == whole[-256:]


def test_a_ceremony_file_is_taken_when_digest_and_size_fit(tmp_path):
    path = tmp_path / "k6.srs"
    path.write_bytes(fake(6))
    assert ceremony_srs(source(path), 6) == path


def test_a_ceremony_file_with_another_digest_is_refused(tmp_path):
    path = tmp_path / "k6.srs"
    path.write_bytes(fake(6))
    got, expected = hashlib.sha256(fake(6)).hexdigest(), "00" * 32
    with rejects(
        Reason.SRS_DIGEST,
        f"the SRS file has the SHA-256 {got}, expected {expected}",
        kind=ArtifactRejected,
    ):
        ceremony_srs(SrsSource(path, expected), 6)


def test_a_ceremony_file_of_another_size_is_refused(tmp_path):
    path = tmp_path / "k7.srs"
    path.write_bytes(fake(7))
    message = "the SRS file is for 2^7 rows; this circuit takes one for exactly 2^6"
    with rejects(Reason.SRS_WRONG_SIZE, message):
        ceremony_srs(source(path), 6)
    path.write_bytes(fake(7)[:-1])
    with rejects(
        Reason.SRS_WRONG_SIZE,
        "the SRS file is for 2^? rows; this circuit takes one for exactly 2^7",
    ):
        ceremony_srs(source(path), 7)


def test_a_missing_ceremony_file_is_refused(tmp_path):
    path = tmp_path / "none.srs"
    message = f"the SRS file {path} cannot be read: no such file or directory"
    with rejects(Reason.SRS_UNREADABLE, message):
        ceremony_srs(source(path, b""), 6)

"""Files that a user names: read within a limit, written whole or not at all."""

import os
import resource
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from inferproof.cli.files import check_writable, read_file, read_key, write_file
from inferproof.errors import Misconfigured, Reason, RequestRejected
from inferproof.testing.rejections import rejects


def test_a_file_is_read_up_to_its_limit(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"1234")
    assert read_file(tmp_path / "f", 4) == b"1234"
    with rejects(
        Reason.FILE_TOO_LARGE, f"{tmp_path}/f is larger than 3 bytes", kind=RequestRejected
    ):
        read_file(tmp_path / "f", 3)


def test_a_device_without_end_is_too_large() -> None:
    with rejects(Reason.FILE_TOO_LARGE, "/dev/zero is larger than 100 bytes"):
        read_file(Path("/dev/zero"), 100)


def test_a_folder_and_a_missing_file_cannot_be_read(tmp_path: Path) -> None:
    with rejects(Reason.FILE_UNREADABLE, f"{tmp_path} cannot be read: is a directory"):
        read_file(tmp_path, 10)
    with rejects(
        Reason.FILE_UNREADABLE, f"{tmp_path}/none cannot be read: no such file or directory"
    ):
        read_file(tmp_path / "none", 10)


def test_a_file_is_written_and_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "f"
    write_file(path, b"one")
    assert path.read_bytes() == b"one"
    path.chmod(0o640)
    write_file(path, b"two")
    assert path.read_bytes() == b"two"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    write_file(path, b"secret", owner_only=True)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [p.name for p in tmp_path.iterdir()] == ["f"]


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"old")
    (tmp_path / "link").symlink_to("real")
    write_file(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"new"


def test_a_device_is_written_to_and_stays(tmp_path: Path) -> None:
    write_file(Path(os.devnull), b"x")
    assert Path(os.devnull).is_char_device()
    check_writable(Path(os.devnull))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_device_is_told(tmp_path: Path) -> None:
    with rejects(Reason.FILE_NOT_WRITTEN, "/dev/full cannot be written: no space left on device"):
        write_file(Path("/dev/full"), b"x" * 10)


@pytest.mark.parametrize("do", [check_writable, lambda path: write_file(path, b"x")])
def test_where_nothing_can_be_written(tmp_path: Path, do: object) -> None:
    assert callable(do)
    with rejects(
        Reason.FILE_NOT_WRITTEN,
        f"{tmp_path}/no/f cannot be written: no such file or directory",
        kind=RequestRejected,
    ):
        do(tmp_path / "no" / "f")
    with rejects(Reason.FILE_NOT_WRITTEN, f"{tmp_path} cannot be written: is a directory"):
        do(tmp_path)
    (tmp_path / "f").touch()
    with rejects(Reason.FILE_NOT_WRITTEN, f"{tmp_path}/f/g cannot be written: not a directory"):
        do(tmp_path / "f" / "g")


def test_asking_leaves_nothing_behind(tmp_path: Path) -> None:
    check_writable(tmp_path / "new")
    (tmp_path / "old").write_bytes(b"kept")
    check_writable(tmp_path / "old")
    assert [p.name for p in tmp_path.iterdir()] == ["old"]
    assert (tmp_path / "old").read_bytes() == b"kept"


def test_a_disk_that_fills_leaves_the_old_file_and_no_half_of_a_new_one(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"old")
    script = (
        "import resource, signal, sys\n"
        "from pathlib import Path\n"
        "from inferproof.cli.files import write_file\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, (1000, {resource.RLIM_INFINITY}))\n"
        "write_file(Path(sys.argv[1]), bytes(5000))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "f")], capture_output=True, text=True
    )
    assert f"{tmp_path}/f cannot be written: file too large" in done.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["f"]
    assert (tmp_path / "f").read_bytes() == b"old"


def test_a_key_file_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("11" * 32 + "\n")
    path.chmod(0o600)
    assert read_key(path).secret() == bytes.fromhex("11" * 32)
    for mode in (0o640, 0o604, 0o620):
        path.chmod(mode)
        with rejects(
            Reason.KEY_FILE_OPEN,
            f"others can read the key file {path}; run: chmod 600 {path}",
            kind=Misconfigured,
        ):
            read_key(path)


@pytest.mark.parametrize("content", [b"", b"\xff" * 64, b"00" * 32, b"11" * 31, b"zz" * 32])
def test_what_is_no_key(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "key"
    path.touch(0o600)
    path.write_bytes(content)
    with rejects(
        Reason.KEY_MALFORMED,
        "the private key is not 64 hex digits of a valid secp256k1 key",
    ):
        read_key(path)

"""Arrays from files of strangers: numbers within a limit, or one typed rejection."""

import io
import random
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from inferproof.errors import InferproofError, InputRejected, Reason
from inferproof.models import arrays
from inferproof.models.arrays import read_arrays, stacked, stacked_shapes
from inferproof.testing.rejections import rejects


def npy(array: np.ndarray, *, allow_pickle: bool = False) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=allow_pickle)
    return file.getvalue()


def header(descr: str, shape: str) -> bytes:
    text = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


def archive(path: Path, members: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", method) as file:
        for name, data in members.items():
            file.writestr(name, data)
    return path


def test_arrays_are_read_as_they_were_written(tmp_path: Path) -> None:
    given = {"x": np.arange(6.0).reshape(2, 3), "b": np.array([True]), "i": np.array(3)}
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "a.npz", **given)
        read = read_arrays(tmp_path / "a.npz")
        assert set(read) == set(given)
        for name, array in given.items():
            np.testing.assert_array_equal(read[name], array)
            assert read[name].dtype == array.dtype


BAD = {
    "folder/x": ({"x": npy(np.zeros(2))}, "x in it is not an array"),
    "pickle": (
        {"x.npy": npy(np.array([{}], dtype=object), allow_pickle=True)},
        "x.npy holds Python objects, which are never loaded",
    ),
    "bytes": ({"x.npy": npy(np.array([b"a"]))}, "x.npy holds |S1, not numbers or texts"),
    "complex": ({"x.npy": npy(np.array([1j]))}, "x.npy holds complex128, not numbers or texts"),
    "record": (
        {"x.npy": npy(np.zeros(1, dtype=[("a", "f4")]))},
        "x.npy holds [('a', '<f4')], not numbers or texts",
    ),
    "promise": (
        {"x.npy": header("<f8", "(1000000000000,)")},
        "x.npy promises more numbers than it holds",
    ),
    "overflow": (
        {"x.npy": header("<f8", "(4294967296, 4294967296)")},
        "x.npy promises more numbers than it holds",
    ),
    "negative": ({"x.npy": header("<f8", "(-1, 2)") + bytes(16)}, "a size is negative"),
    "version": (
        {"x.npy": b"\x93NUMPY\x03\x00" + bytes(20)},
        "arrays of version (3, 0) are not known",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_array_of_numbers(name: str, tmp_path: Path) -> None:
    members, why = BAD[name]
    path = archive(tmp_path / "bad.npz", members)
    with rejects(
        Reason.NPZ_MALFORMED,
        f"{path} is not a readable .npz file of number arrays: {why}",
        kind=InputRejected,
    ):
        read_arrays(path)


def test_two_arrays_of_one_name(tmp_path: Path) -> None:
    path = tmp_path / "twice.npz"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("x.npy", npy(np.zeros(1)))
        with pytest.warns(UserWarning, match="Duplicate name"):
            file.writestr("x.npy", npy(np.ones(1)))
    with rejects(
        Reason.NPZ_MALFORMED,
        f"{path} is not a readable .npz file of number arrays: it holds two arrays of one name",
    ):
        read_arrays(path)


def test_unusual_compression(tmp_path: Path) -> None:
    path = archive(tmp_path / "x.npz", {"x.npy": npy(np.zeros(9))}, zipfile.ZIP_BZIP2)
    with rejects(
        Reason.NPZ_MALFORMED,
        f"{path} is not a readable .npz file of number arrays: "
        "x.npy in it is encrypted, or compressed in an unusual way",
    ):
        read_arrays(path)


def test_devices_and_folders_are_no_files(tmp_path: Path) -> None:
    for path in (Path("/dev/zero"), tmp_path):
        with rejects(
            Reason.NPZ_MALFORMED,
            f"{path} is not a readable .npz file of number arrays: it is not a regular file",
        ):
            read_arrays(path)


def test_a_bomb_is_refused_unopened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrays, "MAX_ARRAY_BYTES", 1000)
    path = archive(tmp_path / "x.npz", {"x.npy": npy(np.zeros(1000))}, zipfile.ZIP_DEFLATED)
    with rejects(
        Reason.NPZ_MALFORMED,
        f"{path} is not a readable .npz file of number arrays: "
        "it unpacks to 8128 bytes, the limit is 1000",
    ):
        read_arrays(path)


def test_damaged_files_are_read_or_rejected_and_nothing_else(tmp_path: Path) -> None:
    path, rng = tmp_path / "x.npz", random.Random(7)  # noqa: S311 - it guards nothing
    np.savez_compressed(path, x=np.arange(40.0), y=np.arange(4))
    whole = path.read_bytes()
    refused: Counter[Reason] = Counter()
    for _ in range(1500):
        data = bytearray(whole)
        for _ in range(rng.choice([1, 2, 5])):
            data[rng.randrange(len(data))] = rng.randrange(256)
        path.write_bytes(bytes(data[: rng.choice([len(data), rng.randrange(len(data))])]))
        try:
            read_arrays(path)
        except InferproofError as error:
            refused[error.reason] += 1
    assert set(refused) == {Reason.NPZ_MALFORMED}
    assert refused[Reason.NPZ_MALFORMED] > 1000


@pytest.mark.parametrize(
    ("got", "shape", "expected"),
    [
        ((6, 4), (1, 4), (6, 1, 4)),
        ((6,), (1,), (6, 1)),
        ((6, 1, 4), (1, 4), (6, 1, 4)),
        ((6, 4), (2, 4), (6, 4)),
        ((6, 3), (1, 4), (6, 3)),
        ((6, 1, 4), (1, 1, 4), (6, 1, 1, 4)),
        ((6,), (), (6,)),
        ((), (1,), ()),
    ],
)
def test_samples_may_lack_the_batch_axis(got, shape, expected):
    array = np.arange(np.prod(got)).reshape(got)
    made = stacked(array, shape)
    assert made.shape == expected
    assert made.reshape(-1).tolist() == array.reshape(-1).tolist()


def test_shapes_in_which_samples_may_be_stacked():
    assert stacked_shapes((1, 4)) == "[samples, 1, 4] or [samples, 4]"
    assert stacked_shapes((1,), 6) == "[6, 1] or [6]"
    assert stacked_shapes((2, 4)) == "[samples, 2, 4]"
    assert stacked_shapes(()) == "[samples]"

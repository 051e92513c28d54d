"""A compiled model on disk: a folder with a header that pins every file in it.

    artifact.json   header: kind, system, version, commitment, SHA-256 and size of each file
    verifier.json   the verifier bundle: all that a verifier needs, and the parts of the commitment
    …               the proof system's own files: keys, SRS, circuit

The header is written last and the folder is renamed into place, so a folder is whole or absent.
"""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from inferproof.errors import ArtifactRejected, InferproofError, Reason
from inferproof.protocol.documents import decode_document, encode_document
from inferproof.protocol.encoding import Json
from inferproof.protocol.fields import Fields
from inferproof.protocol.verifier_bundle import VerifierBundle, decode_bundle, encode_bundle
from inferproof.proving.base import Estimate
from inferproof.proving.files import sha256_file
from inferproof.types.digest import Digest

FORMAT = "inferproof/compiled-model/1"
HEADER = "artifact.json"
BUNDLE = "verifier.json"
MAX_HEADER_BYTES = 4 * 2**20
_COSTS = ("prove_us", "verify_us", "peak_bytes", "key_bytes", "proof_bytes", "verify_gas")


@dataclass(frozen=True, slots=True)
class Artifact:
    """A compiled model whose header and bundle were checked; other files are checked on use.

    `details` are the system's own facts (quantisation, SRS, calibration, accuracy), not checked.
    """

    folder: Path
    commitment: Digest
    bundle: VerifierBundle
    files: dict[str, str]
    costs: dict[str, int]
    details: dict[str, Json]

    @property
    def estimate(self) -> Estimate:
        """What one proof costs, as compiling measured it."""
        return Estimate(
            prove_s=self.costs["prove_us"] / 1e6,
            verify_s=self.costs["verify_us"] / 1e6,
            peak_bytes=self.costs["peak_bytes"],
            key_bytes=self.costs["key_bytes"],
            proof_bytes=self.costs["proof_bytes"],
            verify_gas=self.costs["verify_gas"],
        )

    def file(self, name: str) -> Path:
        """The path of a file, once its content has the pinned SHA-256.

        Raises: ArtifactRejected ARTIFACT_FILE, ARTIFACT_DIGEST_MISMATCH.
        """
        path = self.folder / name
        try:
            digest = sha256_file(path)
        except OSError:
            raise ArtifactRejected(Reason.ARTIFACT_FILE, file=name) from None
        if self.files.get(name) != digest:
            raise ArtifactRejected(Reason.ARTIFACT_DIGEST_MISMATCH, part=f"file {name}")
        return path


@contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """A fresh folder beside `out` that takes its name when the block ends well.

    An earlier compiled model, or an empty folder, of that name is replaced.
    Raises: ArtifactRejected ARTIFACT_EXISTS, ARTIFACT_NOT_WRITTEN.
    """
    if out.exists() and not _replaceable(out):
        raise ArtifactRejected(Reason.ARTIFACT_EXISTS, path=out)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    except OSError as error:
        raise _not_written(out, error) from None
    try:
        yield fresh
        _move_into_place(fresh, out)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _move_into_place(fresh: Path, out: Path) -> None:
    fresh.chmod(0o755)
    old = fresh.with_name(fresh.name + ".old")
    try:
        if out.exists():
            out.rename(old)
        fresh.rename(out)
    except OSError as error:
        with contextlib.suppress(OSError):
            old.rename(out)
        raise _not_written(out, error) from None
    shutil.rmtree(old, ignore_errors=True)


def _not_written(out: Path, error: OSError) -> ArtifactRejected:
    why = (error.strerror or type(error).__name__).lower()
    return ArtifactRejected(Reason.ARTIFACT_NOT_WRITTEN, path=out, why=why)


def _replaceable(out: Path) -> bool:
    if not out.is_dir() or out.is_symlink():
        return False
    if not any(out.iterdir()):
        return True
    try:
        # External provers write a bundle but need not write a header.
        decode_bundle((out / BUNDLE).read_bytes())
    except (InferproofError, OSError):
        return False
    return True


def write_header(
    folder: Path,
    bundle: VerifierBundle,
    costs: dict[str, int],
    details: dict[str, Json],
) -> None:
    """Writes bundle and header into a folder that holds all other files already."""
    _write(folder / BUNDLE, encode_bundle(bundle))
    files: dict[str, Json] = {
        path.name: {"sha256": sha256_file(path), "size": path.stat().st_size}
        for path in sorted(folder.iterdir())
    }
    body: dict[str, Json] = {
        "kind": "compiled-model",
        "system": bundle.parts.proof_system,
        "version": bundle.parts.proof_system_version,
        "commitment": bundle.commitment.hex,
        "files": files,
        "costs": {name: costs[name] for name in _COSTS},
        "details": details,
    }
    _write(folder / HEADER, encode_document(FORMAT, body))


def _write(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def open_artifact(folder: Path, system: str, version: str) -> Artifact:
    """The compiled model in a folder, header and verifier bundle checked against each other.

    Raises: ArtifactRejected ARTIFACT_NOT_FOUND, ARTIFACT_OTHER_SYSTEM, ARTIFACT_OTHER_VERSION,
    ARTIFACT_FILE, ARTIFACT_DIGEST_MISMATCH, ARTIFACT_PARTS or a decoding reason.
    """
    header = _read_header(folder)
    if header.system != system:
        raise ArtifactRejected(Reason.ARTIFACT_OTHER_SYSTEM, got=header.system, expected=system)
    if header.version != version:
        raise ArtifactRejected(
            Reason.ARTIFACT_OTHER_VERSION, system=system, got=header.version, expected=version
        )
    try:
        data = (folder / BUNDLE).read_bytes()
    except OSError:
        raise ArtifactRejected(Reason.ARTIFACT_FILE, file=BUNDLE) from None
    bundle = decode_bundle(data)
    artifact = Artifact(
        folder, header.commitment, bundle, header.files, header.costs, header.details
    )
    artifact.file(BUNDLE)
    if (bundle.commitment, bundle.parts.proof_system, bundle.parts.proof_system_version) != (
        header.commitment,
        system,
        version,
    ):
        raise ArtifactRejected(Reason.ARTIFACT_PARTS)
    return artifact


def artifact_system(folder: Path) -> str:
    """The name of the proof system that a folder was compiled for.

    Raises: ArtifactRejected ARTIFACT_NOT_FOUND or a decoding reason.
    """
    return _read_header(folder).system


@dataclass(frozen=True, slots=True)
class _Header:
    system: str
    version: str
    commitment: Digest
    files: dict[str, str]
    costs: dict[str, int]
    details: dict[str, Json]


def _read_header(folder: Path) -> _Header:
    try:
        data = (folder / HEADER).read_bytes()
    except OSError:
        raise ArtifactRejected(Reason.ARTIFACT_NOT_FOUND, path=folder) from None
    return decode_document(data, FORMAT, _header, max_bytes=MAX_HEADER_BYTES, kind=ArtifactRejected)


def _header(fields: Fields) -> _Header:
    kind = fields.text("kind", most=64)
    if kind != "compiled-model":
        raise fields.malformed("kind")
    files = fields.take("files", dict)
    costs = fields.child(fields.take("costs", dict), "costs")
    header = _Header(
        system=fields.text("system", most=64),
        version=fields.text("version", most=64),
        commitment=fields.digest("commitment"),
        files={name: _file_digest(fields.child(item, "files")) for name, item in files.items()},
        costs={name: costs.integer(name) for name in _COSTS},
        details=fields.take("details", dict),
    )
    costs.end()
    fields.end()
    return header


def _file_digest(fields: Fields) -> str:
    digest = fields.text("sha256", most=64)
    fields.integer("size")
    fields.end()
    return digest

"""What opens the commitment of a key: a file beside the weights.

    private-key.json   secret of the commitment that is opened now, the links that tie it to the
                       verifying key, and the name and number under which its openings are counted

Only its owner may read it, and no verifier is ever given it. The header does not pin it, since
rotation replaces it; whether it fits key and weights is seen when it is loaded.
"""

import os
from dataclasses import dataclass, field
from pathlib import Path

from inferproof.errors import ArtifactRejected, Reason
from inferproof.protocol.documents import decode_document, encode_document
from inferproof.protocol.encoding import Json
from inferproof.protocol.fields import Fields, to_base64
from inferproof.protocol.opening import MAX_LINK_BYTES
from inferproof.protocol.opening_budget import MAX_SLOTS
from inferproof.types.digest import Digest

FORMAT = "inferproof/private-key/1"
PRIVATE_KEY = "private-key.json"
MAX_BYTES = 16 * 2**20
_OWNER_ONLY = 0o600


@dataclass(frozen=True, slots=True)
class KeptKey:
    """The commitment that is opened now: `name` is what its openings are counted under, and
    `openings` how many it serves, with the one that is left for rotation."""

    name: Digest
    openings: int
    secret: bytes = field(repr=False)
    links: bytes = field(repr=False, default=b"")


def encode_key(kept: KeptKey) -> bytes:
    """The bytes of the file."""
    body: dict[str, Json] = {
        "name": kept.name.hex,
        "openings": kept.openings,
        "secret": Digest(kept.secret).hex,
        "links": to_base64(kept.links),
    }
    return encode_document(FORMAT, body)


def read_key(folder: Path) -> KeptKey:
    """What lies in a compiled model's folder.

    Raises: ArtifactRejected PRIVATE_KEY_MISSING or a decoding reason.
    """
    return decode_document(
        key_bytes(folder), FORMAT, _key, max_bytes=MAX_BYTES, kind=ArtifactRejected
    )


def has_key(folder: Path) -> bool:
    """Whether the compiled model has such a file, as those of sumcheck do."""
    return (folder / PRIVATE_KEY).exists()


def key_bytes(folder: Path) -> bytes:
    """The file as it is. Raises: ArtifactRejected PRIVATE_KEY_MISSING."""
    try:
        with (folder / PRIVATE_KEY).open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError:
        raise ArtifactRejected(Reason.PRIVATE_KEY_MISSING, path=folder) from None


def write_key(folder: Path, kept: KeptKey) -> None:
    """Writes the file into a folder that has none yet."""
    path = folder / PRIVATE_KEY
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY)
    with os.fdopen(descriptor, "wb") as file:
        file.write(encode_key(kept))
        file.flush()
        os.fsync(file.fileno())


def _key(fields: Fields) -> KeptKey:
    kept = KeptKey(
        name=fields.digest("name"),
        openings=fields.integer("openings", least=2, most=MAX_SLOTS),
        secret=fields.digest("secret").raw,
        links=fields.base64("links", most=MAX_LINK_BYTES),
    )
    fields.end()
    return kept

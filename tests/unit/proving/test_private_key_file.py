"""The file that opens a private key: whatever rotation may write is read again."""

from pathlib import Path

import pytest

from inferproof.errors import ArtifactRejected, Reason
from inferproof.proving.sumcheck.private_key import (
    PRIVATE_KEY,
    KeptKey,
    encode_key,
    read_key,
    write_key,
)
from inferproof.types.digest import Digest

LINK = 310_000
"""Bytes of a link of a key of profile conservative, and some."""


def kept(links: int) -> KeptKey:
    return KeptKey(Digest(b"\x05" * 32), 1025, b"\x06" * 32, bytes(links * LINK))


@pytest.mark.parametrize("links", [0, 1, 14])
def test_as_many_links_as_rotations_leave_are_read_again(tmp_path: Path, links: int) -> None:
    write_key(tmp_path, kept(links))
    assert read_key(tmp_path) == kept(links)
    assert (tmp_path / PRIVATE_KEY).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("links", "reason"), [(28, Reason.FIELD_MALFORMED), (60, Reason.JSON_TOO_LARGE)]
)
def test_a_file_beyond_its_bounds_is_refused(tmp_path: Path, links: int, reason: Reason) -> None:
    (tmp_path / PRIVATE_KEY).write_bytes(encode_key(kept(links)))
    with pytest.raises(ArtifactRejected) as caught:
        read_key(tmp_path)
    assert caught.value.reason is reason

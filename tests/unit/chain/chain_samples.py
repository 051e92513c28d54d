"""Types of the fixtures in this folder."""

from collections.abc import Callable
from dataclasses import dataclass

from inferproof.chain.verifier import VerifyingKeyArtifact
from inferproof.types.payment import Authorization

Authorize = Callable[..., Authorization]


@dataclass(frozen=True)
class EzklSample:
    """One real proof with what the contract needs to check it. `calldata` is ezkl's own."""

    proof: bytes
    instances: list[int]
    vka_file: bytes
    calldata: bytes

    @property
    def vka(self) -> VerifyingKeyArtifact:
        return VerifyingKeyArtifact.from_ezkl_file(self.vka_file)

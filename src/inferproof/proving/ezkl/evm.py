"""What a contract needs: the verifying-key artifact, and a proof's bytes and public values.

Both follow from the verifier bundle and the proof file alone; the proof bytes are the same that
are verified off chain. Source: ezkl's reusable verifier; chain/verifier.py makes the call.
"""

import asyncio
import tempfile
from pathlib import Path
from typing import Any

from inferproof.protocol.encoding import fixed_tensor_head
from inferproof.protocol.proof_file import ProofFile
from inferproof.protocol.statement import statement_digest
from inferproof.protocol.verifier_bundle import VerifierBundle, decode_bundle, encode_bundle
from inferproof.proving.base import ComputeBackend, Progress
from inferproof.proving.ezkl.check import input_values, public_values
from inferproof.proving.ezkl.library import ezkl_errors, library
from inferproof.proving.ezkl.settings import read_settings
from inferproof.types.tensor import Tensors

DECIMALS = 18
"""ezkl's default for rescaled public values on chain. It is part of the artifact's digest."""


def evm_vka(bundle: VerifierBundle, backend: ComputeBackend, time_limit_s: float = 120.0) -> bytes:
    """The verifying-key artifact of the model, as ezkl writes it to a file.

    The same for everyone who holds the bundle. Made in a worker: ezkl's asynchronous calls
    sometimes bring down the interpreter that made them.
    Raises: Unavailable PROVER_ reasons; MissingPart MISSING_LIBRARY.
    """
    library()
    with tempfile.TemporaryDirectory(prefix="inferproof-vka-") as name:
        folder = Path(name)
        (folder / "bundle").write_bytes(encode_bundle(bundle))
        backend.run(
            "inferproof.proving.ezkl.evm:vka_task",
            {"folder": str(folder)},
            time_limit_s=time_limit_s,
        )
        return (folder / "vka").read_bytes()


def vka_task(args: dict[str, Any], _report: Progress) -> dict[str, Any]:
    """Writes the artifact for the bundle in a folder."""
    folder = Path(args["folder"])
    bundle = decode_bundle((folder / "bundle").read_bytes())
    files = {"vk": bundle.verifying_key, "settings": bundle.settings, "srs": bundle.srs}
    for name, data in files.items():
        (folder / name).write_bytes(data)

    async def make() -> None:
        with ezkl_errors():
            await library().create_evm_vka(
                str(folder / "vk"),
                str(folder / "settings"),
                str(folder / "vka"),
                str(folder / "srs"),
                DECIMALS,
            )

    asyncio.run(make())
    return {}


def evm_proof(bundle: VerifierBundle, file: ProofFile) -> tuple[bytes, list[int]]:
    """The proof bytes and public values (unsigned field elements) for the verifier contract.

    Raises: ProofRejected and ArtifactRejected as `check.public_values` does.
    Soundness: derived, not verified; a caller verifies the file first or lets the chain do it.
    """
    values = public_values(bundle, read_settings(bundle), file, statement_digest(file.statement))
    return file.proof, [int.from_bytes(bytes.fromhex(felt), "little") for felt in values]


def evm_numbers(bundle: VerifierBundle, tensors: Tensors) -> list[int]:
    """What these tensors are quantised to, as unsigned field elements.

    Raises: ProofRejected PROOF_INPUT_RANGE; as `read_settings`.
    """
    values = input_values(bundle, read_settings(bundle), tensors)
    return [int.from_bytes(bytes.fromhex(felt), "little") for felt in values]


def evm_heads(bundle: VerifierBundle) -> list[bytes]:
    """What stands before the values of each output in its canonical encoding: name, shape, scale.

    Raises: as `read_settings`.
    """
    scales = read_settings(bundle).output_scales
    return [
        fixed_tensor_head(spec.name, spec.shape, 2.0**-scale)
        for spec, scale in zip(bundle.outputs, scales, strict=True)
    ]

"""Writes the contract artifacts that ship with the Python package.

    python contracts/build_artifacts.py [--out FOLDER]

Needs the npm tools (`make -C contracts tools`) and, for the verifier, the ezkl extra. ezkl
writes the Solidity of its reusable verifier before it looks for a compiler of its own, which
it then fails to download; the source is the same for every circuit, so a one-node circuit
with a throwaway SRS is enough to have it written.
"""

import argparse
import asyncio
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

from inferproof.chain.contracts import (
    BATCH_SETTLER,
    DEVNET_TOKEN,
    ESCROW,
    EZKL_ADAPTER,
    EZKL_VERIFIER,
    FORMAT,
    MARKET,
    MODEL_REGISTRY,
    OPENINGS,
    PAYOUTS,
    PRIVATE_PROOFS,
    PRIVATE_PROOFS_ADAPTER,
    REPUTATION,
    TOKEN_STATE_READER,
    VERIFIER_ROUTER,
)
from inferproof.protocol.encoding import keccak256

ROOT = Path(__file__).resolve().parent
ARTIFACTS = ROOT.parent / "src" / "inferproof" / "chain" / "artifacts"
EVM_VERSION = "cancun"
_IMPORT = re.compile(r'^import [^;"]*"([^"]+)";', re.MULTILINE)
"""An import of a source, which may have several lines, and what it names."""
VERIFIER_OPTIMIZER_RUNS = 1
"""What ezkl itself deploys with: the smallest code."""
OPTIMIZER_RUNS, SUMCHECK_OPTIMIZER_RUNS = 200, 100_000
"""As foundry.toml has them; what is in the folder sumcheck is compiled by way of Yul."""


def compile_standard_json(document: dict[str, Any]) -> dict[str, Any]:
    """The compiler's answer. Raises: SystemExit with its messages when it reports an error."""
    done = subprocess.run(
        [str(ROOT / "solc.cjs")], input=json.dumps(document), capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(f"solc failed, is `make -C contracts tools` done?\n{done.stderr}")
    output: dict[str, Any] = json.loads(done.stdout)
    errors = [e["formattedMessage"] for e in output.get("errors", []) if e["severity"] == "error"]
    if errors:
        raise SystemExit("\n".join(errors))
    return output


def compiler_version() -> str:
    done = subprocess.run(
        [str(ROOT / "solc.cjs"), "--version"], capture_output=True, text=True, check=True
    )
    return done.stdout.split("Version: ")[1].strip()


def artifact(
    name: str, contract: dict[str, Any], settings: dict[str, Any], origin: dict[str, Any]
) -> dict[str, Any]:
    """The artifact document of one compiled contract."""
    bytecode = contract["evm"]["bytecode"]["object"]
    deployed = contract["evm"]["deployedBytecode"]["object"]
    digest = keccak256(bytes.fromhex(bytecode) + bytes.fromhex(deployed))
    return {
        "format": FORMAT,
        "name": name,
        "keccak256": "0x" + digest.hex(),
        "provenance": {**origin, "compiler": f"solc {compiler_version()}", "settings": settings},
        "abi": contract["abi"],
        "bytecode": "0x" + bytecode,
        "deployed": "0x" + deployed,
        "immutables": immutables(contract),
    }


def immutables(contract: dict[str, Any]) -> list[list[int]]:
    """Where the deployed code has values of its own: place and length of each, in order."""
    found = contract["evm"]["deployedBytecode"].get("immutableReferences", {}).values()
    return sorted([at["start"], at["length"]] for places in found for at in places)


def settings(runs: int, *, by_yul: bool = False) -> dict[str, Any]:
    return {
        **({"viaIR": True} if by_yul else {}),
        "optimizer": {"enabled": True, "runs": runs},
        "evmVersion": EVM_VERSION,
        "metadata": {"bytecodeHash": "none", "appendCBOR": False},
    }


def compiled(sources: dict[str, str], file: str, name: str, own: dict[str, Any]) -> dict[str, Any]:
    outputs = ["abi", "evm.bytecode.object", "evm.deployedBytecode.object"]
    outputs.append("evm.deployedBytecode.immutableReferences")
    document = {
        "language": "Solidity",
        "sources": {path: {"content": text} for path, text in sources.items()},
        "settings": {**own, "outputSelection": {file: {name: outputs}}},
    }
    contract: dict[str, Any] = compile_standard_json(document)["contracts"][file][name]
    return contract


def with_imports(file: str) -> dict[str, str]:
    """The source and all that it imports from node_modules, by the names used in imports."""
    sources: dict[str, str] = {}
    waiting = [file]
    while waiting:
        path = waiting.pop()
        if path in sources:
            continue
        base = ROOT / "node_modules" if path.startswith("@") else ROOT
        sources[path] = (base / path).read_text(encoding="utf-8")
        for target in _IMPORT.findall(sources[path]):
            folder = Path(path).parent
            waiting.append(target if target.startswith("@") else _joined(folder, target))
    return dict(sorted(sources.items()))


def _joined(folder: Path, target: str) -> str:
    parts = list(folder.parts)
    for step in target.split("/"):
        if step == "..":
            parts.pop()
        elif step != ".":
            parts.append(step)
    return "/".join(parts)


def sha256_of(sources: dict[str, str]) -> dict[str, str]:
    return {path: hashlib.sha256(text.encode()).hexdigest() for path, text in sources.items()}


def our_contract(name: str, room: str = "") -> dict[str, Any]:
    """The artifact of a contract in src/, or in a folder of it."""
    file = f"src/{room}{name}.sol"
    by_yul = room == "sumcheck/"
    own = settings(SUMCHECK_OPTIMIZER_RUNS, by_yul=True) if by_yul else settings(OPTIMIZER_RUNS)
    sources = with_imports(file)
    lock = json.loads((ROOT / "package-lock.json").read_text())
    openzeppelin = lock["packages"]["node_modules/@openzeppelin/contracts"]["version"]
    return artifact(
        name,
        compiled(sources, file, name, own),
        own,
        {"openzeppelin": openzeppelin, "sources_sha256": sha256_of(sources)},
    )


def write_verifier_source(folder: Path) -> str:
    """The Solidity of ezkl's reusable verifier."""
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    ezkl: Any = import_module("ezkl")  # its type stubs do not match it
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "c"], ["y"])],
        "smallest",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1])],
        [numpy_helper.from_array(np.ones((1, 1), np.float32), "c")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path = {n: str(folder / n) for n in ("onnx", "settings", "circuit", "srs", "vk", "pk")}
    onnx.save(model, path["onnx"])
    arguments = ezkl.PyRunArgs()
    arguments.input_visibility = arguments.output_visibility = "public"
    arguments.logrows, arguments.decomp_base, arguments.decomp_legs = 9, 256, 2
    ezkl.gen_settings(path["onnx"], path["settings"], py_run_args=arguments)
    ezkl.compile_circuit(path["onnx"], path["circuit"], path["settings"])
    ezkl.gen_srs(path["srs"], 9)
    ezkl.setup(path["circuit"], path["vk"], path["pk"], path["srs"])
    source = folder / "verifier.sol"

    async def write() -> None:
        try:
            await ezkl.create_evm_verifier(
                path["vk"],
                path["settings"],
                str(source),
                str(folder / "abi.json"),
                path["srs"],
                reusable=True,
            )
        except RuntimeError as error:
            if not source.is_file():
                raise SystemExit(f"ezkl wrote no Solidity: {error}") from error

    asyncio.run(write())
    return source.read_text(encoding="utf-8")


def ezkl_verifier() -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        sources = {f"{EZKL_VERIFIER}.sol": write_verifier_source(Path(folder))}
    own = settings(VERIFIER_OPTIMIZER_RUNS)
    contract = compiled(sources, f"{EZKL_VERIFIER}.sol", EZKL_VERIFIER, own)
    origin = {
        "written_by": f"ezkl {version('ezkl')}, create_evm_verifier(reusable=True)",
        "license": "MIT, as its SPDX line says",
        "sources_sha256": sha256_of(sources),
    }
    return artifact(EZKL_VERIFIER, contract, own, origin)


def main() -> None:
    parser = argparse.ArgumentParser(description="Build the contract artifacts of the package.")
    parser.add_argument("--out", type=Path, default=ARTIFACTS)
    out: Path = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    ours = [our_contract(name) for name in (DEVNET_TOKEN, BATCH_SETTLER, TOKEN_STATE_READER)]
    ours.append(our_contract(MODEL_REGISTRY, "registry/"))
    asked = (VERIFIER_ROUTER, PRIVATE_PROOFS_ADAPTER, EZKL_ADAPTER)
    ours += [our_contract(name, "verification/") for name in asked]
    ours.append(our_contract(PAYOUTS, "revenue/"))
    ours.append(our_contract(MARKET, "admin/"))
    ours.append(our_contract(REPUTATION, "reputation/"))
    ours.append(our_contract(ESCROW, "escrow/"))
    ours += [our_contract(name, "sumcheck/") for name in (OPENINGS, PRIVATE_PROOFS)]
    for document in (*ours, ezkl_verifier()):
        path = out / f"{document['name']}.json"
        path.write_text(json.dumps(document, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        size = len(document["deployed"]) // 2 - 1
        print(f"{path}: {size} bytes of code", file=sys.stderr)


if __name__ == "__main__":
    main()
    sys.stderr.flush()
    # Ending the interpreter in the usual way would now and then crash in ezkl's threads.
    os._exit(0)

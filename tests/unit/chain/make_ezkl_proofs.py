"""Makes two small ezkl proofs for the tests of the on-chain verifier.

    python make_ezkl_proofs.py FOLDER

A program of its own: ezkl holds the GIL, and after its asynchronous calls an interpreter may
crash while it ends. Writes proofs.json: for each circuit its proof, public values and VKA.
"""

import asyncio
import json
import os
import sys
from pathlib import Path

import ezkl
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

LOGROWS = 9


def write_model(path: Path, width: int) -> None:
    weights = np.linspace(-1, 1, width * 2, dtype=np.float32).reshape(width, 2)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "small",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, width])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 2])],
        [numpy_helper.from_array(weights, "w")],
    )
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), path)


def little_endian(text: str) -> str:
    return hex(int.from_bytes(bytes.fromhex(text), "little"))


def prove(folder: Path, width: int) -> dict[str, object]:
    folder.mkdir()
    names = ("onnx", "input", "settings", "circuit", "srs", "vk", "pk", "witness", "proof", "vka")
    path = {name: str(folder / name) for name in names}
    write_model(folder / "onnx", width)
    (folder / "input").write_text(json.dumps({"input_data": [[0.5] * width]}))
    arguments = ezkl.PyRunArgs()
    arguments.input_visibility = arguments.output_visibility = "public"
    arguments.logrows, arguments.decomp_base, arguments.decomp_legs = LOGROWS, 256, 4
    ezkl.gen_settings(path["onnx"], path["settings"], py_run_args=arguments)
    ezkl.compile_circuit(path["onnx"], path["circuit"], path["settings"])
    ezkl.gen_srs(path["srs"], LOGROWS)
    ezkl.setup(path["circuit"], path["vk"], path["pk"], path["srs"])
    ezkl.gen_witness(path["input"], path["circuit"], path["witness"], path["vk"], path["srs"])
    ezkl.prove(path["witness"], path["circuit"], path["pk"], path["proof"], path["srs"])

    async def artifact() -> None:
        await ezkl.create_evm_vka(path["vk"], path["settings"], path["vka"], path["srs"], 0)

    asyncio.run(artifact())
    proof = json.loads((folder / "proof").read_text())
    calldata = ezkl.encode_evm_calldata(path["proof"], str(folder / "calldata"), path["vka"])
    return {
        "proof": bytes(proof["proof"]).hex(),
        "instances": [little_endian(value) for value in proof["instances"][0]],
        "vka": (folder / "vka").read_bytes().hex(),
        "calldata": bytes(calldata).hex(),
    }


def main() -> None:
    folder = Path(sys.argv[1])
    made = [prove(folder / str(width), width) for width in (2, 3)]
    (folder / "proofs.json").write_text(json.dumps(made))
    # Ending the interpreter in the usual way would now and then crash in ezkl's threads.
    os._exit(0)


if __name__ == "__main__":
    main()

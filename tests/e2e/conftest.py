"""A devnet, and a gateway on it that serves one tiny model with a proof system that only binds."""

from collections.abc import Iterator

import numpy as np
import onnx
import pytest
from live_parts import CARD, Installed, settings_for
from onnx import TensorProto, helper, numpy_helper

from inferproof.app import install_model
from inferproof.errors import MissingPart
from inferproof.inference.preprocess import load_preprocessing
from inferproof.models.card import load_card
from inferproof.proving.base import CompileRequest
from inferproof.testing.devnet import Devnet, DevnetInfo
from inferproof.testing.live import LiveGateway
from inferproof.testing.toy_proofs import ACKNOWLEDGEMENT, ToySystem


@pytest.fixture(scope="session")
def devnet() -> Iterator[DevnetInfo]:
    try:
        chain = Devnet()
        chain.start()
    except MissingPart as missing:
        pytest.fail(missing.message)
    with chain:
        yield chain.info


@pytest.fixture(scope="session")
def toy() -> dict[str, ToySystem]:
    return {"toy": ToySystem(ACKNOWLEDGEMENT)}


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory, toy: dict[str, ToySystem]) -> Installed:
    """A linear model of six weights, compiled."""
    folder = tmp_path_factory.mktemp("tiny")
    weights = np.array([[-1.0, 2.0], [0.5, 0.25], [0.0, 1.0]], dtype=np.float32)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["logits"])],
        "tiny",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, 2])],
        [numpy_helper.from_array(weights, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, str(folder / "model.onnx"))
    (folder / "card.toml").write_text(CARD)
    card = load_card(folder)
    report = toy["toy"].compile(
        CompileRequest(
            model=card.model_path,
            calibration={"x": np.zeros((2, 1, 3), dtype=np.float32)},
            out=folder / "compiled",
            preprocessing=load_preprocessing(card.preprocessing, card.folder).canonical(),
        )
    )
    return Installed(folder / "card.toml", folder / "compiled", report.commitment)


@pytest.fixture(scope="session")
def gateway(
    devnet: DevnetInfo,
    tiny: Installed,
    toy: dict[str, ToySystem],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[LiveGateway]:
    """A gateway with the tiny model, in a thread, on a free port of this machine."""
    import asyncio

    provider = devnet.accounts.provider
    settings = settings_for(
        devnet,
        tmp_path_factory.mktemp("gateway"),
        facilitator_key=provider.secret().hex(),
        facilitator_payees=(provider.address.hex, devnet.accounts.owner.address.hex),
    )
    asyncio.run(install_model(settings, tiny.card, tiny.compiled, key=provider, more_systems=toy))
    with LiveGateway(settings, more_systems=toy) as live:
        yield live

"""A devnet, and a gateway on it that serves one tiny model with a proof system that only binds."""

from collections.abc import Iterator

import numpy as np
import pytest
from live_parts import MODEL, Installed, settings_for

from inferproof.app.publishing import install_model
from inferproof.errors import MissingPart
from inferproof.testing.devnet import Devnet, DevnetInfo
from inferproof.testing.live import LiveGateway
from inferproof.testing.tiny import compile_tiny
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
    samples = np.zeros((2, 1, 3), dtype=np.float32)
    report = compile_tiny(folder, MODEL, toy["toy"], samples)
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

"""What the tests of a live gateway share: its model's card, and its settings."""

from dataclasses import dataclass
from pathlib import Path

from inferproof.settings import Settings
from inferproof.testing.devnet import DevnetInfo
from inferproof.types.digest import Digest

ADMIN_TOKEN = "an admin token for tests"
MODEL = "tiny"
CARD = """\
schema = "inferproof/model-card/1"
id = "tiny"
version = "1.0.0"
title = "Tiny"
description = "Three numbers in, two logits out."
category = "testing"
developer = "The inferproof authors"
license = "MIT"
preprocessing = { kind = "tensor", inputs = [
  { name = "x", shape = [1, 3], min = -100.0, max = 100.0 },
] }

[files]
model = "model.onnx"

[input]
type = "tensor"
max_bytes = 1000

[[input.examples]]
title = "Ones"
value = [[1.0, 1.0, 1.0]]
label = "yes"

[output]
type = "classification"
labels = ["no", "yes"]
unit = "logit"

[price]
amount = "0.25"
currency = "USDC"

[proof]
system = "toy"
input_visibility = "public"

[revenue]
developer_bps = 7000
platform_bps = 3000
"""


@dataclass(frozen=True)
class Installed:
    """A folder with a card and its compiled model."""

    card: Path
    compiled: Path
    commitment: Digest


def settings_for(devnet: DevnetInfo, data_dir: Path, **changes: object) -> Settings:
    """The settings of a gateway on the devnet."""
    values: dict[str, object] = {
        "port": 0,
        "data_dir": data_dir,
        "rpc_url": devnet.rpc_url,
        "chain_id": devnet.chain_id,
        "token_address": devnet.token.address.hex,
        "token_symbol": devnet.token.symbol,
        "token_name": devnet.token.domain_name,
        "token_version": devnet.token.domain_version,
        "batch_settler_address": devnet.batch_settler.hex,
        "gateway_key": devnet.accounts.gateway.secret().hex(),
        "admin_token": ADMIN_TOKEN,
    }
    return Settings.load(**{**values, **changes})

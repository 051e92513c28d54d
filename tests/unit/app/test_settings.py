"""Settings: from the environment, typed, and refused with a reason."""

from pathlib import Path

import pytest

from inferproof.errors import Misconfigured, Reason
from inferproof.protocol.signature import SigningKey
from inferproof.settings import PREFIX, Settings
from inferproof.testing.rejections import rejects
from inferproof.types.money import Network

KEY = "11" * 32
TOKEN = "0x" + "Ab" * 20


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in list(os.environ):
        if name.startswith(PREFIX):
            monkeypatch.delenv(name)


def test_defaults_listen_on_this_machine_alone() -> None:
    settings = Settings.load()
    assert (settings.host, settings.port) == ("127.0.0.1", 9100)
    assert settings.database == "sqlite+aiosqlite:///inferproof-data/inferproof.db"


def test_the_environment_is_read_and_options_go_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INFERPROOF_PORT", "9200")
    monkeypatch.setenv("INFERPROOF_TOKEN_ADDRESS", TOKEN)
    monkeypatch.setenv("INFERPROOF_CHAIN_ID", "8453")
    monkeypatch.setenv("INFERPROOF_FACILITATOR_PAYEES", f'["{TOKEN}"]')
    settings = Settings.load(host="0.0.0.0")  # noqa: S104 - a value, nothing listens
    assert (settings.host, settings.port) == ("0.0.0.0", 9200)  # noqa: S104
    assert settings.asset.network == Network.evm(8453)
    assert settings.asset.address.hex == TOKEN.lower()
    assert settings.facilitator_payees == (TOKEN.lower(),)
    assert Settings.load(port=1).port == 1


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("PORT", "70000", "Input should be less than or equal to 65535"),
        ("SYNC_WAIT_S", "nan", "Input should be a finite number"),
        ("RPC_URL", "ftp://x", "URL scheme should be 'http' or 'https'"),
        ("TOKEN_ADDRESS", "0x12", "'0x12' is not an address; an address is 0x and 40 hex digits"),
        ("FACILITATOR_PAYEES", "0x12", "it is not a JSON list"),
        ("EXTERNAL_PROVERS", "5", "Input should be a valid tuple"),
        ("ADMIN_TOKEN", "short", "it must have at least 16 characters"),
    ],
)
def test_a_wrong_setting_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, problem: str
) -> None:
    monkeypatch.setenv(PREFIX + name, value)
    with rejects(
        Reason.SETTING_WRONG,
        f"the setting INFERPROOF_{name} is wrong: {problem}",
        kind=Misconfigured,
    ):
        Settings.load()


def test_a_misspelt_setting_is_found_and_a_strange_one_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("INFERPROOF_HOME", "/somewhere")
    monkeypatch.setenv("INFERPROOF_BUYER_KEY_FILE", "/somewhere")
    Settings.load()
    monkeypatch.setenv("INFERPROOF_TOKN_NAME", "x")
    with rejects(
        Reason.SETTING_WRONG,
        "the setting INFERPROOF_TOKN_NAME is wrong: there is no such setting; "
        "INFERPROOF_TOKEN_NAME is one",
    ):
        Settings.load()


def test_what_serving_needs_is_asked_for() -> None:
    settings = Settings.load()
    with rejects(
        Reason.SETTING_MISSING,
        "the setting INFERPROOF_RPC_URL is missing; set it in the environment",
        kind=Misconfigured,
    ):
        _ = settings.rpc
    with pytest.raises(Misconfigured):
        _ = settings.asset


def test_the_key_comes_from_setting_or_file(tmp_path: Path) -> None:
    expected = SigningKey(b"\x11" * 32).address
    assert Settings.load(gateway_key=KEY).signing_key().address == expected
    file = tmp_path / "gateway.key"
    file.touch(mode=0o600)
    file.write_text(f"0x{KEY}\n")
    assert Settings.load(data_dir=tmp_path).signing_key().address == expected
    assert Settings.load(gateway_key_file=file).signing_key().address == expected


def test_an_open_key_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "gateway.key"
    file.write_text(KEY)
    file.chmod(0o644)
    with rejects(
        Reason.KEY_FILE_OPEN, f"others can read the key file {file}; run: chmod 600 {file}"
    ):
        Settings.load(data_dir=tmp_path).signing_key()


def test_a_missing_or_wrong_key_is_refused_and_never_shown(tmp_path: Path) -> None:
    with rejects(
        Reason.SETTING_MISSING,
        "the setting INFERPROOF_GATEWAY_KEY_FILE is missing; set it in the environment",
    ):
        Settings.load(data_dir=tmp_path).signing_key()
    with rejects(
        Reason.SETTING_WRONG,
        "the setting INFERPROOF_GATEWAY_KEY is wrong: the private key is not 64 hex digits of a "
        "valid secp256k1 key",
    ):
        Settings.load(gateway_key="hunter2").signing_key()
    file = tmp_path / "gateway.key"
    file.touch(mode=0o600)
    file.write_bytes(b"\xff\xfe")
    with rejects(
        Reason.SETTING_WRONG,
        f"the setting INFERPROOF_GATEWAY_KEY_FILE is wrong: {file} cannot be read",
    ):
        Settings.load(data_dir=tmp_path).signing_key()


def test_secrets_are_not_printed() -> None:
    settings = Settings.load(gateway_key=KEY, admin_token="correct horse battery")
    assert KEY not in repr(settings)
    assert "horse" not in repr(settings)

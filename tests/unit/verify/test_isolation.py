"""A person who only verifies installs no prover, no chain, no server."""

import json
import subprocess
import sys

import pytest

HEAVY = {
    *("ezkl", "onnx", "onnxruntime", "torch", "sklearn", "ray"),
    *("web3", "eth_account", "x402", "sqlalchemy", "alembic", "aiosqlite"),
    *("fastapi", "starlette", "uvicorn", "pydantic", "pydantic_settings", "prometheus_client"),
    *("httpx", "aiohttp", "requests"),
}
ROOMS = {"models", "inference", "proving", "payments", "chain", "storage", "services", "api"}


@pytest.mark.parametrize("module", ["inferproof.protocol", "inferproof.verify"])
def test_importing_it_imports_no_heavy_part(module: str) -> None:
    code = (
        "import importlib, json, pkgutil, sys\n"
        f"package = importlib.import_module({module!r})\n"
        "for found in pkgutil.iter_modules(package.__path__, package.__name__ + '.'):\n"
        "    importlib.import_module(found.name)\n"
        "print(json.dumps(sorted(sys.modules)))\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    loaded = json.loads(run.stdout)
    tops = {name.partition(".")[0] for name in loaded}
    rooms = {name.split(".")[1] for name in loaded if name.startswith("inferproof.")}
    assert "inferproof" in tops
    assert tops & HEAVY == set()
    assert rooms & ROOMS == set()
    if module == "inferproof.protocol":
        assert "verify" not in rooms

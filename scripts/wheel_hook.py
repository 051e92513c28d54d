"""Puts the native prover into a wheel, when `make wheel` asks for it.

Without the variable INFERPROOF_NATIVE_WHEEL a wheel holds Python alone and fits every machine;
so do an editable install and one from source, which need no Rust.
"""

import importlib.util
import os
import platform
import re
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ASKED = "INFERPROOF_NATIVE_WHEEL"


class NativeHook(BuildHookInterface):
    """Adds every variant of the module, and names the machines that the wheel is for."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling before it builds."""
        if version == "editable" or not os.environ.get(ASKED):
            return
        builder = _builder(Path(self.root))
        modules = [builder.module_path(variant) for variant in builder.variants()]
        due = [variant for variant in builder.variants() if not builder.up_to_date(variant)]
        if due:
            raise SystemExit(f"not built, or out of date: {', '.join(due)}; run: make wheel")
        build_data["pure_python"] = False
        build_data["tag"] = f"cp311-abi3-{_platform(modules)}"
        room = Path("inferproof/proving/sumcheck")
        for module in modules:
            build_data["force_include"][str(module)] = str(room / module.name)


def _builder(root: Path) -> Any:
    spec = importlib.util.spec_from_file_location("native", root / "scripts" / "native.py")
    if spec is None or spec.loader is None:
        raise SystemExit("scripts/native.py is missing")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _platform(modules: list[Path]) -> str:
    """The platform tag: on Linux by the newest version of glibc whose functions are used."""
    machine = platform.machine().lower()
    if sys.platform == "linux":
        found = [re.findall(rb"GLIBC_2\.(\d+)", path.read_bytes()) for path in modules]
        newest = max(17, *(int(minor) for minors in found for minor in minors))
        return f"manylinux_2_{newest}_{machine}"
    if sys.platform == "darwin":
        return f"macosx_11_0_{machine}"
    return "win_amd64"

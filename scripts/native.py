"""Builds the native prover of native/ into the package.

    python scripts/native.py              the variant for this machine, unless it is up to date
    python scripts/native.py --all        every variant for this kind of machine: what a wheel holds
    python scripts/native.py --check      exits with 1 where the module is missing or out of date

A variant is the same code for another set of CPU instructions. The module needs no Python headers
and works with every Python from 3.11 on (PyO3's stable interface).
"""

import argparse
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NATIVE = ROOT / "native"
ROOM = ROOT / "src/inferproof/proving/sumcheck"
STAMP = NATIVE / "target" / "inferproof.json"
RUST = "1.95"
HOW = (
    f"the native prover needs Rust {RUST} or newer (cargo); get it from https://rustup.rs, "
    "then run: make native"
)

EXAMINED = (
    *("claim_reduction", "commitment", "executor", "graph", "hiding", "int8", "key", "layers"),
    *("lookup", "parallel", "prover", "relation", "sumcheck", "transcript", "verifier"),
)
"""The crates that the evidence of privacy is about: prover, verifier, commitment, and all that they
use. Left out are the door to Python and the fuzz targets."""

X86 = {
    "portable": "",
    "avx2": "-C target-cpu=x86-64-v3",
    "avx512": "-C target-cpu=x86-64-v4 -C target-feature=+avx512vnni",
}


def main(arguments: list[str]) -> int:
    """Builds what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args(arguments)
    wanted = variants() if options.all else [best_variant()]
    due = [name for name in wanted if not up_to_date(name)]
    if options.check:
        for name in due:
            say(f"{module_path(name).relative_to(ROOT)} is missing or out of date: make native")
        return 1 if due else 0
    if not due:
        return 0
    if shutil.which("cargo") is None:
        say(HOW)
        return 1
    for name in due:
        status = build(name)
        if status != 0:
            return status
    return 0


def variants() -> list[str]:
    """The variants for this kind of machine."""
    return list(X86) if platform.machine() in ("x86_64", "AMD64") else ["portable"]


def best_variant() -> str:
    """The variant that suits this machine best."""
    sys.path.insert(0, str(ROOM))
    import cpu  # the package's own choice, imported alone: it needs nothing else

    return cpu.usable()[0]


def module_path(variant: str) -> Path:
    """Where the package looks for a variant."""
    infix = "" if variant == "portable" else f"_{variant}"
    ending = ".pyd" if sys.platform == "win32" else ".abi3.so"
    return ROOM / f"_native{infix}{ending}"


def sources_digest(variant: str) -> str:
    """The digest of all that a module is made of."""
    digest = hashlib.sha256(f"{variant} {X86.get(variant)}".encode())
    files = [NATIVE / "Cargo.toml", NATIVE / "Cargo.lock"]
    crates = (path for path in NATIVE.iterdir() if (path / "Cargo.toml").is_file())
    for crate in sorted(path for path in crates if path.name != "fuzz"):
        files.append(crate / "Cargo.toml")
        files += sorted((crate / "src").rglob("*.rs"))
    for path in files:
        digest.update(f"{path.relative_to(NATIVE)} ".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def examined(native: Path = NATIVE) -> str:
    """The digest of the sources that evidence of privacy is about.

    SHA-256 of one line for each file, ended by a line feed: the SHA-256 of the file, a space, and
    its path in native/ with slashes. The files are Cargo.toml, Cargo.lock and of each crate of
    EXAMINED its Cargo.toml and all of src/ that ends in .rs, sorted by path.
    """
    crates = [native / crate for crate in EXAMINED]
    files = [native / "Cargo.toml", native / "Cargo.lock"]
    files += [crate / "Cargo.toml" for crate in crates]
    files += [path for crate in crates for path in (crate / "src").rglob("*.rs")]
    lines = {path.relative_to(native).as_posix(): _sha256(path) for path in files}
    text = "".join(f"{lines[path]} {path}\n" for path in sorted(lines))
    return hashlib.sha256(text.encode()).hexdigest()


def up_to_date(variant: str) -> bool:
    """Whether the module is there and made of these sources."""
    path = module_path(variant)
    if not path.is_file() or not STAMP.is_file():
        return False
    stamp = json.loads(STAMP.read_text())
    return bool(stamp.get(variant) == [sources_digest(variant), _sha256(path)])


def environment(variant: str) -> dict[str, str]:
    """What cargo is called with for a variant."""
    return {
        **os.environ,
        "CARGO_TARGET_DIR": str(NATIVE / "target" / variant),
        "RUSTFLAGS": " ".join(filter(None, (X86.get(variant, ""), _link_flags()))),
        "INFERPROOF_SOURCES": examined(),
    }


def build(variant: str) -> int:
    """Compiles a variant and puts it into the package; the exit status of cargo."""
    digest = sources_digest(variant)
    say(f"compiling the native prover ({variant}); the first time takes some minutes")
    began = time.monotonic()
    command = ["cargo", "build", "--release", "--locked", "--package", "inferproof-python"]
    own = environment(variant)
    status = subprocess.run(command, cwd=NATIVE, env=own, check=False).returncode
    if status != 0:
        say(f"cargo failed; see the lines above. {HOW}")
        return status
    target = module_path(variant)
    fresh = target.with_name(target.name + ".new")
    shutil.copyfile(NATIVE / "target" / variant / "release" / _library(), fresh)
    # A new file, not new bytes in one that a running process has mapped.
    fresh.replace(target)
    stamp = json.loads(STAMP.read_text()) if STAMP.is_file() else {}
    stamp[variant] = [digest, _sha256(target)]
    STAMP.write_text(json.dumps(stamp, indent=1, sort_keys=True) + "\n")
    say(f"the native prover ({variant}) is built, {time.monotonic() - began:.0f} s")
    return 0


def _link_flags() -> str:
    # Python's own symbols are found when the module is loaded.
    return "-C link-arg=-undefined -C link-arg=dynamic_lookup" if sys.platform == "darwin" else ""


def _library() -> str:
    return {"darwin": "lib_native.dylib", "win32": "_native.dll"}.get(sys.platform, "lib_native.so")


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def say(text: str) -> None:
    """Tells the person at the terminal."""
    bold, plain = ("\033[1m", "\033[0m") if sys.stderr.isatty() else ("", "")
    print(f"{bold}==>{plain} {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

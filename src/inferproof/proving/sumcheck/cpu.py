"""Which builds of the native module this machine's processor can run."""

import platform
from pathlib import Path

AVX2 = frozenset({"avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe"})
AVX512 = AVX2 | {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl", "avx512_vnni"}


def usable() -> tuple[str, ...]:
    """The variants that run here, best first. Where the processor does not tell, the portable."""
    if platform.machine() not in ("x86_64", "AMD64"):
        return ("portable",)
    found = _flags()
    return (
        *(("avx512",) if found >= AVX512 else ()),
        *(("avx2",) if found >= AVX2 else ()),
        "portable",
    )


def _flags() -> frozenset[str]:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    except OSError:
        return frozenset()
    line = next((line for line in text.splitlines() if line.startswith("flags")), "")
    return frozenset(line.partition(":")[2].split())

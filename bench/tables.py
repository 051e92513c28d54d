"""What the sections of RESULTS.md are written with."""

QUIET = 0.05
"""The share of the processor's time that others may take in a measurement without being named."""
PLOTS = {
    "native.png": "Milliseconds for one proof of the native prover, by parameters and accumulators",
    "native_phases.png": "Where the native prover's time goes",
    "prove.png": "Seconds for one proof, by model",
    "memory.png": "Peak memory and size of keys, by model",
    "latency.png": "Latency of paid calls, and where it goes",
}


def image(name: str) -> str:
    """The Markdown of a plot."""
    return f"![{PLOTS[name]}](plots/{name})"


def ratio(over: float, under: float) -> str:
    """How many times the second is in the first."""
    return f"{over / under:.2g} ×" if over / under < 10 else f"{over / under:.0f} ×"


def human(seconds: float) -> str:
    """Seconds, or milliseconds below one."""
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1e3:.0f} ms"


def table(head: tuple[str, ...], rows: list[list[str]], left: int) -> str:
    """A Markdown table whose first `left` columns are text and the others figures."""
    rule = ["---"] * left + ["---:"] * (len(head) - left)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (list(head), rule, *rows))

"""ezkl beside the native prover, in RESULTS.md: its figures, or the reason why there are none."""

from collections.abc import Iterable
from typing import Any

from bench.tables import QUIET, human, ratio, table

WITHIN = 2.0
"""The native prover's largest error is comparable up to so many times ezkl's."""
UNMEASURED = "was not measured yet; `make bench PEERS=all` does"


def beside(rows: Iterable[dict[str, Any]], peers: dict[str, Any] | None) -> list[dict[str, Any]]:
    """The native prover's rows, each with ezkl's if it proved that model on a quiet machine."""
    known = {peer["model"]: peer for peer in peers["rows"]} if peers else {}
    proven = {name: p for name, p in known.items() if "prove_s" in p and not _busy(p)}
    return [{**row, "ezkl": proven.get(row["model"])} for row in rows]


def _busy(peer: dict[str, Any]) -> bool:
    return peer["others"] is not None and peer["others"] >= QUIET


def _ratio(peer: dict[str, Any], native: dict[str, Any]) -> str:
    """By the clock; beside other work by the processor time spread over all cores, and so named."""
    took, ours = peer["prove_s"]["median"], native["prove_s"]["median"]
    if not _busy(peer):
        return ratio(took, ours)
    spread_s = peer["prove_processor_s"] / peer["machine"]["cores"]
    return f"{ratio(min(took, spread_s), ours)} (not quiet)"


def render_peers(native: list[dict[str, Any]], peers: dict[str, Any] | None) -> str:
    """Tables of ezkl's figures and of accuracy, and the reasons; nothing without any measured."""
    if peers is None:
        return ""
    known = {peer["model"]: peer for peer in peers["rows"]}
    ours = {row["model"]: row for row in native if "refused" not in row}
    names = list(dict.fromkeys(row["model"] for row in native))
    proven = [name for name in names if "prove_s" in known.get(name, {})]
    compared = [name for name in proven if "max_error" in known[name] and name in ours]
    parts = [
        "### ezkl beside it",
        "ezkl on the same models and the same test data, each in a process of its own within "
        "limits of time and memory for all of it together; the last column says when and within "
        "which. Models that take ezkl minutes keep their figures until they are asked for "
        "(`make bench PEERS=all`).",
        _figures([known[name] for name in names if name in known], ours),
        _reasons(names, known),
    ]
    if compared:
        parts += [
            "Against the float model, the native prover and ezkl on the same test data. "
            f"Comparable is an error of at most {WITHIN:g} times ezkl's, and no fewer equal "
            "answers.",
            _accuracy([(ours[name], known[name]) for name in compared]),
        ]
    parts.append(_how(known.values()))
    return "\n\n".join(filter(None, parts))


def _figures(peers: list[dict[str, Any]], ours: dict[str, dict[str, Any]]) -> str:
    head = (
        *("model", "k", "scale", "digits", "settings", "set-up", "witness", "prove"),
        *("prove, processor", "ezkl ÷ native", "verify", "proof", "keys", "peak memory, set-up"),
        *("peak memory, prove", "measured"),
    )
    return table(head, [_row(peer, ours.get(peer["model"])) for peer in peers], left=1)


def _row(peer: dict[str, Any], native: dict[str, Any] | None) -> list[str]:
    limits = peer["limits"]
    return [
        peer["model"],
        _told(peer, "logrows", str),
        _told(peer, "scale", str),
        _told(peer, "decomposition", lambda pair: f"{pair[1]} of {pair[0]}"),
        _told(peer, "settings_s", human),
        _told(peer, "setup_s", human),
        _told(peer, "witness_s", _spread),
        _told(peer, "prove_s", _spread),
        _told(peer, "prove_processor_s", human),
        _ratio(peer, native) if native and "prove_s" in peer else "–",
        _told(peer, "verify_s", _spread),
        _told(peer, "proof_bytes", lambda count: f"{count:,} B"),
        _told(peer, "key_bytes", lambda count: f"{count / 1e6:,.1f} MB"),
        _told(peer, "setup_peak_mb", lambda megabytes: f"{megabytes:,.0f} MB"),
        _told(peer, "prove_peak_mb", lambda megabytes: f"{megabytes:,.0f} MB"),
        f"{peer['date'].split()[0]}, {limits['seconds']:,g} s, {limits['gigabytes']:g} GB",
    ]


def _reasons(names: list[str], known: dict[str, dict[str, Any]]) -> str:
    """A line for each model without all its figures."""
    reasons = {
        name: known[name]["reason"] if name in known else UNMEASURED
        for name in names
        if name not in known or known[name]["reason"]
    }
    return "\n".join(f"- **{name}**: ezkl {reason}." for name, reason in reasons.items())


def _accuracy(pairs: list[tuple[dict[str, Any], dict[str, Any]]]) -> str:
    head = (
        *("model", "native's error", "ezkl's error", "native ÷ ezkl", "native's agreement"),
        *("ezkl's agreement", "inputs, ezkl", "comparable"),
    )
    cells = [
        [
            native["model"],
            f"{native['max_error']:.2g}",
            f"{peer['max_error']:.2g}",
            ratio(native["max_error"], peer["max_error"]) if peer["max_error"] else "–",
            f"{native['agreement']:.1%}",
            f"{peer['agreement']:.1%}",
            str(peer["compared"]),
            "yes" if comparable(native, peer) else "**no**",
        ]
        for native, peer in pairs
    ]
    return table(head, cells, left=1)


def comparable(native: dict[str, Any], peer: dict[str, Any]) -> bool:
    """Whether the native prover is as accurate as ezkl, as far as that counts."""
    near = native["max_error"] <= WITHIN * peer["max_error"]
    return bool(near and native["agreement"] >= peer["agreement"])


def _how(peers: Iterable[dict[str, Any]]) -> str:
    made = dict.fromkeys(
        f"ezkl {peer['ezkl']}, commit {peer['commit'] or 'unknown'}, on {_machine(peer)}"
        for peer in peers
    )
    busy = [f"{peer['model']} {peer['others']:.0%}" for peer in peers if _busy(peer)]
    spelled = [peer["model"] for peer in peers if peer.get("spelled")]
    return " ".join(
        filter(
            None,
            [
                "Its settings: inputs and outputs public, weights fixed, nothing bound; the "
                "smallest scale from 7 to 13 whose error on two calibration samples is within "
                "the native prover's or one percent of the largest output, whichever is more; "
                "two digits of base 2^14, which are ezkl's own, or more where values need them, "
                "or smaller ones where that makes a smaller circuit; and the fewest rows, 2^k, "
                "that hold it in one column.",
                f"Gelu, which it does not know, is written by Erf for {_list(spelled)}."
                if spelled
                else "",
                "A proof includes its witness; the SRS is a development one, kept from run to "
                "run, and making it counts towards the limit alone.",
                f"Measured with {'; '.join(made)}.",
                f"**Not quiet**: others took, meanwhile, of the cores: {', '.join(busy)}. Times by "
                "the clock are longer for it, and processor times somewhat; the ratio there is of "
                "the processor time spread over all cores. Do not quote them."
                if busy
                else "",
            ],
        )
    )


def _machine(peer: dict[str, Any]) -> str:
    machine = peer["machine"]
    memory = machine["memory_bytes"] / 2**30
    return f"{machine['cpu']}, {machine['cores']} cores, {memory:.0f} GiB"


def _list(names: list[str]) -> str:
    return ", ".join(names)


def _told(peer: dict[str, Any], name: str, write: Any) -> str:
    return str(write(peer[name])) if name in peer else "–"


def _spread(spread: dict[str, float]) -> str:
    median = human(spread["median"])
    if spread["count"] == 1:
        return median
    return f"{median} ({human(spread['low'])}–{human(spread['high'])})"

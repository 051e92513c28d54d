"""RESULTS.md from results.json and gas.json: nothing stands in it that was not measured or is not
fixed here."""

from collections.abc import Mapping
from typing import Any

from bench.gas import render_gas
from bench.gateway import STAGES
from bench.native_report import render_native
from bench.tables import QUIET, human, image, ratio, table

PEERS = {"inferproof": "inferproof", "ezkl": "plain ezkl"}
_OVERHEAD = """\
## Overhead over plain inference

What a proof of the native prover costs over a run of the same model by ONNX Runtime on one thread, by family of models as common tools export them. `make corpus` measures it, since it needs those tools, and writes [the figures of each model](../docs/reference/corpus.md).

![What a proof costs over a plain run, by family](../docs/reference/corpus.png)"""  # noqa: E501


def render(results: dict[str, Any], gas: Mapping[str, Any] | None = None) -> str:
    """The whole file, with the contents of gas.json."""
    parts = (
        _head(results),
        render_native(results.get("native"), results.get("peers")),
        _OVERHEAD,
        _proving(results["models"]),
        _tuning(results["models"]),
        _gateway(results["gateway"]),
        _stages(results["gateway"]),
        _burst(results.get("burst")),
        _orders(results.get("orders")),
        render_gas(gas),
        _how(results),
    )
    return "\n\n".join(filter(None, parts)) + "\n"


def _head(results: dict[str, Any]) -> str:
    machine = results["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in results["versions"].items())
    extent = " This is a quick run: far too few repetitions to quote." if results["quick"] else ""
    return "\n".join(
        [
            "# Measurements",
            "",
            f"Written by `make bench` on {results['date']} from `results.json`; "
            f"do not edit it.{extent}",
            "",
            f"- **Machine**: {machine['cpu']}, {machine['cores']} cores, "
            f"{machine['memory_bytes'] / 2**30:.0f} GiB of memory, {machine['system']}.",
            f"- **State**: {_state(results)}",
            f"- **Versions**: {versions}.",
            f"- **Noise**: {_noise(results['models'])}",
            f"- **Length**: the whole run took {results['took_s']:.0f} s.",
        ]
    )


def _state(results: dict[str, Any]) -> str:
    """Who else used the machine."""
    shares = {model["model"]: model["others"] for model in results["models"]}
    shares["gateway"] = results["gateway_others"]
    before = f"The load was {results['load_before']:.2f} before the run"
    known = {name: share for name, share in shares.items() if share is not None}
    if not known:
        return f"{before}; what others took meanwhile is not known."
    if max(known.values()) < QUIET:
        return f"quiet. {before}, and others took at most {max(known.values()):.1%} of the cores."
    told = ", ".join(f"{name} {share:.0%}" for name, share in known.items())
    return (
        f"**not quiet**: times and ratios below suffer from other work. {before}; of the cores' "
        f"time others took, while each was measured: {told}."
    )


def _noise(models: list[dict[str, Any]]) -> str:
    spreads = [model[peer]["prove_s"] for model in models for peer in PEERS]
    repeated = [s for s in spreads if s["count"] > 1]
    if not repeated:
        return "one round only, so that nothing is known of it."
    widest = max((s["high"] - s["low"]) / s["median"] for s in repeated)
    single = len(spreads) - len(repeated)
    more = (
        " A proving time without a range comes from one round: do not quote it." if single else ""
    )
    return (
        "ranges in the tables go from the smallest to the largest of the rounds' medians. "
        f"The widest range of a proving time is {widest:.0%} of its median: read no "
        f"difference below that.{more}"
    )


def _proving(models: list[dict[str, Any]]) -> str:
    rows = [
        [
            model["model"] if peer == "inferproof" else "",
            f"{model['parameters']:,}" if peer == "inferproof" else "",
            label,
            str(model[peer]["logrows"]),
            f"{model[peer]['compile_s']:.1f} s",
            _seconds(model[peer]["prove_s"]),
            _millis(model[peer]["verify_s"]),
            f"{model[peer]['proof_bytes']:,} B",
            f"{model[peer]['file_bytes']:,} B" if peer == "inferproof" else "–",
            f"{model[peer]['key_bytes'] / 1e6:.1f} MB",
            f"{model[peer]['prove_peak_mb']:.0f} MB",
            f"{model[peer]['verify_peak_mb']:.0f} MB",
        ]
        for model in models
        for peer, label in PEERS.items()
    ]
    head = (
        *("model", "parameters", "by", "k", "compile", "prove", "verify", "proof", "proof file"),
        *("keys", "peak memory, prove", "peak memory, verify"),
    )
    return "\n".join(
        [
            "## Compile, prove, verify with ezkl",
            "",
            "`inferproof` is ezkl as inferproof tunes and binds it. Median, and in brackets the "
            "smallest and the largest. A circuit has 2^k rows.",
            "",
            table(head, rows, left=3),
            "",
            image("prove.png"),
            "",
            image("memory.png"),
        ]
    )


def _tuning(models: list[dict[str, Any]]) -> str:
    rows = []
    for model in models:
        ours, plain = model["inferproof"], model["ezkl"]
        rows.append(
            [
                model["model"],
                _decomposition(plain) + " → " + _decomposition(ours),
                f"{plain['scale']} → {ours['scale']}",
                f"{plain['max_error']:.2g} → {ours['max_error']:.2g}",
                f"{plain['agreement']:.1%} → {ours['agreement']:.1%}",
                ratio(plain["prove_s"]["median"], ours["prove_s"]["median"]),
                ratio(plain["verify_s"]["median"], ours["verify_s"]["median"]),
                ratio(plain["key_bytes"], ours["key_bytes"]),
                ratio(plain["prove_peak_mb"], ours["prove_peak_mb"]),
            ]
        )
    head = (
        *("model", "decomposition", "scale", "largest error", "agreement"),
        *("prove", "verify", "keys", "memory"),
    )
    return "\n".join(
        [
            "## What tuning brings",
            "",
            "Plain ezkl → inferproof, and in the last four columns plain ezkl ÷ inferproof: "
            "above 1, inferproof is better. Agreement is the share of calibration samples with "
            "the float model's answer.",
            "",
            table(head, rows, left=1),
        ]
    )


def _gateway(scenarios: list[dict[str, Any]]) -> str:
    rows = [
        [
            _proof_name(scenario),
            str(scenario["concurrency"]),
            str(scenario["calls"]),
            _errors(scenario),
            *(_latency(scenario, name) for name in ("p50", "p95", "p99", "slowest")),
            f"{scenario['calls_per_s']:.1f}",
            _times_unproven(scenario, scenarios),
        ]
        for scenario in scenarios
    ]
    head = (
        *("proof", "at once", "calls", "errors", "p50", "p95", "p99", "slowest", "calls/s"),
        "p50 ÷ without proof",
    )
    return "\n".join(
        [
            "## Latency of paid calls",
            "",
            "A call is complete: offer, signed payment, settlement on chain, inference, proof, "
            "receipt, and the buyer's verification of all of it.",
            "",
            table(head, rows, left=1),
            "",
            image("latency.png"),
        ]
    )


def _stages(scenarios: list[dict[str, Any]]) -> str:
    done = [s for s in scenarios if s["stages_s"]]
    known = {stage for scenario in done for stage in scenario["stages_s"]}
    # Results of before a worker verified each proof once have one stage more.
    at = STAGES.index("verify")
    named = [s for s in (*STAGES[:at], "self-check", *STAGES[at:]) if s in known]
    rows = [[stage, *(_ms(scenario["stages_s"][stage]) for scenario in done)] for stage in named]
    head = ("stage", *(f"{_proof_name(s)}, {s['concurrency']} at once" for s in done))
    return "\n".join(
        [
            "Medians by stage, in milliseconds. They need not add up to the median of the whole. "
            "`load` to `store` are in the receipt's timings; `prove` includes the witness, and "
            "without a proof it is the inference alone. `settle and queue` is the rest of the paid "
            "request: settling on chain, waiting for the one worker, HTTP. `buyer` is signing and "
            "verifying.",
            "",
            table(head, rows, left=1),
        ]
    )


def _cpu_of(run: dict[str, Any], process: str) -> str:
    """Processor time for each order, of a process that not every run has."""
    spent = run["cpu_ms"].get(process)
    return "–" if spent is None else f"{spent:.0f} ms"


def _burst(burst: dict[str, Any] | None) -> str:
    """Orders that come all at once; nothing where they were not measured."""
    if burst is None:
        return ""
    rows = [
        [
            run["database"],
            _proof_name(run),
            str(run["orders"]),
            *(human(run["answered_s"][name]) for name in ("p50", "p95", "p99", "slowest")),
            f"{run['per_s']:.1f}",
            *(_cpu_of(run, name) for name in ("gateway", "worker")),
            f"{run['lost']} / {run['doubled']} / {run['unpaid']}",
        ]
        for run in burst["runs"]
    ]
    head = (
        *("database", "proof", "at once", "p50", "p95", "p99", "slowest", "answers/s"),
        *("gateway's CPU", "worker's CPU", "lost / doubled / unpaid"),
    )
    others = "" if burst["others"] is None else f"; others took {burst['others']:.0%} of the cores"
    return "\n".join(
        [
            "## Paid orders all at once",
            "",
            "From the sending of a signed payment to its answer, when that many payers send "
            f"theirs in the same moment. Measured on {burst['date']}{others}.{_left_out(burst)}",
            "",
            table(head, rows, left=2),
            "",
            "As many jobs as there are cores are computed at a time: on SQLite in the gateway's "
            "one process, on PostgreSQL in a worker process beside it; durable commits; a block "
            "each second and one confirmation, which is a second of each "
            "latency. CPU is processor time for each order. The rows without a proof are what our "
            "own machinery takes: offers, signatures, the order book, settling, pre-processing, "
            "inference, storing, receipts. Afterwards every order is counted in the database, and "
            "every payer's balance on the token: a run with anything but zeroes fails.",
        ]
    )


def _left_out(section: dict[str, Any]) -> str:
    left_out = section.get("left_out")
    return f" **Not run**: {left_out}." if left_out else ""


def orders_table(runs: list[dict[str, Any]]) -> str:
    """Summaries of bench.orders, as Markdown."""
    rows = [
        [
            run["database"],
            str(run["processes"] or "1 for all"),
            f"{run['rate']:,}",
            f"{run['accepted_per_s']:,.0f}",
            f"{run['latency_ms']['p50']:,.1f} ms",
            f"{run['latency_ms']['p95']:,.1f} ms{_of_several(run['p95s_ms'])}",
            f"{run['latency_ms']['p99']:,.1f} ms",
            str(run["missed"]),
            f"{run['cpu_ms']['gateway']:.2f} ms",
            f"{run['settled_per_s']:,.0f}",
            f"{run['lost']} / {run['doubled']}",
        ]
        for run in runs
    ]
    head = (
        *("database", "processes", "offered/s", "accepted/s", "p50", "p95", "p99", "errors"),
        *("gateway's CPU", "settled/s", "lost / doubled"),
    )
    return table(head, rows, left=1)


def _of_several(figures: list[float]) -> str:
    if len(figures) == 1:
        return ""
    return f" ({min(figures):,.1f} to {max(figures):,.1f} in {len(figures)} runs)"


def _orders(orders: dict[str, Any] | None) -> str:
    """Orders at a fixed rate; nothing where they were not measured."""
    if orders is None:
        return ""
    others = orders["others"]
    told = "" if others is None else f"; others took {others:.0%} of the cores"
    settler = orders["settler"]
    return "\n".join(
        [
            "## Taking paid orders",
            "",
            "Sent at a fixed rate, answered or not; a latency counts from the moment an order was "
            "due to its 202, when it is durable. Load, gateway, database and chain share this "
            f"machine. Measured on {orders['date']}{told}.{_left_out(orders)}",
            "",
            orders_table(orders["runs"]),
            "",
            "All checks (signature, quote, input, limits, balance and nonce on the chain), durable "
            "commits, settling behind in blocks of 30 million gas a second, no worker. `processes` "
            "take requests, and one more settles. CPU is processor time of all of them for each "
            "order, what was settled meanwhile included. Lost are orders that were accepted and "
            "are in no database, doubled are jobs beyond the payments. Of several runs, which took "
            "turns with the others', the row is that of the median p95; errors, lost and doubled "
            "are of all of them.",
            "",
            f"The settler alone, with {settler['orders']:,} orders waiting and "
            f"{settler['batch']} in a transaction: {settler['per_second']:,.0f} settlements a "
            f"second, {settler['processor_ms_each']:.2f} ms of processor time each.",
        ]
    )


def _how(results: dict[str, Any]) -> str:
    models = results["models"]
    verifies = max(m["inferproof"]["verify_s"]["count"] for m in models)
    times = "; ".join(
        f"{m['model']} {m['inferproof']['prove_s']['count']} × {m['proofs_per_round']}"
        for m in models
    )
    return f"""\
## How it is measured

- Every command is a process of its own, with as many prover threads as there are cores. The
  benchmark runs one at a time; inferproof and plain ezkl take turns.
- **The native prover** runs in one process for each model (`python -m bench.native_prove`), which
  has it compiled, loads it, proves 21 inputs after a warm-up, verifies each proof, proves seven
  of them once more as a paid job does, and compares the outputs with the float model's. Peak
  memory is that of loading and proving, Python included, which alone takes some 40 MB. Models
  outside of the zoo have random weights of a fixed seed; those of the zoo are proven on their test
  data.
- **ezkl beside it** is `python -m bench.peer_ezkl` on the same model and test data, in a process
  group that is ended when it passes its limit of time or of resident memory (`PEER_SECONDS`,
  `PEER_GB`); what it had reached by then is reported with the reason. Figures that are kept from
  an earlier run carry its date, commit and machine.
- **inferproof** is `inferproof compile`, `prove --repeat N --json` and `verify --json`.
  `compile` includes tuning, keys and one trial proof. `prove` runs from the input to the proof,
  witness included, after a warm-up; ezkl reads the proving key from disk (then cached) in every
  proof. The proof file carries statement, input and outputs besides the proof.
- **Plain ezkl** is the same release of ezkl with its default settings: `gen_settings`,
  `calibrate_settings` for “resources” on 8 samples, `compile_circuit`, `setup`,
  `gen_witness`, `prove`, `verify`. It binds no job, provider or salt, and does not check its
  proofs. Its `compile` has no trial proof, and its `verify` no check of commitments.
- Proving runs in rounds, each a process that makes some proofs and gives their median. Rounds
  and proofs in each: {times}.
- Verifying runs in {verifies} processes and is timed inside them, without the start of Python.
- Peak memory of proving is the kernel's high-water mark of the process that proves; that of
  verifying is the whole command's, Python included.
- The zoo's models are proven on their first calibration sample. `mlp-…` are dense layers with
  ReLU, random weights of a fixed seed, random inputs.
- The SRS is a development one, made beforehand and not timed.
- **Gateway**: one gateway with its default of one worker, SQLite and a local anvil chain that
  mines a block for each transaction; buyers are another process on the same machine, in a closed
  loop: each begins its next call when the last one ended. Both models are token-risk, once with
  `sumcheck` and once with the toy proof system of the tests, which runs the model and proves
  nothing. All else is the same. A public chain adds its own block time to each settlement.

What this does not show: other machines, many cores, a public chain, a remote database, or models
larger than these."""


def _proof_name(scenario: dict[str, Any]) -> str:
    return "without" if scenario["proving"] == "none" else str(scenario["proving"])


def _errors(scenario: dict[str, Any]) -> str:
    codes = ", ".join(scenario["error_codes"])
    return f"{scenario['errors']} ({codes})" if codes else str(scenario["errors"])


def _latency(scenario: dict[str, Any], name: str) -> str:
    latency = scenario["latency_s"]
    return human(latency[name]) if latency else "–"


def _times_unproven(scenario: dict[str, Any], scenarios: list[dict[str, Any]]) -> str:
    for other in scenarios:
        same = other["concurrency"] == scenario["concurrency"]
        if same and other["proving"] == "none" and other["latency_s"] and scenario["latency_s"]:
            return ratio(scenario["latency_s"]["p50"], other["latency_s"]["p50"])
    return "–"


def _decomposition(figures: dict[str, Any]) -> str:
    base, legs = figures["decomposition"]
    return f"{base} × {legs}"


def _seconds(spread: dict[str, float]) -> str:
    extent = f" ({spread['low']:.2f}–{spread['high']:.2f})" if spread["count"] > 1 else ""
    return f"{spread['median']:.2f} s{extent}"


def _millis(spread: dict[str, float]) -> str:
    extent = f" ({_ms(spread['low'])}–{_ms(spread['high'])})" if spread["count"] > 1 else ""
    return f"{_ms(spread['median'])} ms{extent}"


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:,.0f}" if seconds >= 0.01 else f"{seconds * 1e3:.1f}"

"""Makes data/tokens.csv: invented tokens by documented rules, nothing observed.

`python -m zoo.token_risk.generate [--out FILE]`. The rules are in DATA.md; a change of a rule
is a change of the data and of the model.
"""

import argparse
import csv
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parent
SEED = 20260202
ROWS = 4000
TEST_SHARE = 0.25
LABELS = ("low", "medium", "high")

# Medians of log-normal quantities and chances of flags, by the kind of token.
# kind: share, age, liquidity, cap/liquidity, holders, top10 (Beta), locked, verified, mint, block
KINDS = {
    "established": (0.26, 1100, 9e6, 30.0, 60_000, (3.0, 7.0), 0.85, 0.98, 0.10, 0.12),
    "ordinary": (0.34, 330, 4e5, 18.0, 4_500, (4.0, 6.0), 0.65, 0.92, 0.22, 0.18),
    "launch": (0.24, 12, 9e4, 12.0, 800, (4.5, 4.5), 0.45, 0.80, 0.32, 0.25),
    "predatory": (0.16, 6, 6e4, 16.0, 900, (6.0, 3.0), 0.25, 0.60, 0.52, 0.48),
}
FIELDS = (
    "age_days",
    "liquidity_usd",
    "market_cap_usd",
    "volume_24h_usd",
    "holders",
    "top10_share",
    "deployer_share",
    "locked_liquidity_share",
    "lock_days_left",
    "buy_tax_percent",
    "sell_tax_percent",
    "contract_verified",
    "can_mint",
    "can_block_transfers",
    "audits",
    "deployer_abandoned_tokens",
)


def token(rng: np.random.Generator) -> dict[str, float]:
    """The sixteen facts of one invented token."""
    names = list(KINDS)
    kind = names[int(np.searchsorted(np.cumsum([k[0] for k in KINDS.values()]), rng.random()))]
    _, age, pool, multiple, holders, top10, locked, verified, mint, block = KINDS[kind]
    bad = kind == "predatory"
    liquidity = pool * rng.lognormal(0.0, 1.3)
    cap = liquidity * (1.0 + multiple * rng.lognormal(0.0, 0.6))
    is_locked = rng.random() < locked
    taxed = rng.random() < (0.55 if bad else 0.18)
    turnover = 0.25 * rng.lognormal(0.4 if bad else 0.0, 1.0)
    return {
        "age_days": min(round(age * rng.lognormal(0.0, 0.8), 1), 5000.0),
        "liquidity_usd": min(round(liquidity), 10**9),
        "market_cap_usd": min(round(cap), 10**12),
        "volume_24h_usd": min(round(liquidity * turnover), 10**10),
        "holders": 1 + min(int(holders * rng.lognormal(0.0, 1.0)), 10**7),
        "top10_share": round(rng.beta(*top10), 3),
        "deployer_share": round(rng.beta(1.2, 5.0 if bad else 14.0), 3),
        "locked_liquidity_share": round(rng.beta(6.0, 1.5), 3) if is_locked else 0.0,
        "lock_days_left": min(round((45 if bad else 260) * rng.lognormal(0.0, 0.9)), 3650)
        if is_locked
        else 0,
        "buy_tax_percent": round(rng.gamma(2.0, 2.0), 1) if taxed else 0.0,
        "sell_tax_percent": min(round(rng.gamma(2.0, 7.0 if bad else 2.2), 1), 100.0)
        if taxed
        else 0.0,
        "contract_verified": int(rng.random() < verified),
        "can_mint": int(rng.random() < mint),
        "can_block_transfers": int(rng.random() < block),
        "audits": min(int(rng.poisson(1.6 if kind == "established" else 0.5)), 20),
        "deployer_abandoned_tokens": int(rng.poisson(1.8 if bad else 0.12)),
    }


def hazard(t: dict[str, float]) -> float:
    """The rule score of a token before noise: more is riskier. Documented in DATA.md."""
    log = np.log10
    score = 1.1 * (t["top10_share"] - 0.4) * 3.0 + 4.0 * t["deployer_share"]
    score += 0.55 * (5.5 - log(1 + t["liquidity_usd"])) + 0.45 * (2.2 - log(1 + t["age_days"]))
    score += 0.35 * (3.5 - log(1 + t["holders"]))
    score -= 1.0 * t["locked_liquidity_share"] * min(t["lock_days_left"] / 180.0, 1.5)
    score += 0.05 * t["buy_tax_percent"] + 0.09 * t["sell_tax_percent"]
    score += 0.9 * (1 - t["contract_verified"]) - 0.25 * min(t["audits"], 3)
    score += 0.8 * log(1 + t["deployer_abandoned_tokens"]) * 2.0
    # Powers of the owner do harm where the owner can still leave with the pool.
    free = 1.0 - t["locked_liquidity_share"]
    score += (0.4 + 1.2 * free) * t["can_mint"] + (0.3 + 1.1 * free) * t["can_block_transfers"]
    # A price that the pool cannot carry.
    score += 0.5 * max(log(t["market_cap_usd"] / max(t["liquidity_usd"], 1)) - 1.4, 0.0)
    return float(score)


def rows() -> list[dict[str, str]]:
    """All rows, in order."""
    rng = np.random.default_rng(SEED)
    result = []
    for _ in range(ROWS):
        facts = token(rng)
        # Noise: what the sixteen facts do not tell.
        noisy = hazard(facts) + rng.normal(0.0, 0.45)
        label = LABELS[int(noisy > 0.35) + int(noisy > 2.1)]
        split = "test" if rng.random() < TEST_SHARE else "train"
        values = {name: f"{facts[name]:.12g}" for name in FIELDS}
        result.append({"split": split, "label": label, **values})
    return result


def write(path: Path) -> None:
    """Writes the CSV file."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ("split", "label", *FIELDS), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Make the token risk data.")
    parser.add_argument("--out", type=Path, default=FOLDER / "data" / "tokens.csv")
    write(parser.parse_args().out)

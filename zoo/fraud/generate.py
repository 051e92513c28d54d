"""Makes data/transfers.csv: invented transfers by a documented process, nothing observed.

`python -m zoo.fraud.generate [--out FILE]`. Nine in ten transfers are legitimate, and some of
them look odd; the fraudulent follow four stories and hide more or less well. See DATA.md.
"""

import argparse
import csv
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parent
SEED = 20260303
ROWS = 6000
FRAUD_SHARE = 0.10
TEST_SHARE = 0.25
MISLABELLED = 0.005
STORIES = ("takeover", "mule", "approval", "testing")
FIELDS = (
    "amount_usd",
    "amount_to_average",
    "hours_from_usual",
    "account_age_days",
    "transfers_1h",
    "transfers_24h",
    "new_recipients_24h",
    "recipient_known",
    "recipient_age_days",
    "recipient_senders_24h",
    "device_age_days",
    "failed_logins_24h",
    "password_changed_24h",
    "country_changed",
    "balance_share",
    "unlimited_approval",
    "recipient_mixer_share",
    "hops_to_flagged",
)
Facts = dict[str, float]


def legitimate(rng: np.random.Generator) -> Facts:
    """An ordinary transfer, or one of three odd but honest ones."""
    ratio = rng.lognormal(0.0, 0.8)
    age = min(500 * rng.lognormal(0.0, 0.9), 5000.0)
    recent = int(rng.poisson(2.0))
    facts = {
        "amount_usd": min(180 * rng.lognormal(0.0, 1.4) * ratio**0.5, 1e6),
        "amount_to_average": ratio,
        "hours_from_usual": min(abs(rng.normal(0.0, 2.4)), 12.0),
        "account_age_days": age,
        "transfers_1h": int(rng.poisson(0.4)),
        "transfers_24h": recent,
        "new_recipients_24h": min(int(rng.poisson(0.3)), recent + 1),
        "recipient_known": int(rng.random() < 0.68),
        "recipient_age_days": min(400 * rng.lognormal(0.0, 1.0), 5000.0),
        "recipient_senders_24h": int(3 * rng.lognormal(0.0, 1.3)),
        "device_age_days": min(260 * rng.lognormal(0.0, 1.1), age),
        "failed_logins_24h": int(rng.poisson(0.15)),
        "password_changed_24h": int(rng.random() < 0.02),
        "country_changed": int(rng.random() < 0.03),
        "balance_share": rng.beta(1.2, 5.0),
        "unlimited_approval": int(rng.random() < 0.10),
        "recipient_mixer_share": rng.beta(0.6, 30.0),
        "hops_to_flagged": int(rng.choice([3, 4, 5, 6, 7, 8], p=[0.04, 0.1, 0.2, 0.2, 0.2, 0.26])),
    }
    oddity = rng.random()
    if oddity < 0.05:  # a traveller with a new phone
        facts |= {"country_changed": 1, "device_age_days": rng.random() * 3.0}
        facts["hours_from_usual"] = rng.random() * 12.0
    elif oddity < 0.09:  # one large purchase, house or car
        factor = 5.0 + 25.0 * rng.random()
        facts["amount_usd"] = min(facts["amount_usd"] * factor, 1e6)
        facts["amount_to_average"] *= factor
        facts |= {"recipient_known": 0, "balance_share": rng.beta(4.0, 2.0)}
    elif oddity < 0.13:  # a business pays its people in one run
        burst = 5 + int(rng.poisson(8.0))
        facts |= {"transfers_1h": burst, "transfers_24h": burst + 3}
        facts["new_recipients_24h"] = int(rng.poisson(3.0))
    elif oddity < 0.18:  # the first transfer to a fresh address, as exchanges hand them out
        facts |= {"recipient_known": 0, "recipient_age_days": 2 * rng.lognormal(0.0, 1.0)}
        facts["recipient_mixer_share"] = rng.beta(1.0, 12.0)
        facts["hops_to_flagged"] = int(rng.choice([2, 3, 4], p=[0.2, 0.4, 0.4]))
    return facts


def fraudulent(rng: np.random.Generator, story: str) -> Facts:
    """What a thief of one story would do if it did not hide."""
    facts = legitimate(rng) | {
        "recipient_known": 0,
        "recipient_age_days": 4 * rng.lognormal(0.0, 1.0),
        "recipient_mixer_share": rng.beta(1.5, 4.0),
        "hops_to_flagged": int(rng.choice([1, 2, 3, 4], p=[0.3, 0.3, 0.25, 0.15])),
    }
    if story == "takeover":
        factor = 4 * rng.lognormal(0.5, 0.6)
        facts["amount_usd"] = min(facts["amount_usd"] * factor, 1e6)
        facts["amount_to_average"] *= factor
        facts |= {
            "hours_from_usual": 4.0 + rng.random() * 8.0,
            "device_age_days": rng.random() * 1.5,
            "failed_logins_24h": 1 + int(rng.poisson(3.0)),
            "password_changed_24h": int(rng.random() < 0.6),
            "country_changed": int(rng.random() < 0.6),
            "balance_share": rng.beta(6.0, 1.2),
        }
    elif story == "mule":
        facts |= {
            "account_age_days": 20 * rng.lognormal(0.0, 0.8),
            "recipient_senders_24h": 12 + int(25 * rng.lognormal(0.0, 0.8)),
            "balance_share": rng.beta(7.0, 1.0),
            "transfers_24h": 3 + int(rng.poisson(4.0)),
        }
    elif story == "approval":
        facts |= {
            "unlimited_approval": 1,
            "balance_share": rng.beta(5.0, 1.2),
            "recipient_senders_24h": 5 + int(15 * rng.lognormal(0.0, 0.9)),
        }
    else:  # testing: many small transfers from stolen keys
        burst = 6 + int(rng.poisson(10.0))
        facts |= {
            "amount_usd": 4 * rng.lognormal(0.0, 0.7),
            "amount_to_average": 0.05 * rng.lognormal(0.0, 0.6),
            "transfers_1h": burst,
            "transfers_24h": burst + int(rng.poisson(6.0)),
            "new_recipients_24h": burst,
            "device_age_days": rng.random() * 4.0,
        }
    return facts


def transfer(rng: np.random.Generator) -> tuple[Facts, bool]:
    """The eighteen facts of one invented transfer, and whether it is fraud."""
    honest = legitimate(rng)
    if rng.random() >= FRAUD_SHARE:
        return honest, False
    open_facts = fraudulent(rng, STORIES[int(rng.integers(len(STORIES)))])
    # A thief hides: each fact is an honest-looking one with this chance.
    hiding = rng.beta(2.5, 3.0)
    return {n: honest[n] if rng.random() < hiding else open_facts[n] for n in FIELDS}, True


def rows() -> list[dict[str, str]]:
    """All rows, in order."""
    rng = np.random.default_rng(SEED)
    result = []
    for _ in range(ROWS):
        facts, fraud = transfer(rng)
        if rng.random() < MISLABELLED:
            fraud = not fraud
        split = "test" if rng.random() < TEST_SHARE else "train"
        values = {name: f"{facts[name]:.4g}" for name in FIELDS}
        result.append({"split": split, "label": "fraud" if fraud else "legitimate", **values})
    return result


def write(path: Path) -> None:
    """Writes the CSV file."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ("split", "label", *FIELDS), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Make the fraud data.")
    parser.add_argument("--out", type=Path, default=FOLDER / "data" / "transfers.csv")
    write(parser.parse_args().out)

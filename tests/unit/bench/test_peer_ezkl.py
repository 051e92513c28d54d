"""How ezkl's settings are chosen, shown on a circuit that only counts."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT))

from bench.peer_ezkl import BOUND, Chosen, choose  # noqa: E402

from inferproof.proving.ezkl.library import EzklFailed  # noqa: E402

LARGEST = 8.0
SAMPLES = [{"x": np.zeros(1)}] * 4


class Circuit:
    """An error of 2^(2 - scale), so many rows, and values of so many bits."""

    def __init__(
        self, *, rows: int = 100_000, bits: int = 20, lookups: tuple[int, int] | None = None
    ):
        self.rows, self.bits, self.lookups = rows, bits, lookups
        self.built = Chosen(0, 0)
        self.tried: list[int] = []

    def build(self, chosen: Chosen) -> int:
        self.built = chosen
        self.tried.append(chosen.scale)
        return max(self.rows, 2**chosen.digit + 1).bit_length()

    def settings(self) -> dict[str, Any]:
        return {
            "num_rows": self.rows,
            "required_range_checks": [[0, 2**self.built.digit - 1]],
            "required_lookups": ["Exp"] if self.lookups else [],
            "model_instance_shapes": [[1, 4]],
            "total_dynamic_col_size": 0,
            "total_shuffle_col_size": 0,
            "total_const_size": 9,
        }

    def witness(self, _sample: object) -> dict[str, Any]:
        if self.built.digit * self.built.legs < self.bits:
            raise EzklFailed("a value is too large")
        low, high = self.lookups or (0, 0)
        return {"min_lookup_inputs": low, "max_lookup_inputs": high}

    def exact(self, _sample: object) -> list[Any]:
        return [np.array([LARGEST])]

    def outputs(self, _witness: object, like: list[Any]) -> list[Any]:
        return [like[0] + 2.0 ** (2 - self.built.scale)]


def chosen(circuit: Circuit, error: float) -> Chosen:
    found = choose(circuit, SAMPLES, error)  # type: ignore[arg-type]
    assert circuit.built == found
    return found


@pytest.mark.parametrize("error", [0.5, 0.0])
def test_a_percent_of_the_largest_output_is_good_enough(error: float) -> None:
    assert BOUND * LARGEST > 2.0 ** (2 - 7)
    assert chosen(Circuit(), error).scale == 7


def test_the_scale_is_the_smallest_that_is_accurate_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.peer_ezkl.BOUND", 0.0)
    circuit = Circuit()
    assert chosen(circuit, 2.0**-7).scale == 9
    assert set(circuit.tried) == {7, 8, 9}
    assert chosen(Circuit(), 0.99 * 2.0**-7).scale == 10


def test_where_no_scale_is_accurate_enough_it_is_the_finest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("bench.peer_ezkl.BOUND", 0.0)
    assert chosen(Circuit(), 0.0).scale == 13


@pytest.mark.parametrize(("bits", "legs"), [(20, 2), (28, 2), (29, 3), (42, 3), (56, 4)])
def test_digits_are_as_many_as_the_values_need(bits: int, legs: int) -> None:
    found = chosen(Circuit(bits=bits), 1.0)
    assert (found.digit, found.legs, found.logrows) == (14, legs, 17)


def test_values_that_no_digits_hold_are_ezkls_refusal() -> None:
    with pytest.raises(EzklFailed, match="a value is too large"):
        chosen(Circuit(bits=57), 1.0)


@pytest.mark.parametrize(("bits", "digit"), [(18, 9), (19, 10), (24, 12), (26, 13), (28, 14)])
def test_a_small_circuit_has_the_smallest_digits_that_hold_its_values(
    bits: int, digit: int
) -> None:
    found = chosen(Circuit(rows=500, bits=bits), 1.0)
    assert (found.digit, found.legs) == (digit, 2)
    assert found.logrows == digit + 1


def test_lookups_have_the_range_of_the_samples_with_a_margin() -> None:
    found = chosen(Circuit(lookups=(-300_000, 10)), 1.0)
    assert found.lookup == (-600_001, 600_001)
    assert found.logrows == 21
    assert chosen(Circuit(lookups=(-3, 10)), 1.0).lookup == (-129, 129)


def test_what_needs_more_rows_than_ezkl_has_is_a_failure() -> None:
    assert chosen(Circuit(lookups=(-(2**23), 2**23)), 1.0).logrows == 26
    with pytest.raises(EzklFailed, match=r"^it needs 2\^27 rows, and its SRS end with 2\^26$"):
        chosen(Circuit(lookups=(-(2**24), 2**24)), 1.0)

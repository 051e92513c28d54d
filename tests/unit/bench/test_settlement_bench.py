"""The settlement benchmark: its figures, and the target it is there to show."""

import asyncio

import pytest
from bench.settlement import Result, run, table


def test_the_table_has_a_row_for_each_run() -> None:
    results = [
        Result(0, 912, 0, 455.51, 65_660.4, [456, 456], 2.0),
        Result(1, 20, 0, 0.0, 73_664.0, [20], 0.0),
        Result(50, 1_300, 0, 1_650.2, 44_154.0, [650, 650], 2.0),
    ]
    assert table(results).splitlines()[2:] == [
        "| 1, without the contract | 65,660 | 456 | 456, 456 |",
        "| 1 | 73,664 | not measured | 20 |",
        "| 50 | 44,154 | 1,650 | 650, 650 |",
    ]


@pytest.mark.slow
def test_a_block_settles_600_payments_beside_a_bad_one_in_every_batch() -> None:
    # The payments in a full block follow from gas alone, so a slow machine changes nothing.
    (result,) = asyncio.run(run([50], 2_000, bad=True))
    assert result.settled == 2_000 * 49 // 50
    assert result.refused == 2_000 // 50
    first, second, third, *rest = result.by_block
    assert first == second == third
    assert first >= 600
    assert len(rest) <= 1

// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Base} from "../Base.sol";
import {LoadPrice} from "../../src/access/LoadPrice.sol";
import {Rolling, RollingLib} from "../../src/access/Rolling.sol";

contract LoadPriceTest is Base {
    uint96 private constant MOST = type(uint96).max;

    function test_priceAt_goesFromBaseToCap() external pure {
        assertEq(LoadPrice.priceAt(100, 500, 0, 10), 100);
        assertEq(LoadPrice.priceAt(100, 500, 1, 10), 140);
        assertEq(LoadPrice.priceAt(100, 500, 9, 10), 460);
        assertEq(LoadPrice.priceAt(100, 500, 10, 10), 500);
        assertEq(LoadPrice.priceAt(100, 500, 11, 10), 500);
        // Rounded down.
        assertEq(LoadPrice.priceAt(0, 10, 1, 3), 3);
        assertEq(LoadPrice.priceAt(0, 10, 2, 3), 6);
    }

    function test_priceAt_doesNotOverflow() external pure {
        uint32 full = type(uint32).max;
        assertEq(LoadPrice.priceAt(0, MOST, type(uint256).max, full), MOST);
        assertEq(LoadPrice.priceAt(0, MOST, full - 1, full), uint256(MOST) * (full - 1) / full);
        assertEq(LoadPrice.priceAt(MOST, MOST, full - 1, full), MOST);
    }

    function testFuzz_priceAt_staysWithinItsBounds(
        uint96 base,
        uint96 cap,
        uint256 load,
        uint32 full
    ) external pure {
        (base, cap) = base < cap ? (base, cap) : (cap, base);
        full = full == 0 ? 1 : full;
        uint256 price = LoadPrice.priceAt(base, cap, load, full);
        assertTrue(price >= base && price <= cap, "out of bounds");
    }

    function testFuzz_priceAt_neverFallsWithTheLoad(
        uint96 base,
        uint96 cap,
        uint64 load,
        uint32 more,
        uint32 full
    ) external pure {
        (base, cap) = base < cap ? (base, cap) : (cap, base);
        full = full == 0 ? 1 : full;
        uint256 low = LoadPrice.priceAt(base, cap, load % full, full);
        assertTrue(
            LoadPrice.priceAt(base, cap, load % full + uint256(more), full) >= low, "it falls"
        );
    }

    // -- sums by epochs ------------------------------------------------------------------------

    function test_rolled_keepsTwoEpochs() external pure {
        Rolling memory sums = Rolling({epoch: 7, current: 30, previous: 200});
        (Rolling memory same, uint256 none) = RollingLib.rolled(sums, 7);
        assertEq(none, 0);
        assertEq(same.current, 30);
        assertEq(same.previous, 200);
        (Rolling memory next, uint256 older) = RollingLib.rolled(sums, 8);
        assertEq(older, 200);
        assertEq(next.current, 0);
        assertEq(next.previous, 30);
        (Rolling memory far, uint256 all) = RollingLib.rolled(sums, 9);
        assertEq(all, 230);
        assertEq(uint256(far.current) + far.previous, 0);
    }

    function testFuzz_rolled_losesNothing(
        uint40 epoch,
        uint40 on,
        uint96 current,
        uint96 previous,
        uint64 amount
    ) external pure {
        epoch = uint40(bound(epoch, 0, type(uint40).max - 1));
        on = uint40(bound(on, 0, type(uint40).max - epoch));
        (Rolling memory sums, uint256 older) =
            RollingLib.rolled(Rolling(epoch, current, previous), uint256(epoch) + on);
        assertEq(sums.epoch, uint256(epoch) + on);
        RollingLib.add(sums, amount);
        uint256 all = uint256(current) + previous;
        assertEq(older + sums.current + sums.previous, all + amount);
        RollingLib.remove(sums, sums.epoch, amount);
        assertEq(older + sums.current + sums.previous, all);
        // What was added one epoch ago is there; what two, came out.
        assertEq(older, on == 0 ? 0 : on == 1 ? previous : all);
    }
}

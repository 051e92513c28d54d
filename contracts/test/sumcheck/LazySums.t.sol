// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {KoalaBear} from "../../src/sumcheck/KoalaBear.sol";
import {LazySums} from "../../src/sumcheck/LazySums.sol";
import {Quintic} from "../../src/sumcheck/Quintic.sol";
import {Vectors} from "./Vectors.sol";

/// @dev The library from outside: rows are in the call's data.
contract LazySumsCalls {
    function dot(uint256[] memory xs, bytes calldata row) external pure returns (uint256) {
        uint256 offset;
        assembly ("memory-safe") {
            offset := row.offset
        }
        (uint256 high, uint256 low) = LazySums.dot(LazySums.spread(xs), offset, row.length / 4);
        return LazySums.reduced(high, low);
    }
}

contract LazySumsTest is Vectors {
    LazySumsCalls private calls;

    function setUp() public {
        calls = new LazySumsCalls();
    }

    function testFuzz_SumsAreThoseOfSingleProducts(uint256 seed, uint256 count, uint256 more)
        public
        view
    {
        count = bound(count, 0, 70);
        more = bound(more, 0, 13);
        uint256[] memory xs = new uint256[](count);
        bytes memory row;
        uint256 expected = 0;
        for (uint256 i = 0; i < count + more; ++i) {
            uint256 y = _base(seed, 5 * count + i);
            row = bytes.concat(row, _bytes(y));
            // What has no lanes is in no sum.
            if (i >= count) continue;
            for (uint256 l = 0; l < 5; ++l) {
                xs[i] |= _base(seed, 5 * i + l) << 51 * l;
            }
            expected = Quintic.add(expected, Quintic.mulBase(xs[i], y));
        }
        // Behind the row there is something else.
        assertSame(calls.dot(xs, row), expected);
    }

    function testFuzz_ValuesAreThoseOfHorner(uint256 seed, uint256 count) public pure {
        count = bound(count, 0, 70);
        uint256[] memory xs = new uint256[](count);
        for (uint256 i = 0; i < 5 * count; ++i) {
            xs[i / 5] |= _base(seed, i) << 51 * (i % 5);
        }
        uint256 x = _base(seed, 5 * count);
        uint256 value = LazySums.evaluate(LazySums.spread(xs), x);
        assertSame(value, Quintic.evaluateAtBase(xs, x));
    }

    function test_TheLargestSumsFit() public view {
        uint256[] memory xs = new uint256[](256);
        bytes memory row;
        uint256 expected = 0;
        for (uint256 i = 0; i < xs.length; ++i) {
            xs[i] = element([P - 1, P - 1, P - 1, P - 1, P - 1]);
            row = bytes.concat(row, _bytes(P - 1));
            expected = Quintic.add(expected, Quintic.mulBase(xs[i], P - 1));
        }
        assertSame(calls.dot(xs, row), expected);
    }

    function test_ElementsOfARowAreCanonicalOrRefusedByName() public {
        // The last ones have no lanes and are checked too.
        uint256[] memory xs = new uint256[](8);
        for (uint256 i = 0; i < 19; ++i) {
            uint256[3] memory wrong = [P, 0x7fffffff, type(uint32).max];
            for (uint256 k = 0; k < wrong.length; ++k) {
                bytes memory row;
                for (uint256 j = 0; j < 19; ++j) {
                    row = bytes.concat(row, _bytes(j == i ? wrong[k] : P - 1));
                }
                vm.expectRevert(abi.encodeWithSelector(KoalaBear.NotCanonical.selector));
                calls.dot(xs, row);
            }
        }
    }

    /// @dev Every fourth is an edge.
    function _base(uint256 seed, uint256 place) private pure returns (uint256) {
        uint256 drawn = uint256(keccak256(abi.encode(seed, place)));
        return drawn & 3 == 0 ? (drawn & 4) / 4 * (P - 1) : (drawn >> 8) % P;
    }

    function _bytes(uint256 x) private pure returns (bytes memory) {
        return abi.encodePacked(uint8(x), uint8(x >> 8), uint8(x >> 16), uint8(x >> 24));
    }
}

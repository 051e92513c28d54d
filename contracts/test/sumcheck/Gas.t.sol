// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {KeccakTranscript} from "../../src/sumcheck/KeccakTranscript.sol";
import {KoalaBear} from "../../src/sumcheck/KoalaBear.sol";
import {Quintic} from "../../src/sumcheck/Quintic.sol";
import {Vectors} from "./Vectors.sol";

/// @dev What operations cost, with the loop around them and the reading of an operand, some 90 gas. The
/// bounds are a tenth above what was measured (docs/measurements.md); `forge test --match-contract Gas -vvvv`
/// shows the figures.
contract GasTest is Vectors {
    uint256 private constant TIMES = 64;

    event Gas(string what, uint256 gasUsed);

    function test_Sums() public {
        uint256[] memory xs = _elements();
        uint256 x = xs[0];
        uint256 start = gasleft();
        for (uint256 i = 0; i < TIMES; ++i) {
            x = Quintic.add(x, xs[i]);
        }
        _report("add", start - gasleft(), 180, x);
    }

    function test_Products() public {
        uint256[] memory xs = _elements();
        uint256 x = xs[0];
        uint256 start = gasleft();
        for (uint256 i = 0; i < TIMES; ++i) {
            x = Quintic.mul(x, xs[i]);
        }
        _report("mul", start - gasleft(), 395, x);
    }

    function test_ProductsByTheBaseField() public {
        uint256[] memory xs = _elements();
        uint256 x = xs[0];
        uint256 start = gasleft();
        for (uint256 i = 0; i < TIMES; ++i) {
            x = Quintic.mulBase(x, xs[i] & 0xffffffff);
        }
        _report("mulBase", start - gasleft(), 380, x);
    }

    function test_Inverses() public {
        uint256[] memory xs = _elements();
        uint256 x = xs[0];
        uint256 start = gasleft();
        for (uint256 i = 0; i < TIMES; ++i) {
            x ^= Quintic.inverse(xs[i]);
        }
        _report("inverse", start - gasleft(), 7200, x);
    }

    function test_Decoding() public {
        uint256[] memory xs = _elements();
        uint256 x;
        uint256 start = gasleft();
        for (uint256 i = 0; i < TIMES; ++i) {
            // Any bytes below 0x7f in the last place of each coefficient are canonical.
            x ^= Quintic.decode((xs[i] & 0x7f7f7e7f7f7f7e7f7f7f7e7f7f7f7e7f7f7f7e) << 96);
        }
        _report("decode", start - gasleft(), 435, x);
    }

    function test_Challenges() public {
        uint256 state;
        uint256 x;
        uint256 start = gasleft();
        for (uint256 i = 0; i < TIMES; ++i) {
            (state, x) = KeccakTranscript.challenge(state);
        }
        _report("challenge", start - gasleft(), 268, x);
    }

    function test_Indices() public {
        uint256 state;
        uint256 x;
        uint256 start = gasleft();
        for (uint256 i = 0; i < TIMES; ++i) {
            (state, x) = KeccakTranscript.index(state, 17);
        }
        _report("index", start - gasleft(), 130, x);
    }

    function _report(string memory what, uint256 gasUsed, uint256 limit, uint256 result) private {
        emit Gas(what, gasUsed / TIMES);
        assertTrue(result != 0, "used");
        assertTrue(gasUsed / TIMES <= limit, what);
    }

    function _elements() private view returns (uint256[] memory xs) {
        uint256[] memory all = elements(read("field"), ".left");
        xs = new uint256[](TIMES);
        for (uint256 i = 0; i < TIMES; ++i) {
            xs[i] = all[all.length - TIMES + i];
        }
    }
}

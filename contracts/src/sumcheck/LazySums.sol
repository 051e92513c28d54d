// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {KOALA_BEAR_MODULUS, KoalaBear} from "./KoalaBear.sol";
import {Quintic} from "./Quintic.sol";

/// @dev Elements of the extension, each in two words that follow on each other: c0, c2 and c4 at bits 0, 102
/// and 181, and c1 and c3 at bits 0 and 102. Zeros lie behind them, up to a multiple of eight elements.
struct Lanes {
    uint256[] words;
    uint256 count;
}

/// @title Sums of products of the extension by the base field, of which only the sum is reduced.
/// @dev A product of a lane by an element of the base field is below 1.04*2^62, so 2^12 of them fit the
/// smallest lane, of 75 bits.
library LazySums {
    uint256 private constant P = KOALA_BEAR_MODULUS;
    /// @dev Lanes 0 and 2 of an element.
    uint256 private constant EVEN = 0x3fffffffc00000000000000000ffffffff;
    /// @dev The lowest lane of sums, and the one behind it of even coefficients.
    uint256 private constant LOWEST = (1 << 102) - 1;
    uint256 private constant MIDDLE = (1 << 79) - 1;
    /// @dev Every second byte, and every second pair of bytes.
    uint256 private constant BYTES_OF_TWO =
        0x00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff;
    uint256 private constant HALVES =
        0x0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff;
    /// @dev Bit 31 of eight elements, and 2^31 - p in the place of each.
    uint256 private constant HIGH =
        0x8000000080000000800000008000000080000000800000008000000080000000;
    uint256 private constant EXCESS =
        0x00ffffff00ffffff00ffffff00ffffff00ffffff00ffffff00ffffff00ffffff;

    /// @return The elements in lanes.
    function spread(uint256[] memory xs) internal pure returns (Lanes memory) {
        uint256[] memory words = new uint256[](2 * ((xs.length + 7) & ~uint256(7)));
        assembly ("memory-safe") {
            let end := add(xs, shl(5, mload(xs)))
            let to := add(words, 32)
            for { let at := xs } lt(at, end) { to := add(to, 64) } {
                at := add(at, 32)
                let x := mload(at)
                mstore(to, or(and(x, EVEN), shl(181, shr(204, x))))
                mstore(add(to, 32), and(shr(51, x), EVEN))
            }
        }
        return Lanes(words, xs.length);
    }

    /// @return The element whose lanes are these sums.
    function reduced(uint256 high, uint256 low) internal pure returns (uint256) {
        uint256 x = (high & LOWEST) % P | (low & LOWEST) % P << 51;
        return
            x | (high >> 102 & MIDDLE) % P << 102 | (low >> 102) % P << 153 | (high >> 181) % P
                << 204;
    }

    /// @notice Σ lanes[i] * row[i], the row being `length` elements of the base field in the call's data, as a
    /// proof has them. Only the first of them have lanes, which are no more; all of them are checked.
    function dot(Lanes memory lanes, uint256 offset, uint256 length)
        internal
        pure
        returns (uint256 ofHigh, uint256 ofLow)
    {
        assert(lanes.count <= length);
        uint256 wrong;
        assembly ("memory-safe") {
            let at := mload(lanes)
            let end := add(at, shl(5, mload(at)))
            let rowEnd := add(offset, shl(2, length))
            at := add(at, 32)
            for {} lt(at, end) { at := add(at, 512) } {
                let eight := calldataload(offset)
                offset := add(offset, 32)
                if gt(offset, rowEnd) {
                    // What lies behind the last element is none of them.
                    let unread := shl(3, sub(offset, rowEnd))
                    eight := shl(unread, shr(unread, eight))
                }
                // Each element's bytes in reverse.
                eight := or(shl(8, and(eight, BYTES_OF_TWO)), and(shr(8, eight), BYTES_OF_TWO))
                eight := or(shl(16, and(eight, HALVES)), and(shr(16, eight), HALVES))
                // The sum is cut off, or carries, only where an element is not below p.
                wrong := or(wrong, and(or(eight, add(eight, EXCESS)), HIGH))
                let x := shr(224, eight)
                ofHigh := add(ofHigh, mul(x, mload(at)))
                ofLow := add(ofLow, mul(x, mload(add(at, 32))))
                x := and(shr(192, eight), 0xffffffff)
                ofHigh := add(ofHigh, mul(x, mload(add(at, 64))))
                ofLow := add(ofLow, mul(x, mload(add(at, 96))))
                x := and(shr(160, eight), 0xffffffff)
                ofHigh := add(ofHigh, mul(x, mload(add(at, 128))))
                ofLow := add(ofLow, mul(x, mload(add(at, 160))))
                x := and(shr(128, eight), 0xffffffff)
                ofHigh := add(ofHigh, mul(x, mload(add(at, 192))))
                ofLow := add(ofLow, mul(x, mload(add(at, 224))))
                x := and(shr(96, eight), 0xffffffff)
                ofHigh := add(ofHigh, mul(x, mload(add(at, 256))))
                ofLow := add(ofLow, mul(x, mload(add(at, 288))))
                x := and(shr(64, eight), 0xffffffff)
                ofHigh := add(ofHigh, mul(x, mload(add(at, 320))))
                ofLow := add(ofLow, mul(x, mload(add(at, 352))))
                x := and(shr(32, eight), 0xffffffff)
                ofHigh := add(ofHigh, mul(x, mload(add(at, 384))))
                ofLow := add(ofLow, mul(x, mload(add(at, 416))))
                x := and(eight, 0xffffffff)
                ofHigh := add(ofHigh, mul(x, mload(add(at, 448))))
                ofLow := add(ofLow, mul(x, mload(add(at, 480))))
            }
            for {} lt(offset, rowEnd) {} {
                let eight := calldataload(offset)
                offset := add(offset, 32)
                if gt(offset, rowEnd) {
                    // What lies behind the last element is none of them.
                    let unread := shl(3, sub(offset, rowEnd))
                    eight := shl(unread, shr(unread, eight))
                }
                // Each element's bytes in reverse.
                eight := or(shl(8, and(eight, BYTES_OF_TWO)), and(shr(8, eight), BYTES_OF_TWO))
                eight := or(shl(16, and(eight, HALVES)), and(shr(16, eight), HALVES))
                // The sum is cut off, or carries, only where an element is not below p.
                wrong := or(wrong, and(or(eight, add(eight, EXCESS)), HIGH))
            }
        }
        if (wrong != 0) revert KoalaBear.NotCanonical();
    }

    /// @return The value at x of the polynomial whose coefficients are in lanes.
    function evaluate(Lanes memory lanes, uint256 x) internal pure returns (uint256) {
        uint256 ofHigh = 0;
        uint256 ofLow = 0;
        assembly ("memory-safe") {
            let at := mload(lanes)
            let end := add(at, shl(5, mload(at)))
            let power := 1
            for { at := add(at, 32) } lt(at, end) { at := add(at, 512) } {
                ofHigh := add(ofHigh, mul(power, mload(at)))
                ofLow := add(ofLow, mul(power, mload(add(at, 32))))
                power := mod(mul(power, x), P)
                ofHigh := add(ofHigh, mul(power, mload(add(at, 64))))
                ofLow := add(ofLow, mul(power, mload(add(at, 96))))
                power := mod(mul(power, x), P)
                ofHigh := add(ofHigh, mul(power, mload(add(at, 128))))
                ofLow := add(ofLow, mul(power, mload(add(at, 160))))
                power := mod(mul(power, x), P)
                ofHigh := add(ofHigh, mul(power, mload(add(at, 192))))
                ofLow := add(ofLow, mul(power, mload(add(at, 224))))
                power := mod(mul(power, x), P)
                ofHigh := add(ofHigh, mul(power, mload(add(at, 256))))
                ofLow := add(ofLow, mul(power, mload(add(at, 288))))
                power := mod(mul(power, x), P)
                ofHigh := add(ofHigh, mul(power, mload(add(at, 320))))
                ofLow := add(ofLow, mul(power, mload(add(at, 352))))
                power := mod(mul(power, x), P)
                ofHigh := add(ofHigh, mul(power, mload(add(at, 384))))
                ofLow := add(ofLow, mul(power, mload(add(at, 416))))
                power := mod(mul(power, x), P)
                ofHigh := add(ofHigh, mul(power, mload(add(at, 448))))
                ofLow := add(ofLow, mul(power, mload(add(at, 480))))
                power := mod(mul(power, x), P)
            }
        }
        return reduced(ofHigh, ofLow);
    }

    /// @return lanes Those of the elements times X^l, for l from 0 to 4 in turn: so that a row of coefficients
    /// is summed up as one of elements.
    function byCoefficients(uint256[] memory xs) internal pure returns (Lanes memory lanes) {
        uint256[] memory all = new uint256[](5 * xs.length);
        uint256 to;
        assembly ("memory-safe") {
            to := add(all, 32)
        }
        for (uint256 i = 0; i < xs.length; ++i) {
            uint256 x = xs[i];
            for (uint256 l = 0; l < 5; ++l) {
                assembly ("memory-safe") {
                    mstore(to, x)
                    to := add(to, 32)
                }
                x = Quintic.timesX(x);
            }
        }
        return spread(all);
    }
}

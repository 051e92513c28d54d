// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {KOALA_BEAR_MODULUS} from "./KoalaBear.sol";
import {
    QUINTIC_BITS_21,
    QUINTIC_BITS_29,
    QUINTIC_BITS_3,
    QUINTIC_C,
    QUINTIC_DIGIT,
    QUINTIC_N,
    QUINTIC_OFFSET,
    QUINTIC_TWICE
} from "./Quintic.sol";

/// @title Instructions that compute with two elements: most of a program.
/// @dev One loop with the arithmetic of Quintic written out, since calls and checks would take as much again.
library Operations {
    uint256 private constant P = KOALA_BEAR_MODULUS;
    uint256 private constant N = QUINTIC_N;
    uint256 private constant OFFSET = QUINTIC_OFFSET;
    uint256 private constant DIGIT = QUINTIC_DIGIT;
    uint256 private constant BITS_29 = QUINTIC_BITS_29;
    uint256 private constant BITS_21 = QUINTIC_BITS_21;
    uint256 private constant BITS_3 = QUINTIC_BITS_3;
    uint256 private constant C = QUINTIC_C;
    uint256 private constant TWICE = QUINTIC_TWICE;
    /// @dev 3*p in each lane, and one.
    uint256 private constant THRICE_AND_ONE =
        0x17d00000300002fa00000600005f400000c0000be800001800017d000004;
    /// @dev The last of these instructions.
    uint256 private constant EQ = 6;

    /// @dev Runs instructions up to the first one of another kind.
    /// @return Where that is.
    function run(uint256 registers, uint256 next) internal pure returns (uint256) {
        assembly ("memory-safe") {
            for {} 1 { next := add(next, 7) } {
                let word := mload(next)
                let op := shr(248, word)
                // Most are products, then differences and sums.
                if iszero(op) {
                    let x := mload(add(registers, and(shr(211, word), 0x1fffe0)))
                    let y := mload(add(registers, and(shr(195, word), 0x1fffe0)))
                    let low := and(y, DIGIT)
                    let z := addmod(mulmod(x, shr(16, sub(y, low)), N), OFFSET, N)
                    z := sub(z, mul(and(shr(30, mul(and(shr(22, z), BITS_29), C)), BITS_21), P))
                    z := addmod(mulmod(x, low, N), add(shl(16, z), OFFSET), N)
                    z := sub(z, mul(and(shr(30, mul(and(shr(22, z), BITS_29), C)), BITS_21), P))
                    mstore(add(registers, and(shr(227, word), 0x1fffe0)), z)
                    continue
                }
                if eq(op, 3) {
                    let z := add(mload(add(registers, and(shr(211, word), 0x1fffe0))), TWICE)
                    z := sub(z, mload(add(registers, and(shr(195, word), 0x1fffe0))))
                    z := sub(z, mul(and(shr(31, z), BITS_3), P))
                    mstore(add(registers, and(shr(227, word), 0x1fffe0)), z)
                    continue
                }
                if eq(op, 2) {
                    let z := mload(add(registers, and(shr(211, word), 0x1fffe0)))
                    z := add(z, mload(add(registers, and(shr(195, word), 0x1fffe0))))
                    z := sub(z, mul(and(shr(31, z), BITS_3), P))
                    mstore(add(registers, and(shr(227, word), 0x1fffe0)), z)
                    continue
                }
                // Operands of others are no registers.
                if gt(op, EQ) { break }
                let x := mload(add(registers, and(shr(211, word), 0x1fffe0)))
                let y := mload(add(registers, and(shr(195, word), 0x1fffe0)))
                word := add(registers, and(shr(227, word), 0x1fffe0))
                let low := and(y, DIGIT)
                let z := addmod(mulmod(x, shr(16, sub(y, low)), N), OFFSET, N)
                z := sub(z, mul(and(shr(30, mul(and(shr(22, z), BITS_29), C)), BITS_21), P))
                z := addmod(mulmod(x, low, N), add(shl(16, z), OFFSET), N)
                z := sub(z, mul(and(shr(30, mul(and(shr(22, z), BITS_29), C)), BITS_21), P))
                // What is done with a product.
                switch op
                case 1 { z := add(z, mload(word)) }
                case 4 { z := sub(add(mload(word), TWICE), z) }
                default { if eq(op, EQ) { z := sub(add(add(z, z), THRICE_AND_ONE), add(x, y)) } }
                mstore(word, sub(z, mul(and(shr(31, z), BITS_3), P)))
            }
        }
        return next;
    }
}

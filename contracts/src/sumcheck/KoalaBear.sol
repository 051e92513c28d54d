// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @dev The modulus of the base field, which assembly takes from here.
uint256 constant KOALA_BEAR_MODULUS = 0x7f000001;

/// @title The base field: integers modulo p = 2^31 - 2^24 + 1.
/// @dev An element is a number below p in a word. Source: specs/transcript.md, section 1.
library KoalaBear {
    uint256 internal constant P = KOALA_BEAR_MODULUS;
    /// @dev A generator of the subgroup of order 2^24, the largest power of two.
    uint256 internal constant ROOT_OF_UNITY = 0x6ac49f88;
    uint256 internal constant TWO_ADICITY = 24;

    /// @dev Something else than the canonical bytes of an element: a coefficient is not below p.
    error NotCanonical();

    /// @dev Zero has no inverse.
    error ZeroHasNoInverse();

    /// @dev The field has no subgroup of this order.
    error NoSubgroup(uint256 logOrder);

    /// @return result x^exponent.
    function power(uint256 x, uint256 exponent) internal pure returns (uint256 result) {
        assembly ("memory-safe") {
            result := 1
            for {} exponent { exponent := shr(1, exponent) } {
                if and(exponent, 1) { result := mod(mul(result, x), P) }
                x := mod(mul(x, x), P)
            }
        }
    }

    /// @return result x^(2^times).
    function squared(uint256 x, uint256 times) internal pure returns (uint256 result) {
        assembly ("memory-safe") {
            result := x
            for {} times { times := sub(times, 1) } { result := mod(mul(result, result), P) }
        }
    }

    /// @return found x^exponent for exponents of so many bits, four of which have a table each.
    function powers(uint256 x, uint256[] memory exponents, uint256 bits)
        internal
        pure
        returns (uint256[] memory found)
    {
        uint256[] memory table = new uint256[](16 * ((bits + 3) / 4));
        found = new uint256[](exponents.length);
        assembly ("memory-safe") {
            table := add(table, 32)
            let end := add(table, shl(5, mload(sub(table, 32))))
            for { let at := table } lt(at, end) {} {
                let entry := 1
                for { let i := 0 } lt(i, 16) { i := add(i, 1) } {
                    mstore(at, entry)
                    entry := mod(mul(entry, x), P)
                    at := add(at, 32)
                }
                x := entry
            }
            end := add(found, shl(5, mload(found)))
            for { let at := found } lt(at, end) {} {
                at := add(at, 32)
                exponents := add(exponents, 32)
                let result := 1
                let own := table
                for { let rest := mload(exponents) } rest { rest := shr(4, rest) } {
                    result := mod(mul(result, mload(add(own, shl(5, and(rest, 15))))), P)
                    own := add(own, 512)
                }
                mstore(at, result)
            }
        }
    }

    /// @return 1/x, which is x^(p-2).
    function inverse(uint256 x) internal pure returns (uint256) {
        if (x == 0) revert ZeroHasNoInverse();
        return power(x, P - 2);
    }

    /// @return A generator of the subgroup of order 2^logOrder: ROOT_OF_UNITY^(2^(24 - logOrder)).
    function twoAdicGenerator(uint256 logOrder) internal pure returns (uint256) {
        if (logOrder > TWO_ADICITY) revert NoSubgroup(logOrder);
        return power(ROOT_OF_UNITY, 1 << (TWO_ADICITY - logOrder));
    }
}

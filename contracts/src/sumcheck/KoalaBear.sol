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

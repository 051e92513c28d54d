// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {KOALA_BEAR_MODULUS, KoalaBear} from "./KoalaBear.sol";

/// @title The field of challenges: KoalaBear[X] / (X^5 + X^2 - 1).
/// @dev An element c0 + c1*X + ... + c4*X^4 is one word of five lanes of 32 bits, c0 in the most
/// significant one at bit 128 and c4 at bit 0; all that is above bit 160 is zero. The lanes are in the
/// order of the canonical bytes of a proof (specs/transcript.md, section 1), each of which is in
/// little-endian order there.
///
/// Every function takes and gives elements whose lanes are below p. Nothing in here checks that but
/// `check`, which everything that reads a proof goes through.
///
/// A product needs five multiplications: lanes 0, 2, 4 of a word and lanes 1, 3, shifted down, are
/// polynomials in Y = 2^64, so a multiplication of words is one of polynomials whose coefficients have 64
/// bits. That is enough for sums of four products: 4*(p-1)^2 < 2^64. What a product leaves at 2^256 and
/// above is that of both c0 alone, which is made by itself.
library Quintic {
    uint256 private constant P = KOALA_BEAR_MODULUS;
    /// @dev A lane of 64 bits.
    uint256 private constant LANE = 0xffffffffffffffff;
    /// @dev Lanes 0, 2 and 4 of 32 bits, counted from bit 0.
    uint256 private constant EVEN = 0x00ffffffff00000000ffffffff00000000ffffffff;
    /// @dev Bit 31 of each lane.
    uint256 private constant HIGH = 0x008000000080000000800000008000000080000000;
    /// @dev 2^31 - p in each lane: bit 31 of x + EXCESS is set where x is p or more.
    uint256 private constant EXCESS = 0x0000ffffff00ffffff00ffffff00ffffff00ffffff;
    /// @dev p in each lane.
    uint256 private constant MODULI = 0x007f0000017f0000017f0000017f0000017f000001;
    /// @dev Multiples of p^2, which keep differences of products above zero.
    uint256 private constant P2 = 0x3f010000fe000001;
    uint256 private constant P2_2 = 0x7e020001fc000002;
    uint256 private constant P2_3 = 0xbd030002fa000003;
    uint256 private constant P2_4 = 0xfc040003f8000004;
    /// @dev X^p, X^(2p), X^(3p) and X^(4p).
    uint256 private constant FROBENIUS_1 = 0x005df5feeb45ecc3a05d70a17947ef538700250cf2;
    uint256 private constant FROBENIUS_2 = 0x00642809900015166224abc7585242ba9a119bee90;
    uint256 private constant FROBENIUS_3 = 0x001a4ca5a41342862e2a053dae562a69681e02e144;
    uint256 private constant FROBENIUS_4 = 0x005153c3c1443b54a677b5ff2f088b9b963d3d0ba1;

    uint256 internal constant ONE = 1 << 128;

    /// @dev Two sequences that belong together have different lengths.
    error LengthsDiffer(uint256 left, uint256 right);

    /// @return The element of the base field's `x`.
    function fromBase(uint256 x) internal pure returns (uint256) {
        return x << 128;
    }

    /// @dev Reads the 20 canonical bytes of an element, which are the first of `word`.
    function decode(uint256 word) internal pure returns (uint256 x) {
        assembly ("memory-safe") {
            x := shr(96, word)
            x := or(
                shl(8, and(x, 0x0000ff00ff00ff00ff00ff00ff00ff00ff00ff00ff)),
                and(shr(8, x), 0x0000ff00ff00ff00ff00ff00ff00ff00ff00ff00ff)
            )
            x := or(
                shl(16, and(x, 0x000000ffff0000ffff0000ffff0000ffff0000ffff)),
                and(shr(16, x), 0x000000ffff0000ffff0000ffff0000ffff0000ffff)
            )
        }
        check(x);
    }

    /// @return The 20 canonical bytes of an element.
    function encode(uint256 x) internal pure returns (bytes20) {
        x = (x & 0x0000ff00ff00ff00ff00ff00ff00ff00ff00ff00ff) << 8 | (x >> 8)
            & 0x0000ff00ff00ff00ff00ff00ff00ff00ff00ff00ff;
        x = (x & 0x000000ffff0000ffff0000ffff0000ffff0000ffff) << 16 | (x >> 16)
            & 0x000000ffff0000ffff0000ffff0000ffff0000ffff;
        return bytes20(uint160(x));
    }

    /// @return X^power for a power below 5.
    function monomial(uint256 power) internal pure returns (uint256) {
        return 1 << (128 - 32 * power);
    }

    /// @dev Reverts unless each lane is below p and nothing is above them.
    function check(uint256 x) internal pure {
        // Where no bit 31 is set, a lane of x + EXCESS stays below 2^32.
        if (x >> 160 != 0 || (x | x + EXCESS) & HIGH != 0) revert KoalaBear.NotCanonical();
    }

    /// @return z x + y.
    function add(uint256 x, uint256 y) internal pure returns (uint256 z) {
        assembly ("memory-safe") {
            z := add(x, y)
            z := sub(z, mul(shr(31, and(add(z, EXCESS), HIGH)), P))
        }
    }

    /// @return z x - y.
    function sub(uint256 x, uint256 y) internal pure returns (uint256 z) {
        assembly ("memory-safe") {
            z := sub(add(x, MODULI), y)
            z := sub(z, mul(shr(31, and(add(z, EXCESS), HIGH)), P))
        }
    }

    /// @return z x * y.
    function mul(uint256 x, uint256 y) internal pure returns (uint256 z) {
        assembly ("memory-safe") {
            // Both c0.
            z := mul(shr(128, x), shr(128, y))
            let evens := and(x, EVEN)
            let s8 := and(y, EVEN)
            x := and(shr(32, x), EVEN)
            y := and(shr(32, y), EVEN)
            // From bit 0 upward: coefficients of X^7, X^5, X^3, X, then parts of those of X^8, X^6, X^4, X^2,
            // and of X^6, X^4, X^2.
            let crossed := add(mul(evens, y), mul(x, s8))
            evens := mul(evens, s8)
            x := mul(x, y)
            s8 := and(evens, LANE)
            y := and(crossed, LANE)
            let s6 := add(and(shr(64, evens), LANE), and(x, LANE))
            let s5 := and(shr(64, crossed), LANE)
            // X^5 = 1 - X^2, X^6 = X - X^3, X^7 = X^2 - X^4, X^8 = X^3 + X^2 - 1.
            z := shl(128, mod(add(z, add(s5, sub(P2, s8))), P))
            z := or(z, shl(96, mod(add(shr(192, crossed), s6), P)))
            s5 := sub(add(add(shr(192, evens), shr(128, x)), add(add(y, s8), P2_4)), s5)
            z := or(z, shl(64, mod(s5, P)))
            s6 := sub(add(and(shr(128, crossed), LANE), add(s8, P2_3)), s6)
            z := or(z, shl(32, mod(s6, P)))
            y := sub(add(and(shr(128, evens), LANE), add(and(shr(64, x), LANE), P2_2)), y)
            z := or(z, mod(y, P))
        }
    }

    /// @return x * x.
    function square(uint256 x) internal pure returns (uint256) {
        return mul(x, x);
    }

    /// @return z x * y for y in the base field.
    function mulBase(uint256 x, uint256 y) internal pure returns (uint256 z) {
        assembly ("memory-safe") {
            let evens := mul(and(x, EVEN), y)
            let odds := mul(and(shr(32, x), EVEN), y)
            z := mod(and(evens, LANE), P)
            z := or(z, shl(32, mod(and(odds, LANE), P)))
            z := or(z, shl(64, mod(and(shr(64, evens), LANE), P)))
            z := or(z, shl(96, mod(shr(64, odds), P)))
            z := or(z, shl(128, mod(shr(128, evens), P)))
        }
    }

    /// @return x * X: all coefficients move by one, and c4*X^5 = c4 - c4*X^2.
    function timesX(uint256 x) internal pure returns (uint256) {
        uint256 last = x & 0xffffffff;
        return sub(x >> 32 | last << 128, last << 64);
    }

    /// @return z x^p, which is Σ ci * X^(ip), because ci^p = ci.
    function frobenius(uint256 x) internal pure returns (uint256 z) {
        assembly ("memory-safe") {
            let c := and(shr(96, x), 0xffffffff)
            let evens := add(shl(128, shr(128, x)), mul(c, and(FROBENIUS_1, EVEN)))
            let odds := mul(c, and(shr(32, FROBENIUS_1), EVEN))
            c := and(shr(64, x), 0xffffffff)
            evens := add(evens, mul(c, and(FROBENIUS_2, EVEN)))
            odds := add(odds, mul(c, and(shr(32, FROBENIUS_2), EVEN)))
            c := and(shr(32, x), 0xffffffff)
            evens := add(evens, mul(c, and(FROBENIUS_3, EVEN)))
            odds := add(odds, mul(c, and(shr(32, FROBENIUS_3), EVEN)))
            c := and(x, 0xffffffff)
            evens := add(evens, mul(c, and(FROBENIUS_4, EVEN)))
            odds := add(odds, mul(c, and(shr(32, FROBENIUS_4), EVEN)))
            z := mod(and(evens, LANE), P)
            z := or(z, shl(32, mod(and(odds, LANE), P)))
            z := or(z, shl(64, mod(and(shr(64, evens), LANE), P)))
            z := or(z, shl(96, mod(shr(64, odds), P)))
            z := or(z, shl(128, mod(shr(128, evens), P)))
        }
    }

    /// @return 1/x. With y = x^(p + p^2 + p^3 + p^4), x*y is the norm of x and so in the base field.
    function inverse(uint256 x) internal pure returns (uint256) {
        uint256 y = frobenius(mul(x, frobenius(x)));
        y = mul(y, frobenius(frobenius(y)));
        return mulBase(y, KoalaBear.inverse(mul(x, y) >> 128));
    }

    /// @return product eq of two points: Π (1 - xi - yi + 2*xi*yi).
    function equal(uint256[] memory xs, uint256[] memory ys)
        internal
        pure
        returns (uint256 product)
    {
        if (xs.length != ys.length) {
            revert LengthsDiffer(xs.length, ys.length);
        }
        product = ONE;
        for (uint256 i = 0; i < xs.length; ++i) {
            uint256 both = mul(xs[i], ys[i]);
            uint256 factor = sub(sub(ONE, xs[i]), sub(ys[i], add(both, both)));
            product = mul(product, factor);
        }
    }

    /// @return product eq of a point and the corner that is the number `index`, the point's first coordinate
    /// standing for its most significant bit.
    function equalAt(uint256[] memory xs, uint256 index) internal pure returns (uint256 product) {
        product = ONE;
        for (uint256 i = xs.length; i > 0; --i) {
            uint256 x = xs[i - 1];
            product = mul(product, index & 1 == 1 ? x : sub(ONE, x));
            index >>= 1;
        }
    }

    /// @return table eq of a point and each corner, times a scale, in the order of the corners' numbers.
    function equality(uint256[] memory xs, uint256 scale)
        internal
        pure
        returns (uint256[] memory table)
    {
        table = new uint256[](1 << xs.length);
        table[0] = scale;
        for (uint256 i = 0; i < xs.length; ++i) {
            for (uint256 j = 1 << i; j > 0; --j) {
                uint256 one = mul(table[j - 1], xs[i]);
                table[2 * j - 1] = one;
                table[2 * j - 2] = sub(table[j - 1], one);
            }
        }
    }

    /// @return value Σ coefficients[i] * x^i.
    function evaluate(uint256[] memory coefficients, uint256 x)
        internal
        pure
        returns (uint256 value)
    {
        for (uint256 i = coefficients.length; i > 0; --i) {
            value = add(mul(value, x), coefficients[i - 1]);
        }
    }

    /// @return value Σ coefficients[i] * x^i for x in the base field.
    function evaluateAtBase(uint256[] memory coefficients, uint256 x)
        internal
        pure
        returns (uint256 value)
    {
        for (uint256 i = coefficients.length; i > 0; --i) {
            value = add(mulBase(value, x), coefficients[i - 1]);
        }
    }
}

// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {KOALA_BEAR_MODULUS, KoalaBear} from "./KoalaBear.sol";

/// @dev B^5 + B^2 - 1 for B = 2^51, see Quintic.
uint256 constant QUINTIC_N = 0x800000000000000000000000000000000000003fffffffffffffffffffffffff;
/// @dev In each lane the least multiple of p that is at least as many products as are subtracted there,
/// 1, 0, 4, 3 and 2, of W - 1 and a digit of Y.
uint256 constant QUINTIC_OFFSET =
    0x190207203268e4b060580973a8c81019419346c0000000000000c81039019347;
/// @dev 16 bits of each lane.
uint256 constant QUINTIC_DIGIT = 0xffff000000001fffe000000003fffc000000007fff800000000ffff;
/// @dev 29 bits of each lane.
uint256 constant QUINTIC_BITS_29 = 0x1fffffff000003ffffffe000007ffffffc00000fffffff800001fffffff;
/// @dev 21 bits of each lane.
uint256 constant QUINTIC_BITS_21 = 0x1fffff00000003ffffe00000007ffffc0000000fffff80000001fffff;
/// @dev Three bits of each lane.
uint256 constant QUINTIC_BITS_3 = 0x7000000000000e000000000001c0000000000038000000000007;
/// @dev floor(2^52/p).
uint256 constant QUINTIC_C = 0x204081;
/// @dev 2*p in each lane.
uint256 constant QUINTIC_TWICE = 0xfe00000200001fc00000400003f800000800007f00000100000fe000002;
/// @dev 3*p in each lane.
uint256 constant QUINTIC_THRICE = 0x17d00000300002fa00000600005f400000c0000be800001800017d000003;

/// @title The field of challenges: KoalaBear[X] / (X^5 + X^2 - 1).
/// @dev An element c0 + c1*X + ... + c4*X^4 is one word of five lanes of 51 bits, c0 in the lowest one: its
/// value at X = B = 2^51. Lanes are below W = 2^31 + 2^26, and not always below p, so an element has more than
/// one word. `canonical` gives the one whose lanes are below p; words are compared and hashed as that only. What
/// is read from a proof is canonical or refused.
///
/// A product is one of words modulo N = B^5 + B^2 - 1: the EVM reduces powers of X by that. Coefficients of
/// a product have 65 bits, so the second factor is taken in digits of 16 bits. A coefficient of the product
/// is a sum of at most six products less at most four, and OFFSET, a multiple of p in each lane, keeps it
/// above zero. With a first factor below W and a second one below Y = 3*2^31 + 2^26 all lanes stay below
/// 0.98*2^51, and so the whole below N, for either digit; and so they do where digits are multiplied by two
/// words below W and 2^31 whose products are added (`times`) and the second factor is below W.
///
/// A lane v < 2^51 is reduced by the quotient q = floor(v/2^22)*C / 2^30, C = floor(2^52/p): since 2^52/p - C
/// < 0.007, q is at least v/p - 1.0055, so that v - q*p < 1.0055*p < 2^31.
library Quintic {
    uint256 private constant P = KOALA_BEAR_MODULUS;
    /// @dev Those above.
    uint256 private constant N = QUINTIC_N;
    uint256 private constant OFFSET = QUINTIC_OFFSET;
    uint256 private constant DIGIT = QUINTIC_DIGIT;
    uint256 private constant BITS_29 = QUINTIC_BITS_29;
    uint256 private constant BITS_21 = QUINTIC_BITS_21;
    uint256 private constant BITS_3 = QUINTIC_BITS_3;
    /// @dev A bit of each lane.
    uint256 private constant BITS_1 = 0x1000000000000200000000000040000000000008000000000001;
    uint256 private constant C = QUINTIC_C;
    /// @dev 2^31 - p in each lane.
    uint256 private constant EXCESS = 0xffffff0000001fffffe0000003fffffc0000007fffff8000000ffffff;
    uint256 private constant TWICE = QUINTIC_TWICE;
    uint256 private constant THRICE = QUINTIC_THRICE;
    /// @dev All but 31 bits of each lane.
    uint256 private constant ABOVE =
        0xfffff80000000fffff00000001ffffe00000003ffffc00000007ffff80000000;
    /// @dev X^p, X^(2p), X^(3p) and X^(4p).
    uint256 private constant FROBENIUS_1 =
        0x0000000250cf2000008fdea70e0000175c285e4000022f661d0000005df5feeb;
    uint256 private constant FROBENIUS_2 =
        0x00000119bee9000000a48575340000092af1d600000000a8b310000064280990;
    uint256 private constant FROBENIUS_3 =
        0x000001e02e14400000ac54d2d000000a814f6b8000009a14317000001a4ca5a4;
    uint256 private constant FROBENIUS_4 =
        0x000003d3d0ba1000001117372c00001ded7fcbc0000221daa53000005153c3c1;

    uint256 internal constant ONE = 1;
    /// @dev Bits of a lane.
    uint256 internal constant LANE = 51;

    /// @dev Two sequences that belong together have different lengths.
    error LengthsDiffer(uint256 left, uint256 right);

    /// @return The element of the base field's `x`.
    function fromBase(uint256 x) internal pure returns (uint256) {
        return x;
    }

    /// @dev Reads the 20 canonical bytes of an element, which are the first of `word`.
    function decode(uint256 word) internal pure returns (uint256 x) {
        uint256 wrong;
        assembly ("memory-safe") {
            x := shr(96, word)
            // Each coefficient's bytes in reverse.
            x := or(
                shl(8, and(x, 0x0000ff00ff00ff00ff00ff00ff00ff00ff00ff00ff)),
                and(shr(8, x), 0x0000ff00ff00ff00ff00ff00ff00ff00ff00ff00ff)
            )
            x := or(
                shl(16, and(x, 0x000000ffff0000ffff0000ffff0000ffff0000ffff)),
                and(shr(16, x), 0x000000ffff0000ffff0000ffff0000ffff0000ffff)
            )
            // Where no bit 31 is set, nothing carries into the next one.
            wrong := and(
                or(x, add(x, 0x00ffffff00ffffff00ffffff00ffffff00ffffff)),
                0x8000000080000000800000008000000080000000
            )
            x := or(
                or(
                    or(shr(128, x), and(shr(45, x), shl(51, 0xffffffff))),
                    or(
                        and(shl(38, x), shl(102, 0xffffffff)),
                        and(shl(121, x), shl(153, 0xffffffff))
                    )
                ),
                shl(204, and(x, 0xffffffff))
            )
        }
        if (wrong != 0) revert KoalaBear.NotCanonical();
    }

    /// @return The 20 canonical bytes of an element.
    function encode(uint256 x) internal pure returns (bytes20) {
        x = canonical(x);
        uint256 y = 0;
        for (uint256 i = 0; i < 5; ++i) {
            y = y << 32 | (x & 0xffffffff);
            x >>= LANE;
        }
        y = (y & 0x0000ff00ff00ff00ff00ff00ff00ff00ff00ff00ff) << 8 | (y >> 8)
            & 0x0000ff00ff00ff00ff00ff00ff00ff00ff00ff00ff;
        y = (y & 0x000000ffff0000ffff0000ffff0000ffff0000ffff) << 16 | (y >> 16)
            & 0x000000ffff0000ffff0000ffff0000ffff0000ffff;
        return bytes20(uint160(y));
    }

    /// @return X^power for a power below 5.
    function monomial(uint256 power) internal pure returns (uint256) {
        return 1 << LANE * power;
    }

    /// @dev Reverts unless a word is canonical.
    function check(uint256 x) internal pure {
        unchecked {
            // Where no bit is set above 31 of a lane, nothing carries into the next one.
            if ((x | x + EXCESS) & ABOVE != 0) revert KoalaBear.NotCanonical();
        }
    }

    /// @return z The canonical word of an element.
    function canonical(uint256 x) internal pure returns (uint256 z) {
        assembly ("memory-safe") {
            z := sub(x, mul(and(shr(31, add(x, EXCESS)), BITS_1), P))
        }
    }

    /// @return Whether two words are of one element.
    function same(uint256 x, uint256 y) internal pure returns (bool) {
        return canonical(x) == canonical(y);
    }

    /// @return z The element of lanes below 5*2^31: bits above 31 of a lane are at most 4, and 2^31 - p = 2^24 - 1.
    function _few(uint256 x) private pure returns (uint256 z) {
        assembly ("memory-safe") {
            z := sub(x, mul(and(shr(31, x), BITS_3), P))
        }
    }

    /// @return z The element of lanes below 2^51; its own are below 2^31.
    function reduce(uint256 x) internal pure returns (uint256 z) {
        assembly ("memory-safe") {
            z := sub(x, mul(and(shr(30, mul(and(shr(22, x), BITS_29), C)), BITS_21), P))
        }
    }

    /// @return z x + y.
    function add(uint256 x, uint256 y) internal pure returns (uint256 z) {
        assembly ("memory-safe") {
            z := add(x, y)
            z := sub(z, mul(and(shr(31, z), BITS_3), P))
        }
    }

    /// @return z x - y.
    function sub(uint256 x, uint256 y) internal pure returns (uint256 z) {
        assembly ("memory-safe") {
            z := sub(add(x, TWICE), y)
            z := sub(z, mul(and(shr(31, z), BITS_3), P))
        }
    }

    /// @return z x * y, where y's lanes may be below Y.
    function mul(uint256 x, uint256 y) internal pure returns (uint256 z) {
        assembly ("memory-safe") {
            let low := and(y, DIGIT)
            z := addmod(mulmod(x, shr(16, sub(y, low)), N), OFFSET, N)
            z := sub(z, mul(and(shr(30, mul(and(shr(22, z), BITS_29), C)), BITS_21), P))
            z := addmod(mulmod(x, low, N), add(shl(16, z), OFFSET), N)
            z := sub(z, mul(and(shr(30, mul(and(shr(22, z), BITS_29), C)), BITS_21), P))
        }
    }

    /// @return What `times` takes besides x: x * 2^16, with lanes below 2^31.
    function shifted(uint256 x) internal pure returns (uint256) {
        return reduce(x << 16);
    }

    /// @return z x * y, given x * 2^16.
    function times(uint256 x, uint256 above, uint256 y) internal pure returns (uint256 z) {
        assembly ("memory-safe") {
            let low := and(y, DIGIT)
            z := addmod(mulmod(x, low, N), add(mulmod(above, shr(16, sub(y, low)), N), OFFSET), N)
            z := sub(z, mul(and(shr(30, mul(and(shr(22, z), BITS_29), C)), BITS_21), P))
        }
    }

    /// @return x * x.
    function square(uint256 x) internal pure returns (uint256) {
        return mul(x, x);
    }

    /// @return x * y for y in the base field.
    function mulBase(uint256 x, uint256 y) internal pure returns (uint256) {
        unchecked {
            return reduce(x * (y & 0xffff) + (reduce(x * (y >> 16)) << 16));
        }
    }

    /// @return z x * X.
    function timesX(uint256 x) internal pure returns (uint256 z) {
        assembly ("memory-safe") {
            // All coefficients move by one, and c4*X^5 = c4 - c4*X^2.
            z := addmod(mulmod(x, shl(51, 1), N), shl(102, shl(1, P)), N)
            z := sub(z, mul(and(shr(31, z), BITS_3), P))
        }
    }

    /// @return z Σ_l X^l * word l of the five words that begin at a place in memory.
    function joined(uint256 where) internal pure returns (uint256 z) {
        assembly ("memory-safe") {
            z := mload(add(where, 128))
            z := add(mulmod(z, shl(51, 1), N), mload(add(where, 96)))
            z := add(mulmod(z, shl(51, 1), N), mload(add(where, 64)))
            z := add(mulmod(z, shl(51, 1), N), mload(add(where, 32)))
            z := add(mulmod(z, shl(51, 1), N), mload(where))
            z := addmod(z, OFFSET, N)
        }
        return reduce(z);
    }

    /// @return x^p, which is Σ ci * X^(ip), because ci^p = ci.
    function frobenius(uint256 x) internal pure returns (uint256) {
        uint256 low = x & 0xffffffff;
        uint256 high = 0;
        unchecked {
            (low, high) = _scaled(x >> LANE, FROBENIUS_1, low, high);
            (low, high) = _scaled(x >> 2 * LANE, FROBENIUS_2, low, high);
            (low, high) = _scaled(x >> 3 * LANE, FROBENIUS_3, low, high);
            (low, high) = _scaled(x >> 4 * LANE, FROBENIUS_4, low, high);
            return reduce(low + (reduce(high) << 16));
        }
    }

    /// @dev Adds a constant times both digits of a lane.
    function _scaled(uint256 x, uint256 constant_, uint256 low, uint256 high)
        private
        pure
        returns (uint256, uint256)
    {
        unchecked {
            return (low + (x & 0xffff) * constant_, high + (x >> 16 & 0xffff) * constant_);
        }
    }

    /// @return 1/x. With y = x^(p + p^2 + p^3 + p^4), x*y is the norm of x and so in the base field.
    function inverse(uint256 x) internal pure returns (uint256) {
        uint256 y = frobenius(mul(x, frobenius(x)));
        y = mul(y, frobenius(frobenius(y)));
        return mulBase(y, KoalaBear.inverse(canonical(mul(x, y)) & 0xffffffff));
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
        unchecked {
            for (uint256 i = 0; i < xs.length; ++i) {
                product = mul(product, agreement(_word(xs, i), _word(ys, i)));
            }
        }
    }

    /// @return 1 - x - y + 2*x*y.
    function agreement(uint256 x, uint256 y) internal pure returns (uint256) {
        unchecked {
            return _few(2 * mul(x, y) + (THRICE + ONE) - x - y);
        }
    }

    /// @return product eq of a point and the corner that is the number `index`, the point's first coordinate
    /// standing for its most significant bit.
    function equalAt(uint256[] memory xs, uint256 index) internal pure returns (uint256 product) {
        product = ONE;
        unchecked {
            for (uint256 i = xs.length; i > 0; --i) {
                uint256 x = _word(xs, i - 1);
                product = mul(product, index & 1 == 1 ? x : TWICE + ONE - x);
                index >>= 1;
            }
        }
    }

    /// @return table eq of a point and each corner, times a scale, in the order of the corners' numbers.
    function equality(uint256[] memory xs, uint256 scale)
        internal
        pure
        returns (uint256[] memory table)
    {
        table = new uint256[](1 << xs.length);
        assembly ("memory-safe") {
            mstore(add(table, 32), scale)
        }
        unchecked {
            for (uint256 i = 0; i < xs.length; ++i) {
                uint256 x = xs[i];
                uint256 above = shifted(x);
                uint256 from = 1 << i;
                assembly ("memory-safe") {
                    from := add(table, shl(5, from))
                }
                while (from != uint256(_at(table))) {
                    uint256 y;
                    assembly ("memory-safe") {
                        y := mload(from)
                    }
                    uint256 one = times(x, above, y);
                    y = sub(y, one);
                    assembly ("memory-safe") {
                        let to := sub(shl(1, from), table)
                        mstore(to, one)
                        mstore(sub(to, 32), y)
                        from := sub(from, 32)
                    }
                }
            }
        }
    }

    /// @dev A word of an array that is known to have it.
    function _word(uint256[] memory xs, uint256 place) private pure returns (uint256 word) {
        assembly ("memory-safe") {
            word := mload(add(add(xs, 32), shl(5, place)))
        }
    }

    function _at(uint256[] memory table) private pure returns (uint256 at) {
        assembly ("memory-safe") {
            at := table
        }
    }

    /// @return value Σ coefficients[i] * x^i.
    function evaluate(uint256[] memory coefficients, uint256 x)
        internal
        pure
        returns (uint256 value)
    {
        uint256 above = shifted(x);
        for (uint256 i = coefficients.length; i > 0; --i) {
            value = add(times(x, above, value), coefficients[i - 1]);
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

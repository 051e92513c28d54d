// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {KoalaBear} from "../../src/sumcheck/KoalaBear.sol";
import {Quintic} from "../../src/sumcheck/Quintic.sol";
import {Vectors} from "./Vectors.sol";

/// @dev The library from outside, so that a revert is a failed call.
contract QuinticCalls {
    function decode(uint256 word) external pure returns (uint256) {
        return Quintic.decode(word);
    }

    function check(uint256 x) external pure {
        Quintic.check(x);
    }

    function inverse(uint256 x) external pure returns (uint256) {
        return Quintic.inverse(x);
    }

    function equal(uint256[] memory xs, uint256[] memory ys) external pure returns (uint256) {
        return Quintic.equal(xs, ys);
    }

    function twoAdicGenerator(uint256 logOrder) external pure returns (uint256) {
        return KoalaBear.twoAdicGenerator(logOrder);
    }
}

contract QuinticTest is Vectors {
    QuinticCalls private calls;

    function setUp() public {
        calls = new QuinticCalls();
    }

    function test_OperationsAreThoseOfRust() public view {
        string memory json = read("field");
        uint256[] memory xs = elements(json, ".left");
        uint256[] memory ys = elements(json, ".right");
        assertTrue(xs.length > 1000 && xs.length == ys.length, "at least a thousand pairs");
        assertEq(xs.length, files.parseJsonUint(json, ".count"));
        uint256[] memory sums = elements(json, ".sum");
        uint256[] memory differences = elements(json, ".difference");
        uint256[] memory products = elements(json, ".product");
        uint256[] memory squares = elements(json, ".square");
        uint256[] memory scaled = elements(json, ".scaled");
        for (uint256 i = 0; i < xs.length; ++i) {
            assertSame("sum", i, Quintic.add(xs[i], ys[i]), sums[i]);
            assertSame("difference", i, Quintic.sub(xs[i], ys[i]), differences[i]);
            assertSame("product", i, Quintic.mul(xs[i], ys[i]), products[i]);
            assertSame("square", i, Quintic.square(xs[i]), squares[i]);
            assertSame("scaled", i, Quintic.mulBase(xs[i], ys[i] & 0xffffffff), scaled[i]);
        }
    }

    function test_InversesAreThoseOfRust() public view {
        string memory json = read("field");
        uint256[] memory xs = elements(json, ".left");
        uint256[] memory inverses = elements(json, ".inverse");
        for (uint256 i = 0; i < xs.length; ++i) {
            if (xs[i] != 0) assertSame("inverse", i, Quintic.inverse(xs[i]), inverses[i]);
        }
    }

    function test_PolynomialsHaveTheValuesOfRust() public view {
        string memory json = read("polynomials");
        uint256[] memory left = elements(json, ".left");
        uint256 expected = elements(json, ".equal")[0];
        assertSame(Quintic.equal(left, elements(json, ".right")), expected);
        uint256 corner = files.parseJsonUint(json, ".corner");
        assertSame(Quintic.equalAt(left, corner), elements(json, ".equalAtCorner")[0]);
        uint256[] memory coefficients = elements(json, ".coefficients");
        uint256 x = elements(json, ".x")[0];
        assertSame(Quintic.evaluate(coefficients, x), elements(json, ".value")[0]);
        uint256 base = files.parseJsonUint(json, ".base");
        expected = elements(json, ".valueAtBase")[0];
        assertSame(Quintic.evaluateAtBase(coefficients, base), expected);
        assertSame(Quintic.evaluate(coefficients, Quintic.fromBase(base)), expected);
    }

    function test_TablesAreThoseOfRust() public view {
        string memory json = read("polynomials");
        uint256[] memory point = elements(json, ".left");
        uint256[] memory first = new uint256[](4);
        for (uint256 i = 0; i < 4; ++i) {
            first[i] = point[i];
        }
        uint256[] memory expected = elements(json, ".table");
        uint256[] memory table = Quintic.equality(first, Quintic.ONE);
        uint256[] memory scaled = Quintic.equality(first, point[5]);
        assertEq(table.length, expected.length);
        for (uint256 i = 0; i < table.length; ++i) {
            assertSame("table", i, table[i], expected[i]);
            assertSame("scaled", i, scaled[i], Quintic.mul(point[5], expected[i]));
            assertSame("corner", i, Quintic.equalAt(first, i), expected[i]);
        }
    }

    function testFuzz_ProductsAreThoseOfTheDefinition(uint256 a, uint256 b) public pure {
        uint256[5] memory x = _coefficients(a);
        uint256[5] memory y = _coefficients(b);
        uint256[9] memory sums;
        for (uint256 i = 0; i < 5; ++i) {
            for (uint256 j = 0; j < 5; ++j) {
                sums[i + j] = addmod(sums[i + j], x[i] * y[j], P);
            }
        }
        // X^5 = 1 - X^2, from the highest coefficient down.
        for (uint256 k = 8; k >= 5; --k) {
            sums[k - 5] = (sums[k - 5] + sums[k]) % P;
            sums[k - 3] = (sums[k - 3] + P - sums[k]) % P;
        }
        uint256[5] memory low = [sums[0], sums[1], sums[2], sums[3], sums[4]];
        assertSame(Quintic.mul(element(x), element(y)), element(low));
    }

    function testFuzz_FactorsNeedNotBeCanonical(uint256 a, uint256 b) public pure {
        // The largest lanes that factors may have, and the largest of sums and differences.
        uint256 x = element(_lanes(a, 2 ** 31 + 2 ** 26));
        uint256 y = element(_lanes(b, 3 * 2 ** 31 + 2 ** 26));
        uint256 z = element(_lanes(b, 2 ** 31 + 2 ** 26));
        uint256 left = Quintic.canonical(x);
        assertSame(Quintic.mul(x, y), Quintic.mul(left, Quintic.reduce(y)));
        assertSame(Quintic.times(x, Quintic.shifted(x), z), Quintic.mul(left, Quintic.canonical(z)));
        assertSame(Quintic.add(x, z), Quintic.add(left, Quintic.canonical(z)));
        assertSame(Quintic.sub(x, z), Quintic.sub(left, Quintic.canonical(z)));
        assertSame(Quintic.agreement(x, z), Quintic.agreement(left, Quintic.canonical(z)));
        assertSame(Quintic.timesX(x), Quintic.mul(left, Quintic.monomial(1)));
        uint256[6] memory found = [
            Quintic.mul(x, y),
            Quintic.add(x, z),
            Quintic.sub(x, z),
            Quintic.agreement(x, z),
            Quintic.timesX(x),
            Quintic.mulBase(x, b % P)
        ];
        for (uint256 i = 0; i < found.length; ++i) {
            for (uint256 l = 0; l < 5; ++l) {
                assertTrue(found[i] >> 51 * l & (1 << 51) - 1 < 2 ** 31 + 2 ** 26, "a lane");
            }
            assertTrue(found[i] >> 255 == 0, "nothing above");
        }
    }

    function testFuzz_FiveWordsAreJoinedByPowersOfX(uint256 seed) public pure {
        uint256[] memory words = new uint256[](5);
        uint256 expected = 0;
        for (uint256 l = 0; l < 5; ++l) {
            words[l] =
                element(_lanes(uint256(keccak256(abi.encode(seed, l, "word"))), 2 ** 31 + 2 ** 26));
            expected = Quintic.add(expected, Quintic.mul(words[l], Quintic.monomial(l)));
        }
        uint256 where;
        assembly ("memory-safe") {
            where := add(words, 32)
        }
        assertSame(Quintic.joined(where), expected);
    }

    function testFuzz_PowersOfManyExponentsAreThoseOfEach(uint256 seed) public pure {
        uint256 bits = seed % 24 + 1;
        uint256[] memory exponents = new uint256[](9);
        for (uint256 i = 0; i < exponents.length; ++i) {
            exponents[i] = uint256(keccak256(abi.encode(seed, i))) >> 256 - bits;
        }
        exponents[0] = 0;
        exponents[1] = (1 << bits) - 1;
        uint256 x = KoalaBear.twoAdicGenerator(24);
        uint256[] memory found = KoalaBear.powers(x, exponents, bits);
        for (uint256 i = 0; i < exponents.length; ++i) {
            assertEq(found[i], KoalaBear.power(x, exponents[i]));
        }
        assertEq(KoalaBear.squared(x, bits), KoalaBear.power(x, 1 << bits));
    }

    /// @dev Lanes below a bound. Every second is the largest.
    function _lanes(uint256 seed, uint256 bound_) private pure returns (uint256[5] memory lanes) {
        for (uint256 i = 0; i < 5; ++i) {
            uint256 drawn = uint256(keccak256(abi.encode(seed, i, "lane")));
            lanes[i] = drawn & 1 == 0 ? bound_ - 1 : (drawn >> 8) % bound_;
        }
    }

    function testFuzz_TheFieldsLawsHold(uint256 a, uint256 b, uint256 c) public pure {
        uint256 x = element(_coefficients(a));
        uint256 y = element(_coefficients(b));
        uint256 z = element(_coefficients(c));
        assertSame(Quintic.sub(Quintic.add(x, y), y), x);
        assertSame(Quintic.add(Quintic.sub(x, y), y), x);
        uint256 left = Quintic.mul(x, Quintic.add(y, z));
        assertSame(left, Quintic.add(Quintic.mul(x, y), Quintic.mul(x, z)));
        assertSame(Quintic.mul(Quintic.mul(x, y), z), Quintic.mul(x, Quintic.mul(y, z)));
        if (x != 0) assertSame(Quintic.mul(x, Quintic.inverse(x)), Quintic.ONE);
        assertSame(Quintic.timesX(x), Quintic.mul(x, Quintic.monomial(1)));
        assertEq(Quintic.decode(uint256(bytes32(Quintic.encode(x)))), x);
    }

    function test_RootsOfUnityHaveTheirOrders() public pure {
        for (uint256 logOrder = 1; logOrder <= 24; ++logOrder) {
            uint256 root = KoalaBear.twoAdicGenerator(logOrder);
            assertEq(KoalaBear.power(root, 1 << (logOrder - 1)), P - 1);
        }
        assertEq(KoalaBear.twoAdicGenerator(0), 1);
    }

    function test_ThereAreNoLargerSubgroups() public {
        vm.expectRevert(abi.encodeWithSelector(KoalaBear.NoSubgroup.selector, 25));
        calls.twoAdicGenerator(25);
    }

    function test_ElementsBelowTheModulusAreRead() public view {
        // p - 1 in each coefficient, least significant byte first, and something behind them.
        uint256 word = 0x0000007f0000007f0000007f0000007f0000007f112233445566778899aabbcc;
        uint256 x = calls.decode(word);
        assertEq(x, element([P - 1, P - 1, P - 1, P - 1, P - 1]));
        word = 0x0100000002000000030000000400000005000000ffffffffffffffffffffffff;
        x = calls.decode(word);
        assertEq(x, element([uint256(1), 2, 3, 4, 5]));
    }

    function test_OtherCoefficientsAreRefusedByName() public {
        uint32[5] memory wrong =
            [uint32(P), uint32(P + 1), uint32(0x7fffffff), uint32(0x80000000), type(uint32).max];
        for (uint256 lane = 0; lane < 5; ++lane) {
            for (uint256 i = 0; i < wrong.length; ++i) {
                // The other coefficients are as large as they may be, so that carries would show.
                uint256 x = element([P - 1, P - 1, P - 1, P - 1, P - 1]);
                x = x & ~(uint256(type(uint32).max) << 51 * lane) | uint256(wrong[i]) << 51 * lane;
                vm.expectRevert(abi.encodeWithSelector(KoalaBear.NotCanonical.selector));
                calls.check(x);
                x = uint256(wrong[i]) << 51 * lane;
                vm.expectRevert(abi.encodeWithSelector(KoalaBear.NotCanonical.selector));
                calls.check(x);
            }
        }
        vm.expectRevert(abi.encodeWithSelector(KoalaBear.NotCanonical.selector));
        calls.check(1 << 255);
        // Its neighbour, and p itself in the bytes of a proof.
        calls.check(element([P - 1, 0, P - 1, 0, P - 1]));
        vm.expectRevert(abi.encodeWithSelector(KoalaBear.NotCanonical.selector));
        calls.decode(uint256(0x0100007f) << 224);
    }

    function test_ZeroHasNoInverse() public {
        vm.expectRevert(abi.encodeWithSelector(KoalaBear.ZeroHasNoInverse.selector));
        calls.inverse(0);
        assertSame(calls.inverse(Quintic.ONE), Quintic.ONE);
    }

    function test_PointsOfDifferentLengthsAreRefused() public {
        vm.expectRevert(abi.encodeWithSelector(Quintic.LengthsDiffer.selector, 2, 3));
        calls.equal(new uint256[](2), new uint256[](3));
    }

    function _coefficients(uint256 seed) private pure returns (uint256[5] memory coefficients) {
        for (uint256 i = 0; i < 5; ++i) {
            uint256 digit = uint256(keccak256(abi.encode(seed, i)));
            // Every fourth is an edge.
            coefficients[i] = digit & 3 == 0 ? (digit & 4 == 0 ? P - 1 : 0) : (digit >> 8) % P;
        }
    }
}

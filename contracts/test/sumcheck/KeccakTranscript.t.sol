// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {KeccakTranscript} from "../../src/sumcheck/KeccakTranscript.sol";
import {KoalaBear} from "../../src/sumcheck/KoalaBear.sol";
import {Vectors} from "./Vectors.sol";

/// @dev The library from outside.
contract TranscriptCalls {
    function absorb(uint256 state, bytes32 site, bytes calldata data)
        external
        pure
        returns (uint256)
    {
        return KeccakTranscript.absorb(state, site, data);
    }

    function work(uint256 state, uint256 bits, bytes4 witness) external pure returns (uint256) {
        return KeccakTranscript.work(state, bits, witness);
    }
}

contract KeccakTranscriptTest is Vectors {
    TranscriptCalls private calls;

    function setUp() public {
        calls = new TranscriptCalls();
    }

    function test_TheTranscriptIsThatOfRust() public view {
        string memory json = read("transcript");
        (uint256 state, bytes4 witness) = _untilWork(json);
        uint256 bits = files.parseJsonUint(json, ".workBits");
        state = KeccakTranscript.work(state, bits, witness);
        (, uint256 after_) = KeccakTranscript.challenge(state);
        assertEq(after_, elements(json, ".after")[0]);
    }

    function test_OtherWorkIsRefused() public {
        string memory json = read("transcript");
        (uint256 state, bytes4 witness) = _untilWork(json);
        calls.work(state, 12, witness);
        vm.expectRevert(abi.encodeWithSelector(KeccakTranscript.NoWork.selector, 12));
        calls.work(state ^ 1, 12, witness);
        vm.expectRevert(abi.encodeWithSelector(KeccakTranscript.NoWork.selector, 12));
        calls.work(state, 12, witness ^ bytes4(uint32(1)));
        // p, in the order of a proof's bytes.
        vm.expectRevert(abi.encodeWithSelector(KoalaBear.NotCanonical.selector));
        calls.work(state, 12, 0x0100007f);
        // For no bits nothing is hashed.
        assertEq(calls.work(state, 0, 0x0100007f), state);
    }

    function testFuzz_AnyChangeOfAnAbsorbIsAnotherState(uint256 state, bytes calldata data)
        public
        view
    {
        bytes32 site = keccak256("site");
        uint256 next = calls.absorb(state, site, data);
        assertEq(next, KeccakTranscript.absorbMemory(state, site, data));
        assertEq(next, uint256(keccak256(abi.encodePacked(state, site, data))));
        assertTrue(next != calls.absorb(state ^ 1, site, data), "the state before is bound");
        assertTrue(next != calls.absorb(state, ~site, data), "the site is bound");
        assertTrue(next != calls.absorb(state, site, bytes.concat(data, hex"00")), "the length is");
    }

    function testFuzz_ChallengesAreTheDigitsOfTheState(uint256 state) public pure {
        (uint256 next, uint256 x) = KeccakTranscript.challenge(state);
        assertEq(next, uint256(keccak256(abi.encode(state))));
        uint256 number;
        uint256 power = 1;
        for (uint256 i = 0; i < 5; ++i) {
            uint256 digit = x >> 51 * i & (1 << 51) - 1;
            assertTrue(digit < P, "a digit is below p");
            number += digit * power;
            power *= P;
        }
        assertEq(number, next % power);
    }

    function testFuzz_IndicesAreTheLowBitsOfTheState(uint256 state, uint256 bits) public pure {
        bits = bound(bits, 0, 64);
        (uint256 next, uint256 drawn) = KeccakTranscript.index(state, bits);
        assertEq(next, uint256(keccak256(abi.encode(state))));
        assertEq(drawn, next % (1 << bits));
    }

    /// @dev Follows the vector to where its work is checked.
    function _untilWork(string memory json) private view returns (uint256 state, bytes4 witness) {
        bytes memory roots = files.parseJsonBytes(json, ".roots");
        state = calls.absorb(0, _site(json, ".openingLabel"), roots);
        state = calls.absorb(state, _site(json, ".sampleLabel"), "");
        uint256[] memory expected = elements(json, ".challenges");
        uint256[] memory drawn;
        (state, drawn) = KeccakTranscript.point(state, expected.length);
        for (uint256 i = 0; i < expected.length; ++i) {
            assertIs("challenge", i, drawn[i], expected[i]);
        }
        bytes memory sent = files.parseJsonBytes(json, ".challenges");
        assembly ("memory-safe") {
            // The first two elements.
            mstore(sent, 40)
        }
        state = KeccakTranscript.absorbMemory(state, _site(json, ".roundLabel"), sent);
        uint256[] memory bits = files.parseJsonUintArray(json, ".bits");
        uint256[] memory indices = files.parseJsonUintArray(json, ".indices");
        for (uint256 i = 0; i < bits.length; ++i) {
            uint256 found;
            (state, found) = KeccakTranscript.index(state, bits[i]);
            assertIs("index", i, found, indices[i]);
        }
        witness = bytes4(files.parseJsonBytes(json, ".witness"));
    }

    function _site(string memory json, string memory key) private pure returns (bytes32) {
        return keccak256(bytes(files.parseJsonString(json, key)));
    }
}

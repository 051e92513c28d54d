// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Job, Jobs} from "./Job.sol";
import {KeccakTranscript} from "./KeccakTranscript.sol";
import {ProofReader} from "./ProofReader.sol";

/// @title Instructions that absorb and draw. Source: specs/transcript.md, section 9.
/// @dev A message of several pieces is put together behind all that is allocated, and nothing is allocated
/// until it is hashed. Before it there is room for what hashing puts there.
library TranscriptSteps {
    /// @dev Bytes before a message: the state and the hash of the site's label.
    uint256 private constant BEFORE = 64;

    /// @dev Adds bytes of the program to the message.
    function data(Job memory job, uint256 here) internal pure returns (uint256) {
        uint256 from = job.program + Jobs.number(here, 3);
        uint256 length = Jobs.number(here + 3, 3);
        uint256 to = _end(job, length);
        assembly ("memory-safe") {
            mcopy(to, from, length)
        }
        return here + 6;
    }

    /// @dev Adds bytes that the caller gives.
    function given(Job memory job, uint256 here) internal pure returns (uint256) {
        uint256 from = job.given + Jobs.number(here, 3);
        uint256 length = Jobs.number(here + 3, 3);
        uint256 to = _end(job, length);
        assembly ("memory-safe") {
            calldatacopy(to, from, length)
        }
        return here + 6;
    }

    /// @dev Adds a slot's word.
    function slot(Job memory job, uint256 here) internal pure returns (uint256) {
        bytes32 word = job.slots[Jobs.number(here, 1)];
        uint256 to = _end(job, 32);
        assembly ("memory-safe") {
            mstore(to, word)
        }
        return here + 1;
    }

    /// @dev Absorbs the message at a site.
    function absorb(Job memory job, uint256 here) internal pure returns (uint256) {
        uint256 length = job.filled + BEFORE;
        uint256 state = job.state;
        bytes32 site = _word(job, here);
        assembly ("memory-safe") {
            let from := mload(0x40)
            mstore(from, state)
            mstore(add(from, 32), site)
            state := keccak256(from, length)
        }
        job.state = state;
        job.filled = 0;
        return here + 3;
    }

    /// @dev Makes a slot's word of the message.
    function hash(Job memory job, uint256 here) internal pure returns (uint256) {
        uint256 length = job.filled;
        bytes32 word;
        assembly ("memory-safe") {
            word := keccak256(add(mload(0x40), BEFORE), length)
        }
        job.slots[Jobs.number(here, 1)] = word;
        job.filled = 0;
        return here + 1;
    }

    /// @dev Draws challenges into registers that follow on each other.
    function draw(Job memory job, uint256 here) internal pure returns (uint256) {
        uint256 to = Jobs.register(job, here);
        uint256 state = job.state;
        for (uint256 i = Jobs.number(here + 2, 2); i > 0; --i) {
            uint256 x;
            (state, x) = KeccakTranscript.challenge(state);
            assembly ("memory-safe") {
                mstore(to, x)
            }
            to += 32;
        }
        job.state = state;
        return here + 4;
    }

    /// @dev Absorbs the proof's next bytes at a site.
    function take(Job memory job, uint256 here) internal pure returns (uint256) {
        uint256 length = Jobs.number(here + 3, 3);
        job.state = KeccakTranscript.absorb(job.state, _word(job, here), _next(job, length));
        return here + 6;
    }

    /// @dev Absorbs the proof's next bytes at a site and draws a challenge, some times over.
    function rounds(Job memory job, uint256 here) internal pure returns (uint256) {
        bytes32 site = _word(job, here);
        uint256 length = Jobs.number(here + 3, 3);
        uint256 to = Jobs.register(job, here + 7);
        uint256 state = job.state;
        for (uint256 i = Jobs.number(here + 6, 1); i > 0; --i) {
            uint256 x;
            state = KeccakTranscript.absorb(state, site, _next(job, length));
            (state, x) = KeccakTranscript.challenge(state);
            assembly ("memory-safe") {
                mstore(to, x)
            }
            to += 32;
        }
        job.state = state;
        return here + 9;
    }

    /// @dev Makes a slot's word of one that the caller gives.
    function wordOfGiven(Job memory job, uint256 here) internal pure returns (uint256) {
        bytes32 word = bytes32(ProofReader.word(job.given + Jobs.number(here + 1, 3)));
        job.slots[Jobs.number(here, 1)] = word;
        return here + 4;
    }

    /// @dev Makes a slot's word of the proof's next one, which counts as read where it is absorbed.
    function wordOfProof(Job memory job, uint256 here) internal pure returns (uint256) {
        job.slots[Jobs.number(here, 1)] = bytes32(ProofReader.word(job.cursor));
        return here + 1;
    }

    /// @dev Makes a slot's word of one of the program.
    function wordOfData(Job memory job, uint256 here) internal pure returns (uint256) {
        job.slots[Jobs.number(here, 1)] = _word(job, here + 1);
        return here + 4;
    }

    function _word(Job memory job, uint256 here) private pure returns (bytes32) {
        return bytes32(Jobs.number(job.program + Jobs.number(here, 3), 32));
    }

    /// @dev The proof's next bytes, which are read by that.
    function _next(Job memory job, uint256 length) private pure returns (bytes calldata) {
        uint256 from = job.cursor;
        if (length > job.end - from) revert ProofReader.TooShort();
        job.cursor = from + length;
        return ProofReader.slice(from, length);
    }

    /// @dev Where the next bytes of the message are put.
    function _end(Job memory job, uint256 length) private pure returns (uint256 to) {
        assembly ("memory-safe") {
            to := add(mload(0x40), BEFORE)
        }
        to += job.filled;
        job.filled += length;
    }
}

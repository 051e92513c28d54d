// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {DenseSums} from "./DenseSums.sol";
import {HidingOpening, Remainder} from "./HidingOpening.sol";
import {Job, Jobs} from "./Job.sol";
import {Openings} from "./Openings.sol";
import {Operations} from "./Operations.sol";
import {ProofReader} from "./ProofReader.sol";
import {Quintic} from "./Quintic.sol";
import {TranscriptSteps} from "./TranscriptSteps.sol";

/// @title Runs the program of a key: what a verifier does for it, in a few instructions.
/// @dev A program begins with the number of its registers (2 bytes), that of its constants (2), where these
/// are (3) and how many bytes the caller gives (3); instructions follow, the last of which ends it. Registers
/// hold elements; the constants are the first of them. An operation on elements is a byte, a result and two
/// operands of two bytes each. Source: docs/adr/0042-contracts-run-programs.md.
///
/// A program is trusted, as a key is: it names registers and data that there are, and leaves no way around
/// what it checks. Who asks for proofs of a program has made it from the key, or has it from someone trusted.
library Machine {
    /// @dev What is given has another length than the program takes.
    error WrongLength(uint256 length, uint256 expected);

    /// @dev Two known values differ that must be equal.
    error KnownValuesDiffer();

    /// @dev There is no such instruction.
    error NoInstruction(uint256 op);

    /// @dev Those before them are operations of two elements.
    uint256 private constant MOVE = 7;
    uint256 private constant INVERSE = 8;
    /// @dev Instructions with operands of their own. Up to RANGE they are about what is absorbed and given.
    uint256 private constant DATA = 16;
    uint256 private constant GIVEN = 17;
    uint256 private constant SLOT = 18;
    uint256 private constant ABSORB = 19;
    uint256 private constant HASH = 20;
    uint256 private constant RESTART = 21;
    uint256 private constant DRAW = 22;
    uint256 private constant TAKE = 23;
    uint256 private constant ROUNDS = 24;
    uint256 private constant WORD_OF_GIVEN = 25;
    uint256 private constant WORD_OF_PROOF = 26;
    uint256 private constant WORD_OF_DATA = 27;
    uint256 private constant RANGE = 28;
    uint256 private constant ELEMENT = 29;
    uint256 private constant GIVEN_ELEMENT = 30;
    uint256 private constant TOTAL = 31;
    uint256 private constant OF_DATA = 32;
    uint256 private constant OF_GIVEN = 33;
    uint256 private constant PADS = 34;
    uint256 private constant OPEN = 35;
    uint256 private constant EQUAL = 36;
    uint256 private constant END = 37;
    uint256 private constant HEADER = 10;

    /// @notice Reverts, and says why, unless the proof is accepted.
    /// @return slots Words that the program has made: the first is the digest of what it opens.
    function run(
        bytes memory program,
        bytes calldata given,
        bytes calldata proof,
        Openings openings
    ) internal pure returns (bytes32[4] memory slots) {
        Job memory job;
        assembly ("memory-safe") {
            mstore(job, add(program, 32))
            mstore(add(job, 64), given.offset)
            mstore(add(job, 96), proof.offset)
        }
        (job.cursor, job.end) = (job.proof, job.proof + proof.length);
        uint256 expected = Jobs.number(job.program + 7, 3);
        if (given.length != expected) revert WrongLength(given.length, expected);
        _begin(job);
        uint256 here = job.program + HEADER;
        while (here != 0) {
            here = Operations.run(job.registers, here);
            uint256 op = Jobs.number(here, 1);
            if (op <= INVERSE) here = _unary(job, op, here + 1);
            else if (op > RANGE) here = _other(job, op, here + 1, openings);
            else here = _transcript(job, op, here + 1);
        }
        return job.slots;
    }

    /// @dev Makes the registers, the first of which are the constants.
    function _begin(Job memory job) private pure {
        uint256[] memory registers = new uint256[](Jobs.number(job.program, 2));
        uint256 where;
        assembly ("memory-safe") {
            where := add(registers, 32)
        }
        job.registers = where;
        uint256 from = job.program + Jobs.number(job.program + 4, 3);
        for (uint256 i = Jobs.number(job.program + 2, 2); i > 0; --i) {
            registers[i - 1] = Quintic.decode(Jobs.number(from + 20 * (i - 1), 32));
        }
    }

    /// @dev Instructions about transcript, what is given and the proof's bytes.
    function _transcript(Job memory job, uint256 op, uint256 here) private pure returns (uint256) {
        if (op == ROUNDS) return TranscriptSteps.rounds(job, here);
        if (op == DRAW) return TranscriptSteps.draw(job, here);
        if (op == TAKE) return TranscriptSteps.take(job, here);
        if (op == ABSORB) return TranscriptSteps.absorb(job, here);
        if (op == DATA) return TranscriptSteps.data(job, here);
        if (op == GIVEN) return TranscriptSteps.given(job, here);
        if (op == SLOT) return TranscriptSteps.slot(job, here);
        if (op == HASH) return TranscriptSteps.hash(job, here);
        if (op == RESTART) {
            job.state = 0;
            return here;
        }
        if (op == WORD_OF_GIVEN) return TranscriptSteps.wordOfGiven(job, here);
        if (op == WORD_OF_PROOF) return TranscriptSteps.wordOfProof(job, here);
        if (op == WORD_OF_DATA) return TranscriptSteps.wordOfData(job, here);
        if (op == RANGE) return DenseSums.range(job, here);
        revert NoInstruction(op);
    }

    /// @dev Copies an element or inverts it: its operands are as those of operations.
    function _unary(Job memory job, uint256 op, uint256 here) private pure returns (uint256) {
        uint256 x = Jobs.element(job, here + 2);
        Jobs.put(job, here, op == MOVE ? x : Quintic.inverse(x));
        return here + 6;
    }

    /// @dev All others. The last one gives 0.
    function _other(Job memory job, uint256 op, uint256 here, Openings openings)
        private
        pure
        returns (uint256)
    {
        if (op == ELEMENT || op == GIVEN_ELEMENT) {
            uint256 from = op == ELEMENT ? job.proof : job.given;
            uint256 word = ProofReader.word(from + Jobs.number(here + 2, 3));
            Jobs.put(job, here, Quintic.decode(word));
            return here + 5;
        }
        if (op == TOTAL) return DenseSums.total(job, here);
        if (op == OF_DATA) return DenseSums.ofData(job, here);
        if (op == OF_GIVEN) return DenseSums.ofGiven(job, here);
        if (op == PADS) return DenseSums.pads(job, here);
        if (op == OPEN) return _open(job, here, openings);
        if (op == EQUAL) {
            if (!Quintic.same(Jobs.element(job, here), Jobs.element(job, here + 2))) {
                revert KnownValuesDiffer();
            }
            return here + 4;
        }
        if (op != END) revert NoInstruction(op);
        if (!Quintic.same(Quintic.mul(job.last, Jobs.element(job, here)), job.left)) {
            revert HidingOpening.ClaimDoesNotHold();
        }
        return 0;
    }

    /// @dev Follows the opening that the proof ends with: register of the value, first one of the point,
    /// where the shape's numbers are and how many, the roots' slots.
    function _open(Job memory job, uint256 here, Openings openings) private pure returns (uint256) {
        bytes32[] memory roots = new bytes32[](Jobs.number(here + 10, 1));
        for (uint256 i = 0; i < roots.length; ++i) {
            roots[i] = job.slots[Jobs.number(here + 11 + i, 1)];
        }
        Remainder memory rest = openings.open(
            _numbers(job, here + 4),
            roots,
            Quintic.canonical(Jobs.element(job, here)),
            ProofReader.slice(job.cursor, job.end - job.cursor),
            job.state
        );
        uint256 to = Jobs.register(job, here + 2);
        for (uint256 i = 0; i < rest.point.length; ++i) {
            uint256 x = rest.point[i];
            assembly ("memory-safe") {
                mstore(add(to, shl(5, i)), x)
            }
        }
        (job.last, job.left, job.state) = (rest.last, rest.left, rest.state);
        return here + 11 + roots.length;
    }

    /// @return numbers Those of a shape, of four bytes each: where they are in the program, and how many.
    function _numbers(Job memory job, uint256 here) private pure returns (bytes memory numbers) {
        numbers = new bytes(4 * Jobs.number(here + 3, 3));
        uint256 from = job.program + Jobs.number(here, 3);
        assembly ("memory-safe") {
            mcopy(add(numbers, 32), from, mload(numbers))
        }
    }
}

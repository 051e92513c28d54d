// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Errors} from "../Errors.sol";
import {LinkCall, LinkedProofs} from "./LinkedProofs.sol";
import {OutputTensors} from "./OutputTensors.sol";
import {Claim, StatementVerifier} from "./StatementVerifier.sol";

/// @dev What is brought beside a claim. Nothing of it is trusted: programs and heads make up the claim's key,
/// numbers its inputs, and the rest is what is checked.
/// @param programs The digests of the key's programs: that of proofs, then those of links by their steps, zero where
/// the key has none.
/// @param heads Of each output what stands before its values.
/// @param before What the program of proofs is given of the epoch that the proof opens.
/// @param numbers The quantised input, as le32.
/// @param links From the key to the epoch.
/// @param proof From behind its links on.
struct PrivateProof {
    bytes32[8] programs;
    bytes[] heads;
    bytes before;
    bytes numbers;
    LinkCall[] links;
    bytes proof;
}

/// @title The verifier of proof system `sumcheck`, profile `evm`, as the router asks it.
/// @notice A key is known by keccak256(abi.encode(programs, digest of the heads)) (specs/registry.md, section 4).
/// @dev Everything that the program is given is of fixed length and place: the bytes of the epoch have one length, each
/// output as many values as its head says, and what is left for the numbers is what the program expects. So
/// nobody can have one part stand where another one is read.
contract PrivateProofsAdapter is StatementVerifier {
    /// @notice Who checks links and proofs.
    LinkedProofs public immutable PROOFS;

    /// @notice Links of a proof, at most. Source: specs/private-mode.md, section 7.
    uint256 public constant MOST_LINKS = 16;

    /// @dev Digest of the epoch's parent; root, root of the fresh vector, and an element of its link.
    uint256 private constant BEFORE = 32 + 32 + 32 + 20;
    /// @dev Of a `PrivateProof` what does not depend on lengths: programs, and where the rest begins.
    uint256 private constant FIXED = (8 + 5) * 32;
    /// @dev Steps of links by their places among the programs: three that lead from the key itself, three from
    /// a commitment that has replaced it, and one from a commitment of links. Of three the first leads to a
    /// commitment that replaces the key, the second to one of links, the third to an epoch of proofs.
    uint256 private constant FROM_KEY = 1;
    uint256 private constant FROM_REPLACED = 4;
    uint256 private constant FROM_LINKS = 7;
    uint256 private constant ENDED = 8;

    constructor(LinkedProofs proofs) {
        require(address(proofs).code.length != 0, Errors.NotAVerifier(address(proofs)));
        PROOFS = proofs;
    }

    /// @inheritdoc StatementVerifier
    function verifyStatement(Claim calldata claim, bytes calldata proof) external returns (bytes4) {
        PrivateProof calldata brought = _read(proof);
        bytes32 key = keyOf(brought.programs, brought.heads);
        require(key == claim.verifyingKey, Errors.OtherKey(key));
        bytes32 inputs = keccak256(brought.numbers);
        require(inputs == claim.inputs, Errors.OtherInputs(inputs));
        PROOFS.checkWithLinks(
            brought.programs[0],
            _chain(brought.programs, brought.links),
            brought.links,
            _given(claim, brought),
            brought.proof
        );
        return StatementVerifier.verifyStatement.selector;
    }

    /// @return What a key of these programs, whose outputs have these heads, is registered as.
    function keyOf(bytes32[8] calldata programs, bytes[] calldata heads)
        public
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(programs, OutputTensors.digestOf(heads)));
    }

    /// @dev The bytes as what they encode; members are looked at where they are used. An offset that leads
    /// elsewhere in the call finds other bytes of whoever has brought all of them.
    function _read(bytes calldata proof) private pure returns (PrivateProof calldata brought) {
        require(proof.length >= FIXED, Errors.ProofTooShort(proof.length, FIXED));
        assembly ("memory-safe") {
            brought := proof.offset
        }
    }

    /// @dev What stands for the links' programs, once each is the key's own for a step from where the one before
    /// it has led, and the last one leads to an epoch of proofs.
    function _chain(bytes32[8] calldata programs, LinkCall[] calldata links)
        private
        pure
        returns (bytes32 chain)
    {
        require(links.length <= MOST_LINKS, Errors.TooLong(links.length, MOST_LINKS));
        uint256 place = FROM_KEY;
        for (uint256 i = 0; i < links.length; ++i) {
            bytes32 program = links[i].program;
            place = _next(programs, place, program);
            require(place != 0, Errors.NotAStep(i, program));
            chain = i == 0 ? program : keccak256(abi.encode(chain, program));
        }
        require(place == ENDED, Errors.LinksEndElsewhere(links.length));
    }

    /// @return Where the steps begin among the programs that may follow the one with this program; 0 where it is
    /// no step from here.
    function _next(bytes32[8] calldata programs, uint256 place, bytes32 program)
        private
        pure
        returns (uint256)
    {
        if (program == 0 || place == ENDED) return 0;
        if (place == FROM_LINKS) return programs[FROM_LINKS] == program ? ENDED : 0;
        if (programs[place] == program) return FROM_REPLACED;
        if (programs[place + 1] == program) return FROM_LINKS;
        return programs[place + 2] == program ? ENDED : 0;
    }

    /// @dev What the program of proofs is given: epoch ‖ statement ‖ inputs ‖ outputs.
    function _given(Claim calldata claim, PrivateProof calldata brought)
        private
        pure
        returns (bytes memory)
    {
        uint256 length = brought.before.length;
        require(length == BEFORE, Errors.EpochLength(length, BEFORE));
        bytes memory words = _words(claim.outputs, brought.heads);
        return bytes.concat(brought.before, claim.statement, brought.numbers, words);
    }

    /// @return words The values of all outputs as le32, one after another.
    function _words(bytes[] calldata outputs, bytes[] calldata heads)
        private
        pure
        returns (bytes memory words)
    {
        require(outputs.length == heads.length, Errors.OutputCount(outputs.length, heads.length));
        uint256 most = 0;
        for (uint256 i = 0; i < outputs.length; ++i) {
            most += outputs[i].length;
        }
        // Each value takes half of its bytes; a word is written at once, past the last value too.
        words = new bytes(most / 2 + 32);
        uint256 used = 0;
        for (uint256 i = 0; i < outputs.length; ++i) {
            bytes calldata values = OutputTensors.valuesOf(outputs[i], heads[i], i);
            require(_halve(values, words, used), Errors.OutputOutOfRange(i));
            used += values.length / 2;
        }
        assembly ("memory-safe") {
            mstore(words, used)
        }
    }

    /// @dev Writes little-endian int64 as int32, from a byte of `words` on.
    /// @return fit Whether all of them are int32.
    function _halve(bytes calldata values, bytes memory words, uint256 from)
        private
        pure
        returns (bool fit)
    {
        assembly ("memory-safe") {
            let to := add(add(words, 32), from)
            let end := add(values.offset, values.length)
            let wrong := 0
            for { let next := values.offset } lt(next, end) { next := add(next, 8) } {
                let value := shr(192, calldataload(next))
                let low := shr(32, value)
                // The sign is the highest bit of the fourth byte, and fills the four behind it.
                let sign := mul(shr(7, and(low, 0x80)), 0xffffffff)
                wrong := or(wrong, xor(and(value, 0xffffffff), sign))
                mstore(to, shl(224, low))
                to := add(to, 4)
            }
            fit := iszero(wrong)
        }
    }
}

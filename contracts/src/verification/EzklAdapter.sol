// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Errors} from "../Errors.sol";
import {StatementLib} from "../StatementLib.sol";
import {OutputTensors} from "./OutputTensors.sol";
import {Claim, StatementVerifier} from "./StatementVerifier.sol";

/// @dev ezkl's reusable verifier. It says whether a proof holds, under which key, and a third value at an offset
/// that is wrong, so that what it returns is not decoded.
interface Halo2Verifier {
    function verifyProof(bytes calldata proof, uint256[] calldata instances, bytes32[] calldata vka)
        external
        returns (bool, bytes32, int256[] memory);
}

/// @dev What is brought beside a claim. Nothing of it is trusted: key words, heads and how many numbers there are
/// make up the claim's key, the numbers its inputs.
/// @param vka The words of the verifying-key artifact.
/// @param heads Of each output what stands before its values.
/// @param numbers The quantised input as elements of the field.
/// @param proof The Halo2 proof.
struct EzklProof {
    bytes32[] vka;
    bytes[] heads;
    uint256[] numbers;
    bytes proof;
}

/// @title The verifier of proof system `ezkl`, inputs being public, as the router asks it.
/// @notice A key is known by keccak256(abi.encode(digest of the artifact's words, how many numbers the inputs are,
/// digest of the heads)) (specs/registry.md, section 4).
/// @dev The public values are inputs, the statement's digest in 16 limbs, outputs. Where each of them stands follows from
/// the key: so many inputs, then outputs of so many values.
contract EzklAdapter is StatementVerifier {
    using StatementLib for bytes32;

    /// @notice Who checks the proof itself. It knows the artifacts that were registered with it.
    Halo2Verifier public immutable VERIFIER;

    /// @dev Order of the scalar field of BN254.
    uint256 private constant FIELD_ORDER =
        0x30644e72e131a029b85045b68181585d2833e84879b9709143e1f593f0000001;
    /// @dev Where the four parts of an `EzklProof` begin.
    uint256 private constant FIXED = 4 * 32;
    uint256 private constant LIMBS = 16;

    constructor(Halo2Verifier verifier) {
        require(address(verifier).code.length != 0, Errors.NotAVerifier(address(verifier)));
        VERIFIER = verifier;
    }

    /// @inheritdoc StatementVerifier
    function verifyStatement(Claim calldata claim, bytes calldata proof) external returns (bytes4) {
        EzklProof calldata brought = _read(proof);
        bytes32 vka = keccak256(abi.encodePacked(brought.vka));
        bytes32 key = keyOf(vka, brought.numbers.length, brought.heads);
        require(key == claim.verifyingKey, Errors.OtherKey(key));
        bytes32 inputs = keccak256(abi.encodePacked(brought.numbers));
        require(inputs == claim.inputs, Errors.OtherInputs(inputs));
        _check(brought.proof, _instances(claim, brought), brought.vka, vka);
        return StatementVerifier.verifyStatement.selector;
    }

    /// @return What a key of this artifact is registered as, with so many numbers of inputs and outputs of these
    /// heads.
    function keyOf(bytes32 vka, uint256 inputs, bytes[] calldata heads)
        public
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(vka, inputs, OutputTensors.digestOf(heads)));
    }

    /// @dev As in `PrivateProofsAdapter`.
    function _read(bytes calldata proof) private pure returns (EzklProof calldata brought) {
        require(proof.length >= FIXED, Errors.ProofTooShort(proof.length, FIXED));
        assembly ("memory-safe") {
            brought := proof.offset
        }
    }

    /// @dev Takes the first two words of the answer: that the proof holds, and under which artifact.
    function _check(
        bytes calldata proof,
        uint256[] memory instances,
        bytes32[] calldata vka,
        bytes32 digest
    ) private {
        bytes memory asked = abi.encodeCall(Halo2Verifier.verifyProof, (proof, instances, vka));
        address verifier = address(VERIFIER);
        bool answered;
        uint256 held;
        bytes32 used;
        assembly ("memory-safe") {
            answered := call(gas(), verifier, 0, add(asked, 32), mload(asked), 0, 64)
            answered := and(answered, gt(returndatasize(), 63))
            held := mload(0)
            used := mload(32)
        }
        require(answered && held == 1 && used == digest, Errors.ProofDoesNotHold());
    }

    /// @dev The public values in ezkl's order.
    function _instances(Claim calldata claim, EzklProof calldata brought)
        private
        pure
        returns (uint256[] memory instances)
    {
        bytes[] calldata heads = brought.heads;
        uint256 count = claim.outputs.length;
        require(count == heads.length, Errors.OutputCount(count, heads.length));
        uint256 inputs = brought.numbers.length;
        uint256 place = inputs + LIMBS;
        for (uint256 i = 0; i < count; ++i) {
            place += OutputTensors.sizeOf(heads[i], i);
        }
        instances = new uint256[](place);
        for (place = 0; place < inputs; ++place) {
            uint256 number = brought.numbers[place];
            require(number < FIELD_ORDER, Errors.InputOutOfRange(place));
            instances[place] = number;
        }
        uint256[16] memory limbs = claim.statement.toLimbs();
        for (uint256 i = 0; i < LIMBS; ++i) {
            instances[place++] = limbs[i];
        }
        for (uint256 i = 0; i < count; ++i) {
            bytes calldata values = OutputTensors.valuesOf(claim.outputs[i], heads[i], i);
            for (uint256 from = 0; from < values.length; from += 8) {
                instances[place++] = _element(OutputTensors.integerAt(values, from));
            }
        }
    }

    /// @dev An integer as an element of the field.
    function _element(int256 value) private pure returns (uint256) {
        // forge-lint: disable-next-line(unsafe-typecast)
        return value < 0 ? FIELD_ORDER - uint256(-value) : uint256(value);
    }
}

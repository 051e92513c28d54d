// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Base} from "../Base.sol";
import {Errors} from "../../src/Errors.sol";
import {EzklAdapter, EzklProof, Halo2Verifier} from "../../src/verification/EzklAdapter.sol";
import {Claim, StatementVerifier} from "../../src/verification/StatementVerifier.sol";

/// @dev Stands where Halo2 proofs are checked: keeps what it was asked, and answers any words. Real proofs are
/// checked in tests/unit/proving/test_router_proofs.py.
contract Halo2Double {
    bytes32 public asked;
    bytes private answer;
    bool private reverts;

    function say(bytes calldata words, bool byReverting) external {
        (answer, reverts) = (words, byReverting);
    }

    function verifyProof(bytes calldata proof, uint256[] calldata instances, bytes32[] calldata vka)
        external
    {
        asked = keccak256(abi.encode(proof, instances, vka));
        bytes memory words = answer;
        bool failing = reverts;
        assembly ("memory-safe") {
            if failing { revert(add(words, 32), mload(words)) }
            return(add(words, 32), mload(words))
        }
    }
}

contract EzklAdapterTest is Base {
    uint256 private constant FIELD_ORDER =
        21888242871839275222246405745257275088548364400416034343698204186575808495617;
    /// @dev le32(1) ‖ "y" ‖ le32(1) ‖ le64(2) ‖ 2^-7, and a scalar "z" with the scale 1.
    bytes private constant FIRST = hex"010000007901000000020000000000000000000000000080" hex"3f";
    bytes private constant SECOND = hex"010000007a00000000" hex"000000000000f03f";

    Halo2Double private double;
    EzklAdapter private adapter;

    function setUp() public {
        double = new Halo2Double();
        adapter = new EzklAdapter(Halo2Verifier(address(double)));
    }

    function test_publicValuesAreInputsStatementOutputs() public {
        (Claim memory claim, EzklProof memory p) = sample();
        bytes4 answer = adapter.verifyStatement(claim, encoded(p));
        assertEq(bytes32(answer), bytes32(StatementVerifier.verifyStatement.selector));
        uint256[] memory instances = new uint256[](3 + 16 + 3);
        (instances[0], instances[1], instances[2]) = (5, FIELD_ORDER - 1, 0);
        for (uint256 i = 0; i < 16; ++i) {
            instances[3 + i] = uint256(claim.statement) >> 240 - 16 * i & 0xffff;
        }
        instances[19] = 1;
        instances[20] = FIELD_ORDER - 2;
        instances[21] = FIELD_ORDER - (1 << 63);
        assertEq(double.asked(), keccak256(abi.encode(p.proof, instances, p.vka)));
    }

    function testFuzz_outputsAreElements(int64 a, int64 b, int64 c, bytes32 statement) public {
        (Claim memory claim, EzklProof memory p) = sample();
        claim.statement = statement;
        claim.outputs[0] = abi.encodePacked(FIRST, le64(a), le64(b));
        claim.outputs[1] = abi.encodePacked(SECOND, le64(c));
        adapter.verifyStatement(claim, encoded(p));
        uint256[] memory instances = new uint256[](3 + 16 + 3);
        (instances[0], instances[1], instances[2]) = (5, FIELD_ORDER - 1, 0);
        for (uint256 i = 0; i < 16; ++i) {
            instances[3 + i] = uint16(bytes2(statement << 16 * i));
        }
        int64[3] memory values = [a, b, c];
        for (uint256 i = 0; i < 3; ++i) {
            instances[19 + i] =
                addmod(FIELD_ORDER, uint256(int256(values[i]) + 2 ** 64), FIELD_ORDER);
            instances[19 + i] = addmod(instances[19 + i], FIELD_ORDER - 2 ** 64, FIELD_ORDER);
        }
        assertEq(double.asked(), keccak256(abi.encode(p.proof, instances, p.vka)));
    }

    function test_onlyTheWordOneUnderTheKeysDigestIsAcceptance() public {
        (Claim memory claim, EzklProof memory p) = sample();
        bytes32 vka = keccak256(abi.encodePacked(p.vka));
        bytes[7] memory near = [
            abi.encode(uint256(0), vka),
            abi.encode(uint256(2), vka),
            abi.encode(uint256(1), vka ^ bytes32(uint256(1))),
            abi.encode(uint256(1)),
            bytes.concat(bytes32(uint256(1)), bytes31(vka)),
            bytes(""),
            abi.encode(uint256(1) << 255, vka)
        ];
        for (uint256 i = 0; i < near.length; ++i) {
            double.say(near[i], false);
            refused(claim, p, abi.encodeWithSelector(Errors.ProofDoesNotHold.selector));
        }
        double.say(abi.encode(uint256(1), vka), true);
        refused(claim, p, abi.encodeWithSelector(Errors.ProofDoesNotHold.selector));
        // As ezkl's answers, whose third value has the wrong offset, and with nothing behind.
        double.say(abi.encode(uint256(1), vka, uint256(2), uint256(0)), false);
        adapter.verifyStatement(claim, encoded(p));
        double.say(abi.encode(uint256(1), vka), false);
        adapter.verifyStatement(claim, encoded(p));
    }

    function test_aKeyIsItsArtifactInputsAndOutputs() public {
        (Claim memory claim, EzklProof memory p) = sample();
        bytes32 own = claim.verifyingKey;
        bytes32 vka = keccak256(abi.encodePacked(p.vka));
        bytes32 heads = keccak256(abi.encode(p.heads));
        assertEq(own, keccak256(abi.encode(vka, uint256(3), heads)));
        claim.verifyingKey ^= bytes32(uint256(1));
        refused(claim, p, abi.encodeWithSelector(Errors.OtherKey.selector, own));
        claim.verifyingKey = own;
        p.vka[1] ^= bytes32(uint256(1));
        vka = keccak256(abi.encodePacked(p.vka));
        bytes32 other = keccak256(abi.encode(vka, uint256(3), heads));
        refused(claim, p, abi.encodeWithSelector(Errors.OtherKey.selector, other));
        (, p) = sample();
        p.heads[0][4] = "x";
        vka = keccak256(abi.encodePacked(p.vka));
        other = keccak256(abi.encode(vka, uint256(3), keccak256(abi.encode(p.heads))));
        refused(claim, p, abi.encodeWithSelector(Errors.OtherKey.selector, other));
    }

    function test_howManyNumbersThereAreIsTheKeys() public {
        (Claim memory claim, EzklProof memory p) = sample();
        bytes32 vka = keccak256(abi.encodePacked(p.vka));
        bytes32 heads = keccak256(abi.encode(p.heads));
        for (uint256 count = 0; count < 6; ++count) {
            p.numbers = new uint256[](count);
            claim.inputs = keccak256(abi.encodePacked(p.numbers));
            bytes32 other = keccak256(abi.encode(vka, count, heads));
            if (count != 3) {
                refused(claim, p, abi.encodeWithSelector(Errors.OtherKey.selector, other));
            } else {
                adapter.verifyStatement(claim, encoded(p));
            }
        }
    }

    function test_otherInputsAreRefused() public {
        (Claim memory claim, EzklProof memory p) = sample();
        bytes32 own = claim.inputs;
        claim.inputs ^= bytes32(uint256(1));
        refused(claim, p, abi.encodeWithSelector(Errors.OtherInputs.selector, own));
        // Another number that is the same element.
        p.numbers[0] += FIELD_ORDER;
        claim.inputs = keccak256(abi.encodePacked(p.numbers));
        refused(claim, p, abi.encodeWithSelector(Errors.InputOutOfRange.selector, 0));
    }

    function test_otherOutputsAreRefused() public {
        (Claim memory claim, EzklProof memory p) = sample();
        bytes[] memory outputs = claim.outputs;
        claim.outputs = new bytes[](1);
        claim.outputs[0] = outputs[0];
        refused(claim, p, abi.encodeWithSelector(Errors.OutputCount.selector, 1, 2));
        claim.outputs = outputs;
        (outputs[0], outputs[1]) = (outputs[1], outputs[0]);
        refused(claim, p, abi.encodeWithSelector(Errors.OtherOutput.selector, 0));
        (outputs[0], outputs[1]) = (outputs[1], outputs[0]);
        outputs[1] = bytes.concat(outputs[1], hex"00");
        refused(claim, p, abi.encodeWithSelector(Errors.OtherOutput.selector, 1));
        outputs[1] = abi.encodePacked(SECOND, bytes16(0));
        refused(claim, p, abi.encodeWithSelector(Errors.OtherOutput.selector, 1));
    }

    function test_whatIsTooShortIsRefused() public {
        (Claim memory claim,) = sample();
        vm.expectRevert(abi.encodeWithSelector(Errors.ProofTooShort.selector, 127, 128));
        adapter.verifyStatement(claim, new bytes(127));
    }

    // -- what tests start from -----------------------------------------------------------------

    function sample() private returns (Claim memory claim, EzklProof memory p) {
        p.vka = new bytes32[](2);
        (p.vka[0], p.vka[1]) = (keccak256("first"), keccak256("second"));
        p.heads = new bytes[](2);
        (p.heads[0], p.heads[1]) = (FIRST, SECOND);
        p.numbers = new uint256[](3);
        (p.numbers[0], p.numbers[1]) = (5, FIELD_ORDER - 1);
        p.proof = "a proof";
        bytes32 vka = keccak256(abi.encodePacked(p.vka));
        claim.statement = keccak256("statement");
        claim.verifyingKey = keccak256(abi.encode(vka, uint256(3), keccak256(abi.encode(p.heads))));
        claim.inputs = keccak256(abi.encodePacked(p.numbers));
        claim.outputs = new bytes[](2);
        claim.outputs[0] = abi.encodePacked(FIRST, le64(1), le64(-2));
        claim.outputs[1] = abi.encodePacked(SECOND, le64(type(int64).min));
        double.say(abi.encode(uint256(1), vka), false);
    }

    function le64(int64 value) private pure returns (bytes8 reversed) {
        for (uint256 i = 0; i < 8; ++i) {
            // forge-lint: disable-next-line(unsafe-typecast)
            reversed |= bytes8(bytes1(uint8(uint64(value) >> 8 * i))) >> 8 * i;
        }
    }

    function encoded(EzklProof memory p) private pure returns (bytes memory) {
        return abi.encode(p.vka, p.heads, p.numbers, p.proof);
    }

    function refused(Claim memory claim, EzklProof memory p, bytes memory why) private {
        bytes memory whole = encoded(p);
        vm.expectRevert(why);
        adapter.verifyStatement(claim, whole);
    }
}

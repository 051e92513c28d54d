// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Errors} from "../../src/Errors.sol";
import {DenseSums} from "../../src/sumcheck/DenseSums.sol";
import {Machine} from "../../src/sumcheck/Machine.sol";
import {Openings} from "../../src/sumcheck/Openings.sol";
import {PrivateProofs} from "../../src/sumcheck/PrivateProofs.sol";
import {LinkCall, LinkedProofs} from "../../src/verification/LinkedProofs.sol";
import {PrivateProof, PrivateProofsAdapter} from "../../src/verification/PrivateProofsAdapter.sol";
import {Claim, StatementVerifier} from "../../src/verification/StatementVerifier.sol";
import {VerifierRouter} from "../../src/verification/VerifierRouter.sol";
import {Vectors} from "../sumcheck/Vectors.sol";

/// @dev Proofs of `native/prover` through the router, with claims that `reference.claims` makes of them.
contract PrivateProofsAdapterTest is Vectors {
    bytes4 private constant SELECTOR = 0x0a0b0c0d;
    uint64 private constant CAP = 16_000_000;

    PrivateProofs private proofs;
    PrivateProofsAdapter private adapter;
    VerifierRouter private router;

    event Gas(string what, uint256 dataBytes, uint256 calldataGas, uint256 executionGas);

    function setUp() public {
        proofs = new PrivateProofs(new Openings());
        adapter = new PrivateProofsAdapter(LinkedProofs(address(proofs)));
        router = new VerifierRouter(address(this));
        router.add(SELECTOR, address(adapter), CAP, keccak256("specification"), 4, "sumcheck");
    }

    function test_anAdapterAsksAContract() public {
        vm.expectRevert(abi.encodeWithSelector(Errors.NotAVerifier.selector, address(1234)));
        new PrivateProofsAdapter(LinkedProofs(address(1234)));
    }

    // -- what is accepted ----------------------------------------------------------------------

    function test_proofsPassTheRouter() public {
        string[3] memory names = ["linear", "parameters", "fraud"];
        for (uint256 i = 0; i < names.length; ++i) {
            (Claim memory claim, PrivateProof memory p) = read_(names[i]);
            bytes memory whole = encoded(p);
            uint256 first = pass(string.concat(names[i], ", links included"), claim, whole);
            for (uint256 j = 0; j < p.links.length; ++j) {
                (p.links[j].given, p.links[j].opening) = ("", "");
            }
            uint256 again = pass(string.concat(names[i], ", links kept"), claim, encoded(p));
            assertTrue(again < first, "links are kept");
        }
    }

    function test_theEncodingIsTheOneOfPython() public {
        string[3] memory names = ["linear", "parameters", "fraud"];
        for (uint256 i = 0; i < names.length; ++i) {
            (Claim memory claim, PrivateProof memory p) = read_(names[i]);
            bytes32 digest = files.parseJsonBytes32(json(names[i]), ".proofDigest");
            assertEq(keccak256(encoded(p)), digest);
            assertEq(adapter.keyOf(p.programs, p.heads), claim.verifyingKey);
        }
    }

    function test_theAnswerIsTheSelector() public {
        (Claim memory claim, PrivateProof memory p) = read_("linear");
        bytes4 answer = adapter.verifyStatement(claim, encoded(p));
        assertEq(bytes32(answer), bytes32(StatementVerifier.verifyStatement.selector));
    }

    // -- the claim -----------------------------------------------------------------------------

    function test_anotherStatementIsRefused() public {
        (Claim memory claim, PrivateProof memory p) = read_("linear");
        claim.statement ^= bytes32(uint256(1));
        assertTrue(!accepted(claim, p), "its last bit");
        claim.statement ^= bytes32(uint256(1)) | bytes32(uint256(1) << 255);
        assertTrue(!accepted(claim, p), "its first bit");
    }

    function test_anotherKeyIsRefused() public {
        (Claim memory claim, PrivateProof memory p) = read_("linear");
        bytes32 own = claim.verifyingKey;
        claim.verifyingKey ^= bytes32(uint256(1));
        refused(claim, p, abi.encodeWithSelector(Errors.OtherKey.selector, own));
    }

    function test_otherInputsAreRefused() public {
        (Claim memory claim, PrivateProof memory p) = read_("linear");
        bytes32 own = claim.inputs;
        claim.inputs ^= bytes32(uint256(1));
        refused(claim, p, abi.encodeWithSelector(Errors.OtherInputs.selector, own));
        // And numbers of the claim's own that are not those of the proof.
        p.numbers[0] ^= 0x01;
        claim.inputs = keccak256(p.numbers);
        assertTrue(!accepted(claim, p), "other numbers");
    }

    function test_everyChangedByteOfAnOutputIsRefused() public {
        (Claim memory claim, PrivateProof memory p) = read_("linear");
        bytes memory output = claim.outputs[0];
        uint256 head = p.heads[0].length;
        for (uint256 i = 0; i < output.length; ++i) {
            output[i] ^= 0x01;
            if (i < head) {
                refused(claim, p, abi.encodeWithSelector(Errors.OtherOutput.selector, 0));
            } else if ((i - head) % 8 > 3) {
                refused(claim, p, abi.encodeWithSelector(Errors.OutputOutOfRange.selector, 0));
            } else if ((i - head) % 8 > 1 || i < head + 16) {
                // Those that the proof alone can refuse take long: some of them, and all that leave the range.
                assertTrue(!accepted(claim, p), "a value");
            }
            output[i] ^= 0x01;
        }
        assertTrue(accepted(claim, p), "as it was");
    }

    function test_anOutputOfAnotherLengthIsRefused() public {
        (Claim memory claim, PrivateProof memory p) = read_("linear");
        bytes memory output = claim.outputs[0];
        bytes memory why = abi.encodeWithSelector(Errors.OtherOutput.selector, 0);
        claim.outputs[0] = bytes.concat(output, hex"00");
        refused(claim, p, why);
        claim.outputs[0] = bytes.concat(output, bytes8(0));
        refused(claim, p, why);
        claim.outputs[0] = cut(output, output.length - 8);
        refused(claim, p, why);
        claim.outputs[0] = cut(output, p.heads[0].length - 1);
        refused(claim, p, why);
        claim.outputs[0] = "";
        refused(claim, p, why);
    }

    function test_moreAndFewerOutputsAreRefused() public {
        (Claim memory claim, PrivateProof memory p) = read_("parameters");
        uint256 count = claim.outputs.length;
        bytes[] memory outputs = claim.outputs;
        claim.outputs = new bytes[](count + 1);
        for (uint256 i = 0; i < count; ++i) {
            claim.outputs[i] = outputs[i];
        }
        refused(claim, p, abi.encodeWithSelector(Errors.OutputCount.selector, count + 1, count));
        claim.outputs = new bytes[](0);
        refused(claim, p, abi.encodeWithSelector(Errors.OutputCount.selector, 0, count));
        // In another order.
        claim.outputs = outputs;
        (outputs[0], outputs[1]) = (outputs[1], outputs[0]);
        refused(claim, p, abi.encodeWithSelector(Errors.OtherOutput.selector, 0));
    }

    /// @dev An int64 whose lower half is the proof's value.
    function test_aValueBeyondInt32IsRefused() public {
        (Claim memory claim, PrivateProof memory p) = read_("fraud");
        uint256 start = p.heads[0].length;
        // The first value is negative: its upper half is ones, and not zeros or another number.
        for (uint256 i = 0; i < 3; ++i) {
            for (uint256 j = 4; j < 8; ++j) {
                claim.outputs[0][start + j] = [bytes1(0x00), 0x7f, 0xfe][i];
            }
            refused(claim, p, abi.encodeWithSelector(Errors.OutputOutOfRange.selector, 0));
        }
        for (uint256 j = 4; j < 8; ++j) {
            claim.outputs[0][start + j] = 0xff;
        }
        assertTrue(accepted(claim, p), "as it was");
    }

    function test_aValueOutOfItsRangeIsRefusedByTheProgram() public {
        (Claim memory claim, PrivateProof memory p) = read_("fraud");
        uint256 start = p.heads[0].length;
        for (uint256 j = 0; j < 8; ++j) {
            claim.outputs[0][start + j] = j == 3 ? bytes1(0x7f) : j < 3 ? bytes1(0xff) : bytes1(0);
        }
        bytes memory why = attempt(claim, encoded(p));
        assertEq(bytes32(bytes4(why)), bytes32(DenseSums.NotInRange.selector));
    }

    // -- what is brought -----------------------------------------------------------------------

    function test_programsInAnotherOrderAreAnotherKey() public {
        (Claim memory claim, PrivateProof memory p) = read_("linear");
        for (uint256 i = 0; i < 7; ++i) {
            (p.programs[i], p.programs[i + 1]) = (p.programs[i + 1], p.programs[i]);
            bytes memory why = attempt(claim, encoded(p));
            assertEq(bytes32(bytes4(why)), bytes32(Errors.OtherKey.selector));
            (p.programs[i], p.programs[i + 1]) = (p.programs[i + 1], p.programs[i]);
        }
    }

    function test_everyChangedByteOfAHeadIsAnotherKey() public {
        (Claim memory claim, PrivateProof memory p) = read_("linear");
        for (uint256 i = 0; i < p.heads[0].length; ++i) {
            p.heads[0][i] ^= 0x01;
            bytes memory why = attempt(claim, encoded(p));
            assertEq(bytes32(bytes4(why)), bytes32(Errors.OtherKey.selector));
            p.heads[0][i] ^= 0x01;
        }
    }

    function test_aHeadThatIsNoneIsRefused() public {
        (Claim memory claim, PrivateProof memory p) = read_("linear");
        bytes memory head = p.heads[0];
        bytes[5] memory wrong = [
            bytes(""),
            cut(head, head.length - 1),
            bytes.concat(head, hex"00"),
            bytes.concat(hex"ffffffff", cut(head, 20)),
            bytes.concat(cut(head, 6), hex"ffffffff", bytes8(0))
        ];
        for (uint256 i = 0; i < wrong.length; ++i) {
            p.heads[0] = claim.outputs[0] = wrong[i];
            claim.verifyingKey = adapter.keyOf(p.programs, p.heads);
            refused(claim, p, abi.encodeWithSelector(Errors.BadHead.selector, 0));
        }
    }

    /// @dev Bytes that are moved from one part to the next: where each stands does not depend on who brings them.
    function test_whatIsMovedFromPartToPartIsRefused() public {
        (Claim memory claim, PrivateProof memory p) = read_("linear");
        bytes memory before = p.before;
        p.before = bytes.concat(before, bytes4(0));
        refused(claim, p, abi.encodeWithSelector(Errors.EpochLength.selector, 120, 116));
        p.before = cut(before, 112);
        refused(claim, p, abi.encodeWithSelector(Errors.EpochLength.selector, 112, 116));
        p.before = before;
        bytes memory numbers = p.numbers;
        p.numbers = bytes.concat(numbers, bytes4(0));
        claim.inputs = keccak256(p.numbers);
        uint256 length = 116 + 32 + numbers.length + 14 * 4;
        refused(claim, p, abi.encodeWithSelector(Machine.WrongLength.selector, length + 4, length));
        p.numbers = cut(numbers, numbers.length - 4);
        claim.inputs = keccak256(p.numbers);
        refused(claim, p, abi.encodeWithSelector(Machine.WrongLength.selector, length - 4, length));
    }

    function test_everyChangedByteOfTheEpochIsRefused() public {
        (Claim memory claim, PrivateProof memory p) = read_("linear");
        for (uint256 i = 0; i < p.before.length; i += 3) {
            p.before[i] ^= 0x01;
            assertTrue(!accepted(claim, p), "a byte of the epoch");
            p.before[i] ^= 0x01;
        }
    }

    function test_aChangedProofIsRefused() public {
        (Claim memory claim, PrivateProof memory p) = read_("linear");
        for (uint256 i = 0; i < p.proof.length; i += 2003) {
            p.proof[i] ^= 0x01;
            assertTrue(!accepted(claim, p), "a byte of the proof");
            p.proof[i] ^= 0x01;
        }
        p.proof = cut(p.proof, p.proof.length - 1);
        assertTrue(!accepted(claim, p), "shorter");
    }

    function test_whatIsTooShortIsRefused() public {
        (Claim memory claim,) = read_("linear");
        bytes memory why = attempt(claim, new bytes(415));
        assertEq(
            keccak256(why),
            keccak256(abi.encodeWithSelector(Errors.ProofTooShort.selector, 415, 416))
        );
        assertTrue(attempt(claim, new bytes(416)).length > 0, "zeros");
    }

    /// @dev Any bytes anywhere in a proof: what is accepted says the same, and differs in bytes that pad.
    function testFuzz_bytesThatAreNoProofAreRefused(bytes calldata brought, uint256 start) public {
        (Claim memory claim, PrivateProof memory p) = read_("linear");
        bytes memory whole = encoded(p);
        start = bound(start, 0, whole.length - 1);
        for (uint256 i = 0; i < brought.length && start + i < whole.length; ++i) {
            whole[start + i] = brought[i];
        }
        if (attempt(claim, whole).length != 0) return;
        bytes32 own = keccak256(encoded(p));
        (p.programs, p.heads, p.before, p.numbers, p.links, p.proof) =
            abi.decode(whole, (bytes32[8], bytes[], bytes, bytes, LinkCall[], bytes));
        assertEq(keccak256(encoded(p)), own);
    }

    // -- links ---------------------------------------------------------------------------------

    function test_linksAreTheKeysOwnAndInOrder() public {
        (Claim memory claim, PrivateProof memory p) = read_("parameters");
        assertTrue(accepted(claim, p), "two links, which are kept now");
        LinkCall[] memory links = p.links;
        bytes32[8] memory programs = p.programs;
        p.links = new LinkCall[](0);
        refused(claim, p, abi.encodeWithSelector(Errors.LinksEndElsewhere.selector, 0));
        p.links = listOf(links[0]);
        refused(claim, p, abi.encodeWithSelector(Errors.LinksEndElsewhere.selector, 1));
        p.links = listOf(links[1]);
        refused(claim, p, abi.encodeWithSelector(Errors.NotAStep.selector, 0, programs[7]));
        p.links = listOf(links[1], links[0]);
        refused(claim, p, abi.encodeWithSelector(Errors.NotAStep.selector, 0, programs[7]));
        p.links = listOf(links[0], links[0]);
        refused(claim, p, abi.encodeWithSelector(Errors.NotAStep.selector, 1, programs[2]));
        p.links = listOf(links[0], links[1], links[1]);
        refused(claim, p, abi.encodeWithSelector(Errors.NotAStep.selector, 2, programs[7]));
        p.links = links;
        p.links[1].program = 0;
        refused(claim, p, abi.encodeWithSelector(Errors.NotAStep.selector, 1, bytes32(0)));
        p.links[1].program = keccak256("anybody's");
        refused(
            claim, p, abi.encodeWithSelector(Errors.NotAStep.selector, 1, keccak256("anybody's"))
        );
    }

    function test_moreLinksThanThereMayBeAreRefused() public {
        (Claim memory claim, PrivateProof memory p) = read_("linear");
        p.links = new LinkCall[](17);
        refused(claim, p, abi.encodeWithSelector(Errors.TooLong.selector, 17, 16));
    }

    function test_aLinkThatAKeyDoesNotHaveIsNotZero() public {
        (Claim memory claim, PrivateProof memory p) = read_("linear");
        p.programs[1] = p.programs[2] = 0;
        claim.verifyingKey = adapter.keyOf(p.programs, p.heads);
        LinkCall memory own = p.links[0];
        LinkCall memory none;
        p.links = listOf(none, own);
        refused(claim, p, abi.encodeWithSelector(Errors.NotAStep.selector, 0, bytes32(0)));
        p.links = listOf(own);
        assertTrue(accepted(claim, p), "without them");
    }

    function test_aForgedLinkKeepsNothing() public {
        (Claim memory claim, PrivateProof memory p) = read_("fraud");
        p.links[0].opening[p.links[0].opening.length / 2] ^= 0x01;
        assertTrue(!accepted(claim, p), "a forged link");
        assertTrue(!proofs.linked(p.programs[3], p.links[0].commitment), "not kept");
    }

    // -- what tests start from -----------------------------------------------------------------

    function listOf(LinkCall memory a) private pure returns (LinkCall[] memory links) {
        links = new LinkCall[](1);
        links[0] = a;
    }

    function listOf(LinkCall memory a, LinkCall memory b)
        private
        pure
        returns (LinkCall[] memory links)
    {
        links = new LinkCall[](2);
        (links[0], links[1]) = (a, b);
    }

    function listOf(LinkCall memory a, LinkCall memory b, LinkCall memory c)
        private
        pure
        returns (LinkCall[] memory links)
    {
        links = new LinkCall[](3);
        (links[0], links[1], links[2]) = (a, b, c);
    }

    function cut(bytes memory data, uint256 length) private pure returns (bytes memory part) {
        part = new bytes(length);
        for (uint256 i = 0; i < length; ++i) {
            part[i] = data[i];
        }
    }

    function pass(string memory what, Claim memory claim, bytes memory whole)
        private
        returns (uint256 used)
    {
        bytes memory data = abi.encodeCall(VerifierRouter.verify, (SELECTOR, claim, whole));
        uint256 taken = 0;
        for (uint256 i = 0; i < data.length; ++i) {
            taken += data[i] == 0 ? 4 : 16;
        }
        used = gasleft();
        router.verify(SELECTOR, claim, whole);
        used -= gasleft();
        emit Gas(what, data.length, taken, used);
    }

    function accepted(Claim memory claim, PrivateProof memory p) private returns (bool) {
        return attempt(claim, encoded(p)).length == 0;
    }

    function refused(Claim memory claim, PrivateProof memory p, bytes memory why) private {
        bytes memory whole = encoded(p);
        vm.expectRevert(abi.encodeWithSelector(Errors.VerifierReverted.selector, SELECTOR, why));
        router.verify(SELECTOR, claim, whole);
    }

    /// @return why What the adapter says against it; empty where it is accepted.
    function attempt(Claim memory claim, bytes memory whole) private returns (bytes memory why) {
        try router.verify(SELECTOR, claim, whole) {
            return "";
        } catch (bytes memory data) {
            assertEq(bytes32(bytes4(data)), bytes32(Errors.VerifierReverted.selector));
            // Behind the selector: the router's selector, and the reason.
            bytes memory arguments = new bytes(data.length - 4);
            for (uint256 i = 0; i < arguments.length; ++i) {
                arguments[i] = data[i + 4];
            }
            (, why) = abi.decode(arguments, (bytes4, bytes));
            return why.length == 0 ? bytes("no reason") : why;
        }
    }

    function encoded(PrivateProof memory p) private pure returns (bytes memory) {
        return abi.encode(p.programs, p.heads, p.before, p.numbers, p.links, p.proof);
    }

    function json(string memory name) private view returns (string memory) {
        return read(string.concat("claims/", name));
    }

    /// @dev A claim with its proof, whose programs are stored.
    function read_(string memory name) private returns (Claim memory claim, PrivateProof memory p) {
        string memory own = json(name);
        claim.statement = files.parseJsonBytes32(own, ".statement");
        claim.verifyingKey = files.parseJsonBytes32(own, ".verifyingKey");
        claim.inputs = files.parseJsonBytes32(own, ".inputs");
        uint256 count = files.parseJsonUint(own, ".outputs");
        (claim.outputs, p.heads) = (new bytes[](count), new bytes[](count));
        for (uint256 i = 0; i < count; ++i) {
            string memory number = i == 0 ? "0" : i == 1 ? "1" : "2";
            claim.outputs[i] = files.parseJsonBytes(own, string.concat(".output", number));
            p.heads[i] = files.parseJsonBytes(own, string.concat(".head", number));
        }
        p.programs = abi.decode(files.parseJsonBytes(own, ".programs"), (bytes32[8]));
        p.before = files.parseJsonBytes(own, ".epoch");
        p.numbers = files.parseJsonBytes(own, ".numbers");
        own = read(string.concat("programs/", name));
        p.proof = files.parseJsonBytes(own, ".proof");
        proofs.add(files.parseJsonBytes(own, ".program"));
        p.links = new LinkCall[](files.parseJsonUint(own, ".links"));
        for (uint256 i = 0; i < p.links.length; ++i) {
            string memory key = i == 0 ? ".link0" : ".link1";
            p.links[i] = LinkCall(
                proofs.add(files.parseJsonBytes(own, string.concat(key, "Program"))),
                files.parseJsonBytes32(own, string.concat(key, "Commitment")),
                files.parseJsonBytes(own, string.concat(key, "Given")),
                files.parseJsonBytes(own, string.concat(key, "Opening"))
            );
        }
    }
}

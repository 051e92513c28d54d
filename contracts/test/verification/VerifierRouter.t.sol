// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {Base} from "../Base.sol";
import {Agreeing, Bomb, Burning, Calling, Paying, Saying, Thirsty} from "./Adapters.sol";
import {Errors} from "../../src/Errors.sol";
import {Events} from "../../src/Events.sol";
import {Claim, StatementVerifier} from "../../src/verification/StatementVerifier.sol";
import {Verifier, VerifierRouter} from "../../src/verification/VerifierRouter.sol";

contract VerifierRouterTest is Base {
    bytes4 private constant SELECTOR = 0x0a0b0c0d;
    bytes4 private constant MAGIC = StatementVerifier.verifyStatement.selector;
    uint64 private constant CAP = 500_000;
    bytes32 private constant SPECIFICATION = keccak256("what it accepts");
    string private constant SYSTEM = "sumcheck";
    address private constant OWNER = address(0x0EE1);
    address private constant STRANGER = address(0x57A6);

    VerifierRouter private router;
    Agreeing private agreeing;

    event Gas(string what, uint256 gasUsed);

    function setUp() public {
        router = new VerifierRouter(OWNER);
        agreeing = new Agreeing();
    }

    // -- adding --------------------------------------------------------------------------------

    function test_add_keepsAllOfAVerifier() public {
        vm.expectEmit(address(router));
        emit Events.VerifierAdded(SELECTOR, address(agreeing), CAP, SPECIFICATION, 4, SYSTEM);
        put(SELECTOR, address(agreeing));
        Verifier memory found = router.verifierOf(SELECTOR);
        assertEq(found.adapter, address(agreeing));
        assertEq(found.gasCap, CAP);
        assertEq(found.specificationDigest, SPECIFICATION);
        assertTrue(!found.retired, "it has not ended");
        assertEq(router.assuranceOf(SELECTOR), 4);
        assertEq(keccak256(bytes(router.systemOf(SELECTOR))), keccak256(bytes(SYSTEM)));
    }

    function test_add_isTheOwners() public {
        vm.prank(STRANGER);
        vm.expectRevert(
            abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, STRANGER)
        );
        router.add(SELECTOR, address(agreeing), CAP, SPECIFICATION, 4, SYSTEM);
    }

    function test_add_neverReplaces() public {
        put(SELECTOR, address(agreeing));
        address other = address(new Agreeing());
        refused(SELECTOR, other, abi.encodeWithSelector(Errors.SelectorTaken.selector, SELECTOR));
        vm.prank(OWNER);
        router.retire(SELECTOR);
        refused(SELECTOR, other, abi.encodeWithSelector(Errors.SelectorTaken.selector, SELECTOR));
        put(0x0a0b0c0e, other);
    }

    function test_add_refusesWhatIsNoVerifier() public {
        refused(0, address(agreeing), abi.encodeWithSelector(Errors.ZeroSelector.selector));
        refused(SELECTOR, STRANGER, abi.encodeWithSelector(Errors.NotAVerifier.selector, STRANGER));
        refused(
            SELECTOR, address(0), abi.encodeWithSelector(Errors.NotAVerifier.selector, address(0))
        );
        // An account that has delegated its code may do so anew; a contract with as many bytes may not.
        vm.etch(STRANGER, abi.encodePacked(hex"ef0100", address(agreeing)));
        refused(SELECTOR, STRANGER, abi.encodeWithSelector(Errors.NotAVerifier.selector, STRANGER));
        vm.etch(STRANGER, abi.encodePacked(hex"600100", address(agreeing)));
        put(SELECTOR, STRANGER);
    }

    function test_add_refusesWhatIsOutOfBounds() public {
        address taken = address(agreeing);
        vm.expectRevert(abi.encodeWithSelector(Errors.ZeroGasCap.selector));
        add(taken, 0, SPECIFICATION, 4, SYSTEM);
        vm.expectRevert(abi.encodeWithSelector(Errors.ZeroSpecification.selector));
        add(taken, CAP, 0, 4, SYSTEM);
        vm.expectRevert(abi.encodeWithSelector(Errors.BadAssurance.selector, uint8(0)));
        add(taken, CAP, SPECIFICATION, 0, SYSTEM);
        vm.expectRevert(abi.encodeWithSelector(Errors.BadAssurance.selector, uint8(5)));
        add(taken, CAP, SPECIFICATION, 5, SYSTEM);
        vm.expectRevert(abi.encodeWithSelector(Errors.NoSystem.selector));
        add(taken, CAP, SPECIFICATION, 4, "");
        vm.expectRevert(abi.encodeWithSelector(Errors.TooLong.selector, 32, 31));
        add(taken, CAP, SPECIFICATION, 4, string(new bytes(32)));
        add(taken, CAP, SPECIFICATION, 4, string(new bytes(31)));
        assertEq(bytes(router.systemOf(SELECTOR)).length, 31);
    }

    function test_theOwnerChangesInTwoSteps() public {
        vm.prank(OWNER);
        router.transferOwnership(STRANGER);
        assertEq(router.owner(), OWNER);
        vm.prank(STRANGER);
        router.acceptOwnership();
        assertEq(router.owner(), STRANGER);
    }

    // -- retiring ------------------------------------------------------------------------------

    function test_retire_leavesATombstone() public {
        put(SELECTOR, address(agreeing));
        router.verify(SELECTOR, claimOf(1), "proof");
        vm.expectEmit(address(router));
        emit Events.VerifierRetired(SELECTOR);
        vm.prank(OWNER);
        router.retire(SELECTOR);
        bytes memory ended = abi.encodeWithSelector(Errors.VerifierIsRetired.selector, SELECTOR);
        vm.expectRevert(ended);
        router.verify(SELECTOR, claimOf(1), "proof");
        vm.expectRevert(ended);
        router.assuranceOf(SELECTOR);
        vm.expectRevert(ended);
        router.systemOf(SELECTOR);
        vm.prank(OWNER);
        vm.expectRevert(ended);
        router.retire(SELECTOR);
        assertTrue(router.verifierOf(SELECTOR).retired, "what stood there can be read");
    }

    function test_retire_isTheOwnersAndOfWhatIsThere() public {
        put(SELECTOR, address(agreeing));
        vm.prank(STRANGER);
        vm.expectRevert(
            abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, STRANGER)
        );
        router.retire(SELECTOR);
        vm.prank(OWNER);
        vm.expectRevert(abi.encodeWithSelector(Errors.UnknownVerifier.selector, bytes4(0x01020304)));
        router.retire(0x01020304);
        router.verify(SELECTOR, claimOf(1), "proof");
    }

    function test_whatIsUnknownIsRefusedByName() public {
        bytes memory unknown = abi.encodeWithSelector(Errors.UnknownVerifier.selector, SELECTOR);
        vm.expectRevert(unknown);
        router.verify(SELECTOR, claimOf(1), "proof");
        vm.expectRevert(unknown);
        router.assuranceOf(SELECTOR);
        vm.expectRevert(unknown);
        router.systemOf(SELECTOR);
        vm.expectRevert(unknown);
        router.verifierOf(SELECTOR);
    }

    // -- verifying -----------------------------------------------------------------------------

    function testFuzz_verify_asksForExactlyThis(bytes32 seed, bytes calldata proof) public {
        put(SELECTOR, address(agreeing));
        Claim memory claim = claimOf(uint256(seed));
        router.verify(SELECTOR, claim, proof);
        assertEq(agreeing.asked(), keccak256(abi.encode(claim, proof)));
    }

    function testFuzz_verify_takesNoOtherAnswer(bytes calldata answer, bool reverts) public {
        put(SELECTOR, address(new Saying(answer, reverts)));
        bytes32 word = answer.length < 32
            ? bytes32(answer) & ~bytes32(type(uint256).max >> 8 * answer.length)
            : bytes32(answer[:32]);
        if (reverts) {
            bytes memory cut = answer.length < 256 ? answer : answer[:256];
            vm.expectRevert(abi.encodeWithSelector(Errors.VerifierReverted.selector, SELECTOR, cut));
        } else if (answer.length != 32 || word != bytes32(MAGIC)) {
            vm.expectRevert(
                abi.encodeWithSelector(Errors.WrongAnswer.selector, SELECTOR, answer.length, word)
            );
        }
        router.verify(SELECTOR, claimOf(1), "proof");
    }

    function test_verify_takesTheOneRightAnswerAndNoneNearIt() public {
        put(0x00000001, address(new Saying(abi.encode(MAGIC), false)));
        router.verify(0x00000001, claimOf(1), "proof");
        bytes[7] memory near = [
            abi.encode(false),
            abi.encode(true),
            abi.encodePacked(MAGIC),
            bytes.concat(abi.encode(MAGIC), hex"00"),
            bytes.concat(abi.encode(MAGIC), bytes32(0)),
            abi.encode(uint256(uint32(MAGIC))),
            abi.encode(uint256(bytes32(MAGIC)) | 1)
        ];
        for (uint256 i = 0; i < near.length; ++i) {
            bytes4 selector = bytes4(uint32(i + 2));
            put(selector, address(new Saying(near[i], false)));
            bytes32 word = i == 2 ? bytes32(MAGIC) : abi.decode(near[i], (bytes32));
            vm.expectRevert(
                abi.encodeWithSelector(Errors.WrongAnswer.selector, selector, near[i].length, word)
            );
            router.verify(selector, claimOf(1), "proof");
        }
    }

    function test_verify_refusesWhereNothingStandsAnyMore() public {
        put(SELECTOR, address(agreeing));
        vm.etch(address(agreeing), "");
        vm.expectRevert(abi.encodeWithSelector(Errors.NotAVerifier.selector, address(agreeing)));
        router.verify(SELECTOR, claimOf(1), "proof");
    }

    function test_verify_outlivesOneThatBurnsAllGas() public {
        put(SELECTOR, address(new Burning()));
        uint256 start = gasleft();
        (bool done, bytes memory why) = attempt(SELECTOR, gasleft());
        uint256 used = start - gasleft();
        assertTrue(!done, "refused");
        bytes memory expected =
            abi.encodeWithSelector(Errors.VerifierReverted.selector, SELECTOR, bytes(""));
        assertEq(keccak256(why), keccak256(expected));
        assertTrue(used < CAP + 50_000, "no more than its cap is lost");
    }

    function test_verify_copiesNoMegabytes() public {
        // They take its own gas, for which the cap has room here: 2.2 million for a million bytes.
        for (uint256 i = 0; i < 2; ++i) {
            bytes4 selector = bytes4(uint32(i + 1));
            address bomb = address(new Bomb(i == 1));
            vm.prank(OWNER);
            router.add(selector, bomb, 3_000_000, SPECIFICATION, 4, SYSTEM);
            uint256 start = gasleft();
            (bool done, bytes memory why) = attempt(selector, gasleft());
            uint256 used = start - gasleft();
            assertTrue(!done && used < 2_300_000, "what it has taken itself");
            bytes4 expected =
                i == 0 ? Errors.WrongAnswer.selector : Errors.VerifierReverted.selector;
            assertEq(bytes32(bytes4(why)), bytes32(expected));
            assertTrue(why.length < 500, "cut");
        }
    }

    function test_verify_isNotReenteredByTheAdapter() public {
        Calling calling = new Calling();
        put(SELECTOR, address(calling));
        put(0x01020304, address(agreeing));
        calling.aim(
            address(router),
            abi.encodeCall(VerifierRouter.verify, (0x01020304, claimOf(2), "other"))
        );
        router.verify(SELECTOR, claimOf(1), "proof");
        assertTrue(calling.held(), "held");
        assertEq(
            bytes32(bytes4(calling.why())),
            bytes32(ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector)
        );
        assertEq(agreeing.asked(), 0);
        router.verify(0x01020304, claimOf(2), "other");
        assertTrue(agreeing.asked() != 0, "and is asked again afterwards");
    }

    function test_verify_ofACallerIsNotReenteredByTheAdapter() public {
        Calling calling = new Calling();
        Paying paying = new Paying(router);
        put(SELECTOR, address(calling));
        bytes memory again = abi.encodeCall(Paying.deliver, (SELECTOR, claimOf(1), "proof"));
        calling.aim(address(paying), again);
        paying.deliver(SELECTOR, claimOf(1), "proof");
        assertTrue(calling.held(), "held");
        assertEq(paying.paid(), 1);
    }

    function test_verify_givesAnAdapterNoPowerOverTheRouter() public {
        Calling calling = new Calling();
        put(SELECTOR, address(calling));
        calling.aim(address(router), abi.encodeCall(VerifierRouter.retire, (SELECTOR)));
        router.verify(SELECTOR, claimOf(1), "proof");
        assertTrue(calling.held(), "held");
        assertEq(router.assuranceOf(SELECTOR), 4);
    }

    /// @dev A proof that takes nearly the whole cap: whatever gas a caller sends, the adapter is never
    /// called with less than it needs.
    function testFuzz_verify_isNotStarved(uint256 sent) public {
        put(SELECTOR, address(new Thirsty(CAP - 1_000)));
        sent = bound(sent, 40_000, 2 * CAP);
        (bool done, bytes memory why) = attempt(SELECTOR, sent);
        if (done) return;
        // Without a word: too little for the router itself.
        bytes4 named = why.length < 4 ? bytes4(0) : bytes4(why);
        assertTrue(named == 0 || named == Errors.TooLittleGas.selector, "the caller's fault");
    }

    function test_verify_isTakenWithAsMuchGasAsItSaysAndNotWithLess() public {
        put(SELECTOR, address(new Thirsty(CAP - 1_000)));
        (bool done, bytes memory why) = attempt(SELECTOR, CAP);
        assertTrue(!done && bytes4(why) == Errors.TooLittleGas.selector, "by name");
        uint256 needed;
        uint256 left;
        assembly ("memory-safe") {
            left := mload(add(why, 68))
            needed := mload(add(why, 100))
        }
        assertEq(needed, uint256(CAP) + CAP / 63 + 10_000);
        // The same call again, in which all is warm: what was spent before is spent again at most.
        (done, why) = attempt(SELECTOR, CAP + needed - left - 8_000);
        assertTrue(!done && bytes4(why) == Errors.TooLittleGas.selector, "still too little");
        (done,) = attempt(SELECTOR, CAP + needed - left);
        assertTrue(done, "as much as it says");
    }

    function test_gas_theDoorItselfTakesLittle() public {
        put(SELECTOR, address(agreeing));
        (bool done,) = attempt(SELECTOR, gasleft());
        bytes memory proof = new bytes(100_000);
        uint256 start = gasleft();
        router.verify(SELECTOR, claimOf(1), proof);
        emit Gas("a door before 100,000 bytes", start - gasleft());
        assertTrue(done, "verified");
    }

    // -- what tests start from -----------------------------------------------------------------

    function claimOf(uint256 seed) private pure returns (Claim memory claim) {
        claim.statement = keccak256(abi.encode("statement", seed));
        claim.verifyingKey = keccak256(abi.encode("key", seed));
        claim.inputs = keccak256(abi.encode("inputs", seed));
        claim.outputs = new bytes[](seed % 3);
        for (uint256 i = 0; i < claim.outputs.length; ++i) {
            claim.outputs[i] = abi.encode(seed, i);
        }
    }

    function add(
        address adapter,
        uint64 cap,
        bytes32 specification,
        uint8 assurance,
        string memory system
    ) private {
        vm.prank(OWNER);
        router.add(SELECTOR, adapter, cap, specification, assurance, system);
    }

    function put(bytes4 selector, address adapter) private {
        vm.prank(OWNER);
        router.add(selector, adapter, CAP, SPECIFICATION, 4, SYSTEM);
    }

    function refused(bytes4 selector, address adapter, bytes memory why) private {
        vm.prank(OWNER);
        vm.expectRevert(why);
        router.add(selector, adapter, CAP, SPECIFICATION, 4, SYSTEM);
    }

    function attempt(bytes4 selector, uint256 sent) private returns (bool, bytes memory) {
        return address(router).call{gas: sent}(
            abi.encodeCall(VerifierRouter.verify, (selector, claimOf(1), "proof"))
        );
    }
}

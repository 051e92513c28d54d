// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {Registrations} from "./Registrations.sol";
import {DevnetUSD} from "../../src/DevnetUSD.sol";
import {Errors} from "../../src/Errors.sol";
import {Events} from "../../src/Events.sol";
import {ModelRegistry} from "../../src/registry/ModelRegistry.sol";
import {Registration, Terms, TokenPrice, Version} from "../../src/registry/Registration.sol";

/// @dev A contract that owns models: it takes the signatures over one digest.
contract Wallet is IERC1271 {
    bytes32 private immutable TAKEN;

    constructor(bytes32 taken) {
        TAKEN = taken;
    }

    function isValidSignature(bytes32 digest, bytes memory) external view returns (bytes4) {
        return digest == TAKEN ? IERC1271.isValidSignature.selector : bytes4(0);
    }
}

contract ModelRegistryTest is Registrations {
    bytes32 private constant FIRST = keccak256("first");
    bytes32 private constant SECOND = keccak256("second");
    address private constant OTHER = address(0x07E4);

    DevnetUSD private token;
    ModelRegistry private registry;
    address private provider;
    address private thief;

    function setUp() public {
        vm.warp(NOW);
        token = new DevnetUSD(address(this));
        registry = new ModelRegistry();
        provider = vm.addr(PROVIDER_KEY);
        thief = vm.addr(THIEF_KEY);
    }

    // -- registering ---------------------------------------------------------------------------

    function test_register_keepsAllThatWasSigned() public {
        Registration memory r = registrationOf(FIRST, address(token));
        bytes memory signature = sealedBy(registry, PROVIDER_KEY, r);
        vm.expectEmit(address(registry));
        emit Events.VersionRegistered(FIRST, FIRST, provider, 1);
        vm.expectEmit(address(registry));
        emit Events.PriceSet(FIRST, address(token), PRICE, true);
        registry.register(r, signature);
        check(FIRST, FIRST, 1, true, r.terms);
        (address owner, address offeredTo, uint256 versions) = registry.ownership(FIRST);
        assertEq(owner, provider);
        assertEq(offeredTo, address(0));
        assertEq(versions, 1);
        checkPrice(FIRST, address(token), PRICE, true);
    }

    function test_register_takesAnotherVersionOfTheOwners() public {
        add(FIRST, FIRST);
        Registration memory r = add(SECOND, FIRST);
        check(SECOND, FIRST, 2, true, r.terms);
        check(FIRST, FIRST, 1, true, termsOf(FIRST));
        (,, uint256 versions) = registry.ownership(FIRST);
        assertEq(versions, 2);
    }

    function test_register_refusesAVersionOfAnothersModel() public {
        add(FIRST, FIRST);
        Registration memory r = registrationOf(SECOND, address(token));
        r.model = FIRST;
        r.owner = thief;
        refused(r, THIEF_KEY, abi.encodeWithSelector(Errors.NotModelOwner.selector, FIRST, thief));
    }

    function test_register_refusesAVersionOfNoModel() public {
        Registration memory r = registrationOf(SECOND, address(token));
        r.model = FIRST;
        refused(r, PROVIDER_KEY, abi.encodeWithSelector(Errors.UnknownModel.selector, FIRST));
        // A version names no model, though its own commitment is registered.
        add(FIRST, FIRST);
        add(SECOND, FIRST);
        r = registrationOf(keccak256("third"), address(token));
        r.model = SECOND;
        refused(r, PROVIDER_KEY, abi.encodeWithSelector(Errors.UnknownModel.selector, SECOND));
    }

    function test_register_takesTermsOfEverySize() public {
        for (uint256 i = 0; i < 3; ++i) {
            bytes32 commitment = keccak256(abi.encode(i));
            Registration memory r = registrationOf(commitment, address(token));
            r.terms.contentId = new bytes(i * 32);
            r.terms.metadataUri = string(new bytes(i * 128));
            r.terms.metadataDigest = i == 0 ? bytes32(0) : bytes32(i);
            r.prices = new TokenPrice[](i * 4);
            for (uint256 j = 0; j < i * 4; ++j) {
                r.prices[j] = TokenPrice(address(token), uint128(j), true);
            }
            registry.register(r, sealedBy(registry, PROVIDER_KEY, r));
            check(commitment, commitment, 1, true, r.terms);
        }
    }

    function test_register_refusesTermsBeyondTheirBounds() public {
        Registration memory r = registrationOf(FIRST, address(token));
        r.commitment = r.model = 0;
        refused(r, PROVIDER_KEY, abi.encodeWithSelector(Errors.ZeroCommitment.selector));
        r = registrationOf(FIRST, address(token));
        r.terms.verifyingKey = 0;
        refused(r, PROVIDER_KEY, abi.encodeWithSelector(Errors.ZeroVerifyingKey.selector));
        r = registrationOf(FIRST, address(token));
        r.terms.inputKinds = 0;
        refused(r, PROVIDER_KEY, abi.encodeWithSelector(Errors.BadKinds.selector, 0));
        r = registrationOf(FIRST, address(token));
        r.terms.outputKinds = 9;
        refused(r, PROVIDER_KEY, abi.encodeWithSelector(Errors.BadKinds.selector, 9));
        r = registrationOf(FIRST, address(token));
        r.terms.metadataUri = string(new bytes(257));
        refused(r, PROVIDER_KEY, abi.encodeWithSelector(Errors.TooLong.selector, 257, 256));
        r = registrationOf(FIRST, address(token));
        r.terms.metadataUri = "";
        refused(r, PROVIDER_KEY, abi.encodeWithSelector(Errors.MetadataIncomplete.selector));
        r = registrationOf(FIRST, address(token));
        r.terms.metadataDigest = 0;
        refused(r, PROVIDER_KEY, abi.encodeWithSelector(Errors.MetadataIncomplete.selector));
        r = registrationOf(FIRST, address(token));
        r.terms.contentId = new bytes(65);
        refused(r, PROVIDER_KEY, abi.encodeWithSelector(Errors.TooLong.selector, 65, 64));
        r = registrationOf(FIRST, address(token));
        r.prices = new TokenPrice[](9);
        refused(r, PROVIDER_KEY, abi.encodeWithSelector(Errors.TooLong.selector, 9, 8));
        r = registrationOf(FIRST, OTHER);
        refused(r, PROVIDER_KEY, abi.encodeWithSelector(Errors.NotAToken.selector, OTHER));
    }

    function test_register_isForTheDeadlineAndNotLater() public {
        Registration memory r = registrationOf(FIRST, address(token));
        bytes memory signature = sealedBy(registry, PROVIDER_KEY, r);
        vm.warp(r.deadline + 1);
        vm.expectRevert(abi.encodeWithSelector(Errors.RegistrationExpired.selector, r.deadline));
        registry.register(r, signature);
        vm.warp(r.deadline);
        registry.register(r, signature);
    }

    // -- seals ---------------------------------------------------------------------------------

    function test_seal_isKeptFromTheFirstTime() public {
        bytes32 digest = keccak256("any");
        vm.expectEmit(address(registry));
        emit Events.Sealed(digest, NOW + 60);
        registry.seal(digest);
        vm.warp(NOW + 1_000);
        vm.prank(thief);
        registry.seal(digest);
        assertEq(registry.sealedAt(digest), NOW);
        assertEq(registry.sealedAt(FIRST), 0);
    }

    function test_register_needsASealAndItsAge() public {
        Registration memory r = registrationOf(FIRST, address(token));
        bytes32 digest = digestFor(address(registry), block.chainid, r);
        bytes memory signature = signatureBy(PROVIDER_KEY, digest);
        vm.expectRevert(abi.encodeWithSelector(Errors.NotSealed.selector, digest));
        registry.register(r, signature);
        registry.seal(digest);
        vm.warp(NOW + 59);
        vm.expectRevert(abi.encodeWithSelector(Errors.SealTooYoung.selector, NOW + 60));
        registry.register(r, signature);
        vm.warp(NOW + 60);
        registry.register(r, signature);
    }

    // -- thieves -------------------------------------------------------------------------------

    function test_thief_copiesTheTransaction() public {
        Registration memory r = registrationOf(FIRST, address(token));
        bytes memory signature = sealedBy(registry, PROVIDER_KEY, r);
        vm.prank(thief);
        registry.register(r, signature);
        // Whoever sends it, it is the provider's.
        (address owner,,) = registry.ownership(FIRST);
        assertEq(owner, provider);
    }

    function test_thief_putsOwnNameIntoTheCopy() public {
        Registration memory r = registrationOf(FIRST, address(token));
        bytes memory signature = sealedBy(registry, PROVIDER_KEY, r);
        r.owner = thief;
        bytes32 digest = digestFor(address(registry), block.chainid, r);
        vm.expectRevert(abi.encodeWithSelector(Errors.NotSealed.selector, digest));
        registry.register(r, signature);
    }

    /// @dev The provider's registration is seen before it is in a block; the thief signs one of its own.
    function test_thief_runsInFront() public {
        Registration memory r = registrationOf(FIRST, address(token));
        bytes memory signature = sealedBy(registry, PROVIDER_KEY, r);
        Registration memory stolen = registrationOf(FIRST, address(token));
        stolen.owner = thief;
        bytes32 digest = digestFor(address(registry), block.chainid, stolen);
        bytes memory own = signatureBy(THIEF_KEY, digest);
        registry.seal(digest);
        vm.expectRevert(abi.encodeWithSelector(Errors.SealTooYoung.selector, block.timestamp + 60));
        registry.register(stolen, own);
        vm.warp(block.timestamp + 59);
        registry.register(r, signature);
        vm.warp(block.timestamp + 1);
        vm.expectRevert(abi.encodeWithSelector(Errors.CommitmentTaken.selector, FIRST, FIRST));
        registry.register(stolen, own);
    }

    function test_thief_registersTheSameAgain() public {
        Registration memory r = add(FIRST, FIRST);
        bytes memory again =
            signatureBy(PROVIDER_KEY, digestFor(address(registry), block.chainid, r));
        vm.expectRevert(abi.encodeWithSelector(Errors.CommitmentTaken.selector, FIRST, FIRST));
        registry.register(r, again);
        // As the thief's first model, and as another version of the thief's model.
        Registration memory own = registrationOf(FIRST, address(token));
        own.owner = thief;
        refused(
            own, THIEF_KEY, abi.encodeWithSelector(Errors.CommitmentTaken.selector, FIRST, FIRST)
        );
        own = registrationOf(SECOND, address(token));
        own.owner = thief;
        registry.register(own, sealedBy(registry, THIEF_KEY, own));
        own = registrationOf(FIRST, address(token));
        own.owner = thief;
        own.model = SECOND;
        refused(
            own, THIEF_KEY, abi.encodeWithSelector(Errors.CommitmentTaken.selector, FIRST, FIRST)
        );
    }

    function test_thief_replaysOnAnotherChain() public {
        Registration memory r = registrationOf(FIRST, address(token));
        bytes memory signature = sealedBy(registry, PROVIDER_KEY, r);
        vm.chainId(block.chainid + 1);
        bytes32 there = digestFor(address(registry), block.chainid, r);
        registry.seal(there);
        vm.warp(block.timestamp + 60);
        vm.expectRevert(abi.encodeWithSelector(Errors.BadRegistrationSignature.selector, provider));
        registry.register(r, signature);
        // The provider itself may sign there as well.
        registry.register(r, signatureBy(PROVIDER_KEY, there));
    }

    function test_thief_replaysAtAnotherContract() public {
        Registration memory r = registrationOf(FIRST, address(token));
        bytes memory signature = sealedBy(registry, PROVIDER_KEY, r);
        ModelRegistry another = new ModelRegistry();
        another.seal(digestFor(address(another), block.chainid, r));
        vm.warp(block.timestamp + 60);
        vm.expectRevert(abi.encodeWithSelector(Errors.BadRegistrationSignature.selector, provider));
        another.register(r, signature);
        registry.register(r, signature);
    }

    function test_thief_changesAnyFieldOfWhatWasSigned() public {
        Registration memory r = registrationOf(FIRST, address(token));
        bytes memory signature = sealedBy(registry, PROVIDER_KEY, r);
        for (uint256 field = 0; field < 12; ++field) {
            Registration memory c = changed(registrationOf(FIRST, address(token)), field, r);
            bytes32 digest = digestFor(address(registry), block.chainid, c);
            assertEq(registry.digestOf(c), digest);
            registry.seal(digest);
            vm.warp(block.timestamp + 60);
            vm.expectRevert();
            registry.register(c, signature);
        }
        registry.register(r, signature);
    }

    function test_register_refusesSignaturesOfOthersAndDamagedOnes() public {
        Registration memory r = registrationOf(FIRST, address(token));
        bytes memory signature = sealedBy(registry, PROVIDER_KEY, r);
        bytes32 digest = digestFor(address(registry), block.chainid, r);
        bytes memory bad =
            abi.encodeWithSelector(Errors.BadRegistrationSignature.selector, provider);
        vm.expectRevert(bad);
        registry.register(r, signatureBy(THIEF_KEY, digest));
        vm.expectRevert(bad);
        registry.register(r, "");
        vm.expectRevert(bad);
        registry.register(r, bytes.concat(signature, hex"00"));
        registry.register(r, signature);
    }

    function test_register_takesASignatureThatAContractTakes() public {
        Registration memory r = registrationOf(FIRST, address(token));
        address wallet = address(0x3A11E7);
        r.owner = wallet;
        bytes32 digest = digestFor(address(registry), block.chainid, r);
        vm.etch(wallet, address(new Wallet(keccak256("another"))).code);
        registry.seal(digest);
        vm.warp(block.timestamp + 60);
        vm.expectRevert(abi.encodeWithSelector(Errors.BadRegistrationSignature.selector, wallet));
        registry.register(r, "");
        vm.etch(wallet, address(new Wallet(digest)).code);
        registry.register(r, "");
        (address owner,,) = registry.ownership(FIRST);
        assertEq(owner, wallet);
    }

    // -- prices and offering -------------------------------------------------------------------

    function test_setPrices_changesSomeTokensOnly() public {
        add(FIRST, FIRST);
        DevnetUSD second = new DevnetUSD(address(this));
        TokenPrice[] memory prices = new TokenPrice[](1);
        prices[0] = TokenPrice(address(second), 7, true);
        vm.prank(provider);
        registry.setPrices(FIRST, prices);
        checkPrice(FIRST, address(token), PRICE, true);
        checkPrice(FIRST, address(second), 7, true);
        // Free is a price, and not to be taken is none.
        prices[0] = TokenPrice(address(token), 0, true);
        vm.prank(provider);
        registry.setPrices(FIRST, prices);
        checkPrice(FIRST, address(token), 0, true);
        prices[0] = TokenPrice(address(token), 5, false);
        vm.expectEmit(address(registry));
        emit Events.PriceSet(FIRST, address(token), 0, false);
        vm.prank(provider);
        registry.setPrices(FIRST, prices);
        checkPrice(FIRST, address(token), 0, false);
        checkPrice(SECOND, address(token), 0, false);
    }

    function test_setPrices_isTheOwnersAlone() public {
        add(FIRST, FIRST);
        TokenPrice[] memory prices = new TokenPrice[](1);
        prices[0] = TokenPrice(address(token), 1, true);
        vm.prank(thief);
        vm.expectRevert(abi.encodeWithSelector(Errors.NotModelOwner.selector, FIRST, thief));
        registry.setPrices(FIRST, prices);
        vm.prank(provider);
        vm.expectRevert(abi.encodeWithSelector(Errors.UnknownVersion.selector, SECOND));
        registry.setPrices(SECOND, prices);
        prices[0].token = OTHER;
        vm.prank(provider);
        vm.expectRevert(abi.encodeWithSelector(Errors.NotAToken.selector, OTHER));
        registry.setPrices(FIRST, prices);
        // A token that is gone may still be taken off.
        prices[0].accepted = false;
        vm.prank(provider);
        registry.setPrices(FIRST, prices);
        vm.prank(provider);
        vm.expectRevert(abi.encodeWithSelector(Errors.TooLong.selector, 9, 8));
        registry.setPrices(FIRST, new TokenPrice[](9));
    }

    function test_setActive_isOfOneVersionAndTheOwnersAlone() public {
        add(FIRST, FIRST);
        add(SECOND, FIRST);
        vm.expectEmit(address(registry));
        emit Events.ActiveSet(SECOND, false);
        vm.prank(provider);
        registry.setActive(SECOND, false);
        check(SECOND, FIRST, 2, false, termsOf(SECOND));
        check(FIRST, FIRST, 1, true, termsOf(FIRST));
        vm.prank(thief);
        vm.expectRevert(abi.encodeWithSelector(Errors.NotModelOwner.selector, FIRST, thief));
        registry.setActive(SECOND, true);
        vm.prank(provider);
        registry.setActive(SECOND, true);
        check(SECOND, FIRST, 2, true, termsOf(SECOND));
    }

    // -- ownership -----------------------------------------------------------------------------

    function test_transfer_movesAModelInTwoSteps() public {
        add(FIRST, FIRST);
        add(SECOND, FIRST);
        vm.expectEmit(address(registry));
        emit Events.ModelOffered(FIRST, provider, OTHER);
        vm.prank(provider);
        registry.transferModel(FIRST, OTHER);
        (address owner, address offeredTo,) = registry.ownership(FIRST);
        assertEq(owner, provider);
        assertEq(offeredTo, OTHER);
        vm.expectEmit(address(registry));
        emit Events.ModelTransferred(FIRST, provider, OTHER);
        vm.prank(OTHER);
        registry.acceptModel(FIRST);
        uint256 versions;
        (owner, offeredTo, versions) = registry.ownership(FIRST);
        assertEq(owner, OTHER);
        assertEq(offeredTo, address(0));
        assertEq(versions, 2);
        // The versions go with it, and the one before has no say.
        vm.prank(OTHER);
        registry.setActive(SECOND, false);
        vm.prank(provider);
        vm.expectRevert(abi.encodeWithSelector(Errors.NotModelOwner.selector, FIRST, provider));
        registry.setActive(SECOND, true);
    }

    function test_transfer_isAcceptedByWhomItWasOfferedLast() public {
        add(FIRST, FIRST);
        vm.prank(provider);
        registry.transferModel(FIRST, thief);
        vm.prank(provider);
        registry.transferModel(FIRST, OTHER);
        vm.prank(thief);
        vm.expectRevert(abi.encodeWithSelector(Errors.NotOffered.selector, FIRST, thief));
        registry.acceptModel(FIRST);
        vm.prank(provider);
        registry.transferModel(FIRST, address(0));
        vm.prank(OTHER);
        vm.expectRevert(abi.encodeWithSelector(Errors.NotOffered.selector, FIRST, OTHER));
        registry.acceptModel(FIRST);
    }

    function test_transfer_isTheOwnersAlone() public {
        add(FIRST, FIRST);
        add(SECOND, FIRST);
        vm.prank(thief);
        vm.expectRevert(abi.encodeWithSelector(Errors.NotModelOwner.selector, FIRST, thief));
        registry.transferModel(FIRST, thief);
        // A version that is not the first is no model.
        vm.prank(provider);
        vm.expectRevert(abi.encodeWithSelector(Errors.UnknownModel.selector, SECOND));
        registry.transferModel(SECOND, OTHER);
    }

    function test_transfer_endsWhatTheOneBeforeSigned() public {
        add(FIRST, FIRST);
        Registration memory r = registrationOf(SECOND, address(token));
        r.model = FIRST;
        bytes memory signature = sealedBy(registry, PROVIDER_KEY, r);
        vm.prank(provider);
        registry.transferModel(FIRST, OTHER);
        vm.prank(OTHER);
        registry.acceptModel(FIRST);
        vm.expectRevert(abi.encodeWithSelector(Errors.NotModelOwner.selector, FIRST, provider));
        registry.register(r, signature);
    }

    // -- questions -----------------------------------------------------------------------------

    function test_questions_aboutNothingAreRefused() public {
        vm.expectRevert(abi.encodeWithSelector(Errors.UnknownVersion.selector, FIRST));
        registry.versionOf(FIRST);
        vm.expectRevert(abi.encodeWithSelector(Errors.UnknownVersion.selector, FIRST));
        registry.proofTermsOf(FIRST);
        vm.expectRevert(abi.encodeWithSelector(Errors.UnknownVersion.selector, FIRST));
        registry.modelOf(FIRST);
        vm.expectRevert(abi.encodeWithSelector(Errors.UnknownModel.selector, FIRST));
        registry.ownership(FIRST);
    }

    function test_record_doesNothingWhenCalled() public {
        Registration memory r = add(FIRST, FIRST);
        bytes memory code = abi.encodePacked(
            hex"600b5981380380925939f300",
            r.model,
            r.terms.verifyingKey,
            r.terms.metadataDigest,
            r.terms.verifier,
            r.terms.inputKinds,
            r.terms.outputKinds,
            uint8(r.terms.contentId.length),
            r.terms.contentId,
            r.terms.metadataUri
        );
        address record = address(
            uint160(
                uint256(
                    keccak256(abi.encodePacked(hex"ff", address(registry), FIRST, keccak256(code)))
                )
            )
        );
        assertTrue(record.code.length == code.length - 11, "the record is somewhere else");
        (bool done, bytes memory answer) = record.call(hex"12345678");
        assertTrue(done && answer.length == 0, "the record answers");
    }

    // -- fuzz ----------------------------------------------------------------------------------

    function testFuzz_registered_isRead(
        bytes32 commitment,
        Terms memory terms,
        uint128 amount,
        uint256 ownerKey
    ) public {
        Registration memory r = registrationOf(commitment, address(token));
        if (commitment == 0) r.commitment = r.model = FIRST;
        ownerKey = bound(ownerKey, 1, 1e18);
        r.owner = vm.addr(ownerKey);
        if (terms.verifyingKey == 0) terms.verifyingKey = SECOND;
        terms.inputKinds = uint8(bound(terms.inputKinds, 1, 7));
        terms.outputKinds = uint8(bound(terms.outputKinds, 1, 7));
        if (bytes(terms.metadataUri).length > 256) terms.metadataUri = "x";
        if (bytes(terms.metadataUri).length == 0) terms.metadataDigest = 0;
        else if (terms.metadataDigest == 0) terms.metadataDigest = FIRST;
        if (terms.contentId.length > 64) terms.contentId = hex"01";
        r.terms = terms;
        r.prices[0].amount = amount;
        assertEq(registry.digestOf(r), digestFor(address(registry), block.chainid, r));
        registry.register(r, sealedBy(registry, ownerKey, r));
        check(r.commitment, r.commitment, 1, true, terms);
        checkPrice(r.commitment, address(token), amount, true);
        (address owner,,) = registry.ownership(r.commitment);
        assertEq(owner, r.owner);
    }

    function testFuzz_aSealIsOfNothingElse(bytes32 digest, bytes32 another) public {
        if (digest == another) return;
        registry.seal(digest);
        assertEq(registry.sealedAt(digest), NOW);
        assertEq(registry.sealedAt(another), 0);
    }

    // -- inside --------------------------------------------------------------------------------

    function add(bytes32 commitment, bytes32 model) private returns (Registration memory r) {
        r = registrationOf(commitment, address(token));
        r.model = model;
        registry.register(r, sealedBy(registry, PROVIDER_KEY, r));
    }

    function refused(Registration memory r, uint256 key, bytes memory why) private {
        bytes memory signature = sealedBy(registry, key, r);
        vm.expectRevert(why);
        registry.register(r, signature);
    }

    /// @dev The registration with another value in one of its fields. `r` gives the deadline.
    function changed(Registration memory c, uint256 field, Registration memory r)
        private
        pure
        returns (Registration memory)
    {
        c.deadline = r.deadline;
        if (field == 0) c.commitment = c.model = SECOND;
        else if (field == 1) c.owner = address(uint160(c.owner) ^ 1);
        else if (field == 2) c.deadline += 1;
        else if (field == 3) c.terms.verifier = 0x01020304;
        else if (field == 4) c.terms.verifyingKey = SECOND;
        else if (field == 5) c.terms.inputKinds = 1;
        else if (field == 6) c.terms.outputKinds = 2;
        else if (field == 7) c.terms.metadataDigest = SECOND;
        else if (field == 8) c.terms.metadataUri = "ipfs://other";
        else if (field == 9) c.terms.contentId = hex"01";
        else if (field == 10) c.prices[0].amount = 1;
        else c.prices = new TokenPrice[](0);
        return c;
    }

    function check(
        bytes32 commitment,
        bytes32 model,
        uint256 number,
        bool active,
        Terms memory terms
    ) private view {
        Version memory got = registry.versionOf(commitment);
        assertEq(got.model, model);
        assertEq(registry.modelOf(commitment), model);
        assertEq(got.number, number);
        assertTrue(got.active == active, "active");
        assertEq(keccak256(abi.encode(got.terms)), keccak256(abi.encode(terms)));
        (bool offered, bytes4 verifier, bytes32 verifyingKey, uint8 inputKinds) =
            registry.proofTermsOf(commitment);
        assertTrue(offered == active && verifier == terms.verifier, "proof terms");
        assertEq(verifyingKey, terms.verifyingKey);
        assertEq(inputKinds, terms.inputKinds);
    }

    function checkPrice(bytes32 commitment, address paidIn, uint256 amount, bool accepted)
        private
        view
    {
        (uint256 got, bool taken) = registry.priceOf(commitment, paidIn);
        assertEq(got, amount);
        assertTrue(taken == accepted, "accepted");
    }
}

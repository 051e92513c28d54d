// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Registrations} from "./Registrations.sol";
import {DevnetUSD} from "../../src/DevnetUSD.sol";
import {ModelRegistry} from "../../src/registry/ModelRegistry.sol";
import {Registration, TokenPrice, Version} from "../../src/registry/Registration.sol";

/// @dev A few parties that register few commitments over and over, with other terms each time, in their own
/// name and in others', hand models on and change what may be changed. Keeps its own account of who was
/// first, and of whose a model is.
contract Parties is Registrations {
    uint256 public constant COMMITMENTS = 6;
    uint256 private constant PARTIES = 3;

    ModelRegistry public immutable registry;
    address private immutable TOKEN;

    /// @dev Of each commitment: the model it belongs to, its number, and the digest of its terms.
    mapping(bytes32 commitment => bytes32) public modelOf;
    mapping(bytes32 commitment => uint256) public numberOf;
    mapping(bytes32 commitment => bytes32) public termsDigest;
    mapping(bytes32 commitment => bool) public active;
    mapping(bytes32 model => address) public owner;
    mapping(bytes32 model => address) public offeredTo;
    mapping(bytes32 model => uint256) public versions;

    constructor() {
        vm.warp(NOW);
        TOKEN = address(new DevnetUSD(address(this)));
        registry = new ModelRegistry();
    }

    function commitmentAt(uint256 index) public pure returns (bytes32) {
        return keccak256(abi.encode("commitment", index % COMMITMENTS));
    }

    function register(uint256 what, uint256 under, uint256 who, uint256 signer, uint256 seed)
        external
    {
        bytes32 commitment = commitmentAt(what);
        Registration memory r = registrationOf(commitment, TOKEN);
        // As a model of its own half of the time, and signed by its owner three times of four.
        r.model = under % 2 == 0 ? commitment : commitmentAt(under / 2);
        r.owner = vm.addr(keyAt(who));
        r.terms.verifyingKey = keccak256(abi.encode(seed));
        r.terms.contentId = abi.encodePacked(new bytes(seed % 64));
        uint256 key = signer % 4 == 0 ? keyAt(signer / 4) : keyAt(who);
        bytes memory signature = sealedBy(registry, key, r);
        bool sound = modelOf[commitment] == 0 && key == keyAt(who)
            && (r.model == commitment || owner[r.model] == r.owner);
        try registry.register(r, signature) {
            assertTrue(sound, "an unsound registration was taken");
            modelOf[commitment] = r.model;
            owner[r.model] = r.owner;
            numberOf[commitment] = ++versions[r.model];
            termsDigest[commitment] = keccak256(abi.encode(r.terms));
            active[commitment] = true;
        } catch {
            assertTrue(!sound, "a sound registration was refused");
        }
    }

    function offer(uint256 what, uint256 who, uint256 to) external {
        bytes32 model = commitmentAt(what);
        address from = vm.addr(keyAt(who));
        vm.prank(from);
        try registry.transferModel(model, vm.addr(keyAt(to))) {
            assertEq(owner[model], from);
            offeredTo[model] = vm.addr(keyAt(to));
        } catch {
            assertTrue(owner[model] != from, "an owner could not offer");
        }
    }

    function accept(uint256 what, uint256 who) external {
        bytes32 model = commitmentAt(what);
        address to = vm.addr(keyAt(who));
        vm.prank(to);
        try registry.acceptModel(model) {
            assertEq(offeredTo[model], to);
            owner[model] = to;
            offeredTo[model] = address(0);
        } catch {
            assertTrue(offeredTo[model] != to, "an offer could not be accepted");
        }
    }

    function change(uint256 what, uint256 who, bool on, uint128 amount) external {
        bytes32 commitment = commitmentAt(what);
        address sender = vm.addr(keyAt(who));
        bytes32 model = modelOf[commitment];
        bool mine = model != 0 && owner[model] == sender;
        vm.prank(sender);
        try registry.setActive(commitment, on) {
            assertTrue(mine, "a stranger switched a version");
            active[commitment] = on;
        } catch {
            assertTrue(!mine, "an owner could not switch a version");
        }
        TokenPrice[] memory prices = new TokenPrice[](1);
        prices[0] = TokenPrice(TOKEN, amount, on);
        vm.prank(sender);
        try registry.setPrices(commitment, prices) {
            assertTrue(mine, "a stranger set a price");
        } catch {
            assertTrue(!mine, "an owner could not set a price");
        }
    }

    function keyAt(uint256 index) private pure returns (uint256) {
        return 0xA11CE + index % PARTIES;
    }
}

contract ModelRegistryInvariants is Registrations {
    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    Parties private parties;

    function setUp() public {
        parties = new Parties();
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(parties);
    }

    function targetSelectors() external view returns (FuzzSelector[] memory targets) {
        targets = new FuzzSelector[](1);
        bytes4[] memory selectors = new bytes4[](4);
        selectors[0] = Parties.register.selector;
        selectors[1] = Parties.offer.selector;
        selectors[2] = Parties.accept.selector;
        selectors[3] = Parties.change.selector;
        targets[0] = FuzzSelector(address(parties), selectors);
    }

    /// @dev A commitment has the model of who registered it first, for ever, and that model one owner.
    function invariant_aCommitmentBelongsToWhoWasFirst() external view {
        for (uint256 i = 0; i < parties.COMMITMENTS(); ++i) {
            bytes32 commitment = parties.commitmentAt(i);
            bytes32 model = parties.modelOf(commitment);
            if (model == 0) continue;
            assertEq(parties.registry().modelOf(commitment), model);
            (address owner, address offeredTo, uint256 versions) =
                parties.registry().ownership(model);
            assertEq(owner, parties.owner(model));
            assertEq(offeredTo, parties.offeredTo(model));
            assertEq(versions, parties.versions(model));
        }
    }

    /// @dev What was registered of a version stays as it was.
    function invariant_aVersionNeverChanges() external view {
        for (uint256 i = 0; i < parties.COMMITMENTS(); ++i) {
            bytes32 commitment = parties.commitmentAt(i);
            if (parties.modelOf(commitment) == 0) continue;
            Version memory got = parties.registry().versionOf(commitment);
            assertEq(keccak256(abi.encode(got.terms)), parties.termsDigest(commitment));
            assertEq(got.number, parties.numberOf(commitment));
            assertTrue(got.active == parties.active(commitment), "active");
        }
    }
}

// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {
    IAccessControlDefaultAdminRules
} from "@openzeppelin/contracts/access/extensions/IAccessControlDefaultAdminRules.sol";
import {TimelockController} from "@openzeppelin/contracts/governance/TimelockController.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {Base} from "../Base.sol";
import {DevnetUSD} from "../../src/DevnetUSD.sol";
import {Errors} from "../../src/Errors.sol";
import {Events} from "../../src/Events.sol";
import {Market} from "../../src/admin/Market.sol";
import {Roles} from "../../src/admin/Roles.sol";

contract MarketTest is Base {
    uint256 private constant NOW = 1_800_000_000;
    uint48 private constant DELAY = 3 days;

    address private admin = address(0xAD);
    address private setter = address(0x5E7);
    address private pauser = address(0x9A5);
    address private doorman = address(0xD00);
    address private escrow = address(0xE5C);
    address private server = address(0x5E8);
    address private stranger = address(0x57A);
    Market private market;
    address private token;

    function setUp() public {
        vm.warp(NOW);
        market = new Market(admin, DELAY);
        token = address(new DevnetUSD(address(this)));
        grant(Roles.PARAMETERS, setter);
        grant(Roles.PAUSER, pauser);
        grant(Roles.ADMISSION, doorman);
        grant(Roles.RECORDER, escrow);
    }

    // -- parameters ----------------------------------------------------------------------------

    function test_parameters_startWithoutFeeOrFactor() public {
        (uint16 fee, uint16 least, uint8 factor) = market.parameters();
        assertEq(fee, 0);
        assertEq(least, 0);
        assertEq(factor, 1);
    }

    function test_setFee_hasALimitForEver() public {
        vm.expectEmit(address(market));
        emit Events.FeeSet(1000);
        vm.prank(setter);
        market.setFee(1000);
        (uint16 fee,,) = market.parameters();
        assertEq(fee, 1000);
        vm.expectRevert(abi.encodeWithSelector(Errors.FeeTooHigh.selector, 1001, 1000));
        vm.prank(setter);
        market.setFee(1001);
        refusesStrangers(Roles.PARAMETERS, abi.encodeCall(market.setFee, (1)));
    }

    function test_setAdmission_hasLimits() public {
        vm.expectEmit(address(market));
        emit Events.AdmissionSet(10_000, 10);
        vm.prank(setter);
        market.setAdmission(10_000, 10);
        (, uint16 least, uint8 factor) = market.parameters();
        assertEq(least, 10_000);
        assertEq(factor, 10);
        vm.expectRevert(abi.encodeWithSelector(Errors.ScoreTooHigh.selector, 10_001, 10_000));
        vm.prank(setter);
        market.setAdmission(10_001, 1);
        vm.expectRevert(abi.encodeWithSelector(Errors.BadBondFactor.selector, 0, 10));
        vm.prank(setter);
        market.setAdmission(0, 0);
        vm.expectRevert(abi.encodeWithSelector(Errors.BadBondFactor.selector, 11, 10));
        vm.prank(setter);
        market.setAdmission(0, 11);
        refusesStrangers(Roles.PARAMETERS, abi.encodeCall(market.setAdmission, (1, 1)));
    }

    function test_setToken_listsContracts() public {
        vm.expectRevert(abi.encodeWithSelector(Errors.TokenNotListed.selector, token));
        market.termsOfRequest(token);
        vm.expectEmit(address(market));
        emit Events.TokenSet(token, true, 5);
        vm.prank(setter);
        market.setToken(token, true, 5);
        (bool listed, uint128 weight) = market.tokenOf(token);
        assertTrue(listed, "listed");
        assertEq(weight, 5);
        market.checkListed(token);
        assertEq(market.termsOfRequest(token), 0);
        vm.expectRevert(abi.encodeWithSelector(Errors.NotAToken.selector, stranger));
        vm.prank(setter);
        market.setToken(stranger, true, 0);
        // One that has destroyed itself can be taken from the list.
        vm.prank(setter);
        market.setToken(stranger, false, 0);
        refusesStrangers(Roles.PARAMETERS, abi.encodeCall(market.setToken, (token, false, 0)));
    }

    function test_weightFor_isForRecordersAlone() public {
        vm.prank(setter);
        market.setToken(token, true, 5);
        assertEq(market.weightFor(escrow, token), 5);
        vm.expectRevert(abi.encodeWithSelector(Errors.NotARecorder.selector, stranger));
        market.weightFor(stranger, token);
    }

    // -- servers -------------------------------------------------------------------------------

    function test_setServer_authorisesAndRemoves() public {
        vm.expectRevert(abi.encodeWithSelector(Errors.NotAServer.selector, server));
        market.termsOfAcceptance(server);
        vm.expectEmit(address(market));
        emit Events.ServerSet(server, true);
        vm.prank(doorman);
        market.setServer(server, true);
        assertTrue(market.isServer(server), "authorised");
        (uint16 least, uint8 factor) = market.termsOfAcceptance(server);
        assertEq(least, 0);
        assertEq(factor, 1);
        vm.prank(doorman);
        market.setServer(server, false);
        assertTrue(!market.isServer(server), "removed");
        refusesStrangers(Roles.ADMISSION, abi.encodeCall(market.setServer, (server, true)));
    }

    function test_setInputKey_isTheServersOwn() public {
        vm.expectEmit(address(market));
        emit Events.InputKeySet(server, keccak256("key"));
        vm.prank(server);
        market.setInputKey(keccak256("key"));
        assertEq(market.inputKeyOf(server), keccak256("key"));
        assertEq(market.inputKeyOf(stranger), bytes32(0));
    }

    // -- pausing -------------------------------------------------------------------------------

    function test_pause_stopsNewOrdersAndAcceptances() public {
        vm.prank(setter);
        market.setToken(token, true, 5);
        vm.prank(doorman);
        market.setServer(server, true);
        refusesStrangers(Roles.PAUSER, abi.encodeCall(market.pause, ()));
        vm.prank(pauser);
        market.pause();
        vm.expectRevert(abi.encodeWithSelector(Pausable.EnforcedPause.selector));
        market.termsOfRequest(token);
        vm.expectRevert(abi.encodeWithSelector(Pausable.EnforcedPause.selector));
        market.termsOfAcceptance(server);
        // What exits ask is answered.
        assertTrue(market.isServer(server), "server");
        assertEq(market.weightFor(escrow, token), 5);
        refusesStrangers(Roles.PAUSER, abi.encodeCall(market.unpause, ()));
        vm.prank(pauser);
        market.unpause();
        market.termsOfRequest(token);
    }

    // -- the administrator ---------------------------------------------------------------------

    function test_admin_isHandedOnInTwoStepsWithADelay() public {
        vm.prank(admin);
        market.beginDefaultAdminTransfer(stranger);
        (, uint48 ready) = market.pendingDefaultAdmin();
        assertEq(ready, NOW + DELAY);
        vm.warp(ready);
        vm.expectRevert(
            abi.encodeWithSelector(
                IAccessControlDefaultAdminRules.AccessControlEnforcedDefaultAdminDelay.selector,
                ready
            )
        );
        vm.prank(stranger);
        market.acceptDefaultAdminTransfer();
        vm.warp(ready + 1);
        vm.expectRevert(
            abi.encodeWithSelector(
                IAccessControlDefaultAdminRules.AccessControlInvalidDefaultAdmin.selector, server
            )
        );
        vm.prank(server);
        market.acceptDefaultAdminTransfer();
        vm.prank(stranger);
        market.acceptDefaultAdminTransfer();
        assertEq(market.owner(), stranger);
    }

    function test_admin_hasNoRoleItDidNotTake() public {
        vm.expectRevert(unauthorized(admin, Roles.PARAMETERS));
        vm.prank(admin);
        market.setFee(1);
        vm.expectRevert(unauthorized(setter, 0));
        vm.prank(setter);
        market.grantRole(Roles.PAUSER, setter);
    }

    /// @dev A timelock that holds the role of parameters: what it does was to be seen for its delay.
    function test_timelock_changesTheFeeAfterItsDelay() public {
        address[] memory proposers = new address[](1);
        proposers[0] = setter;
        // Whoever likes executes.
        address[] memory executors = new address[](1);
        TimelockController lock = new TimelockController(2 days, proposers, executors, address(0));
        grant(Roles.PARAMETERS, address(lock));
        vm.prank(admin);
        market.revokeRole(Roles.PARAMETERS, setter);

        bytes memory data = abi.encodeCall(market.setFee, (300));
        vm.expectRevert(unauthorized(setter, Roles.PARAMETERS));
        vm.prank(setter);
        market.setFee(300);
        vm.prank(setter);
        lock.schedule(address(market), 0, data, 0, 0, 2 days);
        vm.warp(NOW + 2 days - 1);
        bytes32 id = lock.hashOperation(address(market), 0, data, 0, 0);
        vm.expectRevert(
            abi.encodeWithSelector(
                TimelockController.TimelockUnexpectedOperationState.selector,
                id,
                bytes32(uint256(1 << uint8(TimelockController.OperationState.Ready)))
            )
        );
        lock.execute(address(market), 0, data, 0, 0);
        vm.warp(NOW + 2 days);
        vm.prank(stranger);
        lock.execute(address(market), 0, data, 0, 0);
        (uint16 fee,,) = market.parameters();
        assertEq(fee, 300);
    }

    // -- inside --------------------------------------------------------------------------------

    function grant(bytes32 role, address to) private {
        vm.prank(admin);
        market.grantRole(role, to);
    }

    function unauthorized(address who, bytes32 role) private pure returns (bytes memory) {
        return
            abi.encodeWithSelector(
                IAccessControl.AccessControlUnauthorizedAccount.selector, who, role
            );
    }

    function refusesStrangers(bytes32 role, bytes memory data) private {
        vm.prank(stranger);
        (bool done, bytes memory why) = address(market).call(data);
        assertTrue(!done, "a stranger was let in");
        assertEq(keccak256(why), keccak256(unauthorized(stranger, role)));
    }
}

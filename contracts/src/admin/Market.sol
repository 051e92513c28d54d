// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {
    AccessControlDefaultAdminRules
} from "@openzeppelin/contracts/access/extensions/AccessControlDefaultAdminRules.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {Errors} from "../Errors.sol";
import {Events} from "../Events.sol";
import {Roles} from "./Roles.sol";

/// @title Who may do what in the market, and its parameters. The other contracts ask it.
/// @notice The administrator hands out roles, and hands itself on in two steps with a delay. Each role has one
/// kind of power; none has power over money that is locked or owed, nor over what was agreed in an order.
/// @dev A TimelockController may hold the role of parameters, so that everybody sees a change before it counts.
contract Market is AccessControlDefaultAdminRules, Pausable {
    /// @notice What the fee can be at most, for ever, in basis points of the price.
    uint16 public constant MAX_FEE_BPS = 1_000;
    /// @notice The best score there is (`Reputation`).
    uint16 public constant MAX_SCORE = 10_000;
    /// @notice The bond of a server of low score is this many times the order's, at most.
    uint8 public constant MAX_BOND_FACTOR = 10;

    /// @dev Behind the flag of `Pausable`, in the same slot.
    uint16 private _feeBps;
    uint16 private _leastScore;
    uint8 private _bondFactor = 1;

    struct Token {
        bool listed;
        uint128 weight;
    }

    mapping(address token => Token) private _tokens;
    mapping(address server => bool) private _authorised;
    mapping(address server => bytes32) private _inputKeys;

    /// @param admin Who hands out roles; it has none of them itself until it takes one.
    /// @param delay Seconds until who was named the next administrator may accept.
    constructor(address admin, uint48 delay) AccessControlDefaultAdminRules(delay, admin) {}

    // -- parameters ----------------------------------------------------------------------------

    /// @notice Sets the fee of orders that are made from now on.
    /// @param bps In basis points of the price.
    function setFee(uint16 bps) external onlyRole(Roles.PARAMETERS) {
        require(bps <= MAX_FEE_BPS, Errors.FeeTooHigh(bps, MAX_FEE_BPS));
        _feeBps = bps;
        emit Events.FeeSet(bps);
    }

    /// @notice Sets below which score a server stakes more, and how much more, in acceptances from now on.
    /// @param leastScore From 0, where nobody stakes more, to 10,000.
    /// @param bondFactor How many times the order's bond, from 1 to 10.
    function setAdmission(uint16 leastScore, uint8 bondFactor) external onlyRole(Roles.PARAMETERS) {
        require(leastScore <= MAX_SCORE, Errors.ScoreTooHigh(leastScore, MAX_SCORE));
        require(
            bondFactor != 0 && bondFactor <= MAX_BOND_FACTOR,
            Errors.BadBondFactor(bondFactor, MAX_BOND_FACTOR)
        );
        (_leastScore, _bondFactor) = (leastScore, bondFactor);
        emit Events.AdmissionSet(leastScore, bondFactor);
    }

    /// @notice Says whether orders are made, and balances filled, in a token from now on. What is locked or owed
    /// in one that is not listed any more is paid all the same.
    /// @param weight Of an atomic unit in reputations: millionths of a dollar, times 10^18. For a dollar of six
    /// decimals 10^18; zero where orders in it count nothing.
    function setToken(address token, bool listed, uint128 weight)
        external
        onlyRole(Roles.PARAMETERS)
    {
        require(!listed || token.code.length != 0, Errors.NotAToken(token));
        _tokens[token] = Token({listed: listed, weight: weight});
        emit Events.TokenSet(token, listed, weight);
    }

    // -- servers -------------------------------------------------------------------------------

    /// @notice Authorises a server, or removes it. Who is removed accepts and rescues nothing new, and may still
    /// deliver what it has accepted.
    function setServer(address server, bool authorised) external onlyRole(Roles.ADMISSION) {
        _authorised[server] = authorised;
        emit Events.ServerSet(server, authorised);
    }

    /// @notice Sets the caller's X25519 key, to which buyers encrypt inputs; zero where it has none any more.
    function setInputKey(bytes32 key) external {
        _inputKeys[msg.sender] = key;
        emit Events.InputKeySet(msg.sender, key);
    }

    // -- pausing -------------------------------------------------------------------------------

    /// @notice Stops new orders and acceptances. Deliveries, refunds and withdrawals go on.
    function pause() external onlyRole(Roles.PAUSER) {
        _pause();
    }

    /// @notice Resumes what was stopped.
    function unpause() external onlyRole(Roles.PAUSER) {
        _unpause();
    }

    // -- questions -----------------------------------------------------------------------------

    /// @notice What an order in a token is made under. Reverts where none is made now.
    /// @return feeBps The fee, in basis points of the price.
    function termsOfRequest(address token) external view whenNotPaused returns (uint16 feeBps) {
        checkListed(token);
        return _feeBps;
    }

    /// @notice Reverts where a token is not listed.
    function checkListed(address token) public view {
        require(_tokens[token].listed, Errors.TokenNotListed(token));
    }

    /// @notice What a server accepts under. Reverts where it accepts nothing now.
    /// @return leastScore Below which it stakes more.
    /// @return bondFactor How many times the order's bond then.
    function termsOfAcceptance(address server)
        external
        view
        whenNotPaused
        returns (uint16 leastScore, uint8 bondFactor)
    {
        require(_authorised[server], Errors.NotAServer(server));
        return (_leastScore, _bondFactor);
    }

    /// @notice What an amount that a recorder tells the reputation of weighs. Reverts for everybody else.
    function weightFor(address recorder, address token) external view returns (uint128) {
        require(hasRole(Roles.RECORDER, recorder), Errors.NotARecorder(recorder));
        return _tokens[token].weight;
    }

    /// @return Whether a server is authorised.
    function isServer(address server) external view returns (bool) {
        return _authorised[server];
    }

    /// @return The X25519 key that a server has set; zero where it has none.
    function inputKeyOf(address server) external view returns (bytes32) {
        return _inputKeys[server];
    }

    /// @return listed Whether orders are made in a token.
    /// @return weight As `setToken` has it.
    function tokenOf(address token) external view returns (bool listed, uint128 weight) {
        Token memory found = _tokens[token];
        return (found.listed, found.weight);
    }

    /// @return feeBps The fee of new orders, in basis points of the price.
    /// @return leastScore Below which a server stakes more.
    /// @return bondFactor How many times the order's bond then.
    function parameters()
        external
        view
        returns (uint16 feeBps, uint16 leastScore, uint8 bondFactor)
    {
        return (_feeBps, _leastScore, _bondFactor);
    }
}

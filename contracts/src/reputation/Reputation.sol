// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Events} from "../Events.sol";
import {Market} from "../admin/Market.sol";
import {Outcome, Record, ReputationRules} from "./ReputationRules.sol";

/// @title What has become of the orders that servers accepted, and what that says of them.
/// @notice An order counts what it was worth to who paid for it; what a server, or the owner of the model, orders
/// itself counts nothing. Who pays itself under another name pays the market's fee for it.
/// @dev A proof that was refused and one that never came are the same here: the delivery of the first reverts, and
/// leaves nothing behind.
contract Reputation {
    using ReputationRules for Record;

    Market public immutable MARKET;

    mapping(address server => Record) private _records;

    constructor(Market market) {
        MARKET = market;
    }

    /// @notice Takes down what became of an order. Recorders call it.
    /// @param server Whose it was.
    /// @param outcome What became of it.
    /// @param token In which it was paid.
    /// @param amount What it counts, in the token's atomic units.
    function record(address server, Outcome outcome, address token, uint128 amount) external {
        uint256 value = ReputationRules.valueOf(amount, MARKET.weightFor(msg.sender, token));
        _records[server] = _records[server].following(outcome, value, block.timestamp);
        emit Events.OutcomeRecorded(server, outcome, value);
    }

    /// @return From 0 to 10,000, as of now.
    function score(address server) external view returns (uint256) {
        return _records[server].score(block.timestamp);
    }

    /// @return What is kept of a server, as of its `at`.
    function recordOf(address server) external view returns (Record memory) {
        return _records[server];
    }
}

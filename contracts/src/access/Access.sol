// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {Errors} from "../Errors.sol";
import {Events} from "../Events.sol";
import {ModelRegistry} from "../registry/ModelRegistry.sol";
import {AccessRules} from "./AccessRules.sol";
import {LoadPrice} from "./LoadPrice.sol";
import {PlanBook} from "./PlanBook.sol";
import {Plan, PlanKind, PlanTermsLib} from "./Plans.sol";
import {Purchases} from "./Purchases.sol";
import {Rolling, RollingLib} from "./Rolling.sol";
import {Subscription, Subscriptions} from "./Subscriptions.sol";

/// @title Who may call which model, and for how much: per call, or by a plan that its owner offers.
/// @notice A buyer is asked for by name of a plan, or by that of a pass or pack which was bought of one. What was
/// bought stays, whatever the owner of the model does. The version's active flag is not looked at here: who
/// serves a version does.
/// @dev The owner of this contract names who may consume, and has no other power.
contract Access is AccessRules, Purchases, Subscriptions, Ownable2Step {
    using RollingLib for Rolling;

    /// @dev Calls that a consumer took of a right for a buyer, in a period: the most that it can give back.
    struct Taken {
        uint40 period;
        uint32 calls;
    }

    /// @dev Free calls of a buyer in a period.
    struct FreeCalls {
        uint40 period;
        uint32 used;
    }

    mapping(address who => bool) public isConsumer;
    mapping(bytes32 plan => mapping(address buyer => FreeCalls)) private _free;
    mapping(bytes32 plan => Rolling) private _loads;
    mapping(address consumer => mapping(bytes32 right => mapping(address buyer => Taken))) private
        _taken;

    constructor(ModelRegistry registry, address owner_) PlanBook(registry) Ownable(owner_) {}

    /// @notice Lets somebody consume, an escrow or a gateway, or ends that. What they took they may give back.
    function setConsumer(address who, bool allowed) external onlyOwner {
        isConsumer[who] = allowed;
        emit Events.ConsumerSet(who, allowed);
    }

    // -- the one rule --------------------------------------------------------------------------

    /// @inheritdoc AccessRules
    function entitlement(address buyer, bytes32 commitment, address token, bytes32 plan)
        public
        view
        returns (bool entitled, uint256 price)
    {
        if (plan == 0) {
            (price, entitled) = REGISTRY.priceOf(commitment, token);
            return (entitled, price);
        }
        bytes32 name = PlanTermsLib.planOf(plan);
        Plan storage found = _plans[name];
        if (!_isOf(commitment, found.model)) return (false, 0);
        // What was bought has a number; the other kinds are a buyer's by the name of the plan.
        if (plan != name) return (_mayUse(buyer, plan), 0);
        PlanKind kind = found.kind;
        if (kind == PlanKind.Subscription) {
            return (_mayCall(found, _subscriptions[plan][buyer]), 0);
        }
        if (kind == PlanKind.Pass || kind == PlanKind.Pack || !found.open) return (false, 0);
        if (kind == PlanKind.Free) return (_freeUsed(found, plan, buyer) < found.calls, 0);
        if (token != found.token) return (false, 0);
        return (true, LoadPrice.priceAt(found.price, found.cap, loadOf(plan), found.calls));
    }

    /// @inheritdoc AccessRules
    function consume(address buyer, bytes32 commitment, address token, bytes32 plan)
        external
        returns (uint256 price)
    {
        require(isConsumer[msg.sender], Errors.NotAConsumer(msg.sender));
        bool entitled;
        (entitled, price) = entitlement(buyer, commitment, token, plan);
        require(entitled, Errors.NotEntitled(buyer, commitment, plan));
        if (plan == 0) return price;
        _take(buyer, plan);
        emit Events.CallConsumed(plan, buyer, msg.sender, commitment);
    }

    /// @inheritdoc AccessRules
    /// @dev It never reverts, so that it holds no refund up: who took nothing gives nothing back. A call of a
    /// period that is over stays lost.
    function restore(address buyer, bytes32 commitment, bytes32 plan) external {
        Taken storage taken = _taken[msg.sender][plan][buyer];
        uint256 calls = taken.calls;
        if (calls == 0) return;
        if (PlanTermsLib.planOf(plan) != plan) {
            --_purchases[plan].used;
        } else if (_plans[plan].kind == PlanKind.Free) {
            if (taken.period != block.timestamp / _plans[plan].span) return;
            --_free[plan][buyer].used;
        } else {
            Subscription storage own = _subscriptions[plan][buyer];
            if (taken.period != own.paidUntil) return;
            --own.used;
        }
        taken.calls = uint32(calls - 1);
        emit Events.CallRestored(plan, buyer, msg.sender, commitment);
    }

    /// @return Calls of the last whole window of a plan, by which its price goes.
    function loadOf(bytes32 plan) public view returns (uint256) {
        uint256 span = _plans[plan].span;
        if (span == 0) return 0;
        (Rolling memory load,) = _loads[plan].rolled(block.timestamp / span);
        return load.previous;
    }

    /// @return Calls that a consumer took of a right for a buyer, and could give back if its period is not over.
    function takenBy(address consumer, bytes32 right, address buyer)
        external
        view
        returns (uint256)
    {
        return _taken[consumer][right][buyer].calls;
    }

    // -- inside --------------------------------------------------------------------------------

    /// @dev Takes a call to which the buyer is entitled. Calls without number are not counted, but those of a
    /// pass that could be given back.
    function _take(address buyer, bytes32 right) private {
        uint256 period;
        if (PlanTermsLib.planOf(right) != right) {
            if (!_use(right)) return;
        } else {
            Plan storage found = _plans[right];
            PlanKind kind = found.kind;
            if (kind == PlanKind.Load) return _addLoad(right, found.span);
            if (kind == PlanKind.Free) {
                period = block.timestamp / found.span;
                uint256 used = _freeUsed(found, right, buyer) + 1;
                _free[right][buyer] = FreeCalls(uint40(period), uint32(used));
            } else {
                if (found.calls == 0) return;
                Subscription storage own = _subscriptions[right][buyer];
                period = own.paidUntil;
                ++own.used;
            }
        }
        Taken storage taken = _taken[msg.sender][right][buyer];
        if (taken.period == period) {
            ++taken.calls;
        } else {
            (taken.period, taken.calls) = (uint40(period), 1);
        }
    }

    function _addLoad(bytes32 plan, uint256 span) private {
        (Rolling memory load,) = _loads[plan].rolled(block.timestamp / span);
        load.add(1);
        _loads[plan] = load;
    }

    function _freeUsed(Plan storage plan, bytes32 name, address buyer)
        private
        view
        returns (uint256)
    {
        FreeCalls memory own = _free[name][buyer];
        return own.period == block.timestamp / plan.span ? own.used : 0;
    }

    /// @dev Whether a version is of a model. A model is named by its first version, which needs no question.
    function _isOf(bytes32 commitment, bytes32 model) private view returns (bool) {
        if (commitment == model) return true;
        try REGISTRY.modelOf(commitment) returns (bytes32 found) {
            return found == model;
        } catch {
            return false;
        }
    }
}

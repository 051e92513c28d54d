// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Errors} from "../Errors.sol";
import {Events} from "../Events.sol";
import {ModelRegistry} from "../registry/ModelRegistry.sol";
import {Plan, PlanKind, PlanTerms, PlanTermsLib} from "./Plans.sol";

/// @title The plans that owners offer for their models.
/// @dev A plan is for every version of its model, and stays with the model when that changes hands.
abstract contract PlanBook {
    /// @notice Where it is said whose a model is, which versions it has, and what a call costs.
    ModelRegistry public immutable REGISTRY;

    mapping(bytes32 plan => Plan) internal _plans;

    constructor(ModelRegistry registry) {
        REGISTRY = registry;
    }

    /// @notice Offers a plan for a model of the caller's, from now on.
    /// @return plan Its name.
    function makePlan(bytes32 model, PlanTerms calldata terms, uint96 price)
        external
        returns (bytes32 plan)
    {
        _checkOwner(model);
        PlanTermsLib.check(terms, price);
        plan = PlanTermsLib.nameOf(model, terms);
        require(_plans[plan].kind == PlanKind.None, Errors.PlanExists(plan));
        _plans[plan] = Plan({
            model: model,
            token: terms.token,
            price: price,
            kind: terms.kind,
            transferable: terms.transferable,
            open: true,
            span: terms.span,
            calls: terms.calls,
            refundWindow: terms.refundWindow,
            sold: 0,
            cap: terms.cap
        });
        emit Events.PlanMade(
            plan,
            model,
            uint8(terms.kind),
            terms.token,
            terms.span,
            terms.calls,
            terms.refundWindow,
            terms.transferable,
            terms.cap
        );
        emit Events.PlanUpdated(plan, price, true);
    }

    /// @notice Sets what a plan of the caller's costs from now on, and whether it is offered. What was bought
    /// of it stays as it is.
    function updatePlan(bytes32 plan, uint96 price, bool open) external {
        Plan storage found = _known(plan);
        _checkOwner(found.model);
        require(
            found.kind == PlanKind.Load
                ? price <= found.cap
                : found.kind != PlanKind.Free || price == 0,
            Errors.BadPlan()
        );
        (found.price, found.open) = (price, open);
        emit Events.PlanUpdated(plan, price, open);
    }

    /// @return A plan, by its name.
    function planOf(bytes32 plan) external view returns (Plan memory) {
        return _known(plan);
    }

    /// @return What a plan of a model with these terms is named by, whether there is one or not.
    function planName(bytes32 model, PlanTerms calldata terms) external pure returns (bytes32) {
        return PlanTermsLib.nameOf(model, terms);
    }

    // -- inside --------------------------------------------------------------------------------

    function _known(bytes32 plan) internal view returns (Plan storage found) {
        found = _plans[plan];
        require(found.kind != PlanKind.None, Errors.UnknownPlan(plan));
    }

    /// @dev Who gets the money of what is bought now.
    function _payee(bytes32 model) internal view returns (address owner) {
        (owner,,) = REGISTRY.ownership(model);
    }

    function _checkOwner(bytes32 model) private view {
        require(_payee(model) == msg.sender, Errors.NotModelOwner(model, msg.sender));
    }
}

// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Errors} from "../Errors.sol";

/// @notice What a plan sells. `None` is no plan.
enum PlanKind {
    None,
    /// So many calls for each buyer and period, for nothing.
    Free,
    /// Every call from purchase until its end.
    Pass,
    /// So many calls, until its end where it has one.
    Pack,
    /// Calls of a period that was paid, and of those that are renewed.
    Subscription,
    /// Calls that are paid one by one, at a price that follows the load.
    Load
}

/// @notice What of a plan never changes. With the model it is what the plan is named by.
/// @param token In which it is paid; zero for a free one.
/// @param span Seconds: of a period (`Free`, `Subscription`), of a window of load (`Load`), from the purchase
/// to the end (`Pass`, `Pack`; zero for a pack without an end).
/// @param calls Of a buyer in a period (`Free`), of a pack, of a period (`Subscription`; zero for any number),
/// of a window in which the price reaches the cap (`Load`).
/// @param refundWindow Seconds in which an unused pass or pack can be given back; zero for none.
/// @param transferable Whether a pass or a pack may be handed on.
/// @param cap What a call costs at most (`Load`), in atomic units.
struct PlanTerms {
    PlanKind kind;
    address token;
    uint32 span;
    uint32 calls;
    uint32 refundWindow;
    bool transferable;
    uint96 cap;
}

/// @notice A plan. `price` is what a purchase or a period costs, or a call without load; `sold` counts what
/// was bought of it.
struct Plan {
    bytes32 model;
    address token;
    uint96 price;
    PlanKind kind;
    bool transferable;
    bool open;
    uint32 span;
    uint32 calls;
    uint32 refundWindow;
    uint40 sold;
    uint96 cap;
}

/// @title What plans are named by, and which terms belong together.
library PlanTermsLib {
    /// @dev The low 64 bits of a name are for what is bought of the plan.
    uint256 private constant SERIALS = type(uint64).max;

    /// @notice By what it is, not by a number: no reorganisation gives a name to another plan.
    /// @return The name of a plan: keccak256 of model and terms in ABI encoding, with its last 8 bytes zero.
    function nameOf(bytes32 model, PlanTerms calldata terms) internal pure returns (bytes32) {
        return planOf(keccak256(abi.encode(model, terms)));
    }

    /// @return The name of what was bought of a plan as the `serial`th; for `serial` zero the plan's own.
    function rightOf(bytes32 plan, uint256 serial) internal pure returns (bytes32) {
        return plan | bytes32(serial);
    }

    /// @return The plan that a name belongs to: its own, or that of what was bought of it.
    function planOf(bytes32 right) internal pure returns (bytes32) {
        return right & bytes32(~SERIALS);
    }

    /// @notice Returns where terms and price belong together.
    function check(PlanTerms calldata terms, uint96 price) internal view {
        PlanKind kind = terms.kind;
        bool bought = kind == PlanKind.Pass || kind == PlanKind.Pack;
        bool sound = kind != PlanKind.None
            // A pack has calls, and need not end; a pass ends, and has any number of calls.
            && (kind == PlanKind.Pack || terms.span != 0)
            && (kind == PlanKind.Pass ? terms.calls == 0 : true)
            && (kind == PlanKind.Pass || kind == PlanKind.Subscription || terms.calls != 0)
            && (bought || (terms.refundWindow == 0 && !terms.transferable))
            && (kind == PlanKind.Load ? price <= terms.cap : terms.cap == 0)
            && (kind != PlanKind.Free || (terms.token == address(0) && price == 0));
        require(sound, Errors.BadPlan());
        require(
            kind == PlanKind.Free || terms.token.code.length != 0, Errors.NotAToken(terms.token)
        );
    }
}

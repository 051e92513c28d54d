// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ERC1155} from "@openzeppelin/contracts/token/ERC1155/ERC1155.sol";
import {Errors} from "../Errors.sol";
import {Events} from "../Events.sol";
import {Earnings} from "./Earnings.sol";
import {PlanBook} from "./PlanBook.sol";
import {Plan, PlanKind, PlanTermsLib} from "./Plans.sol";
import {Rolling} from "./Rolling.sol";

/// @notice A pass or a pack that was bought, with all that its use has to ask.
/// @param refundUntil Before then it can be given back, in Unix seconds: when it was bought, where it cannot.
/// @param until Its end; zero where it has none.
/// @param calls How many it has; zero for any number.
/// @param used Calls that were taken of it and not given back; of a pass, those before `refundUntil`.
/// @param paid What it cost.
struct Purchase {
    uint40 refundUntil;
    uint40 until;
    uint32 calls;
    uint32 used;
    uint96 paid;
}

/// @title Passes and packs: each purchase is an ERC-1155 token of its own, of which there is one.
/// @dev Its id is the plan's name with a serial number in the low 64 bits. What is left of it, in time or calls,
/// is kept for the id and not for a holder, so that all of it goes along when it is handed on.
abstract contract Purchases is PlanBook, Earnings, ERC1155 {
    /// @dev Kept where a purchase can be given back.
    struct Parties {
        address buyer;
        address payee;
    }

    mapping(bytes32 right => Purchase) internal _purchases;
    mapping(bytes32 right => Parties) private _parties;

    constructor() ERC1155("") {}

    /// @notice Buys a pass or a pack with tokens that the caller has approved.
    /// @param limit What the caller pays at most.
    /// @return right Its name: what `AccessRules` is asked by, and the id of the ERC-1155 token.
    function buy(bytes32 plan, uint256 limit) external nonReentrant returns (bytes32 right) {
        Plan storage found = _known(plan);
        PlanKind kind = found.kind;
        require(kind == PlanKind.Pass || kind == PlanKind.Pack, Errors.WrongPlanKind(plan));
        require(found.open, Errors.PlanClosed(plan));
        (address token, uint96 price) = (found.token, found.price);
        require(price <= limit, Errors.PriceAbove(price, limit));
        (uint256 span, uint256 window) = (found.span, found.refundWindow);
        address payee = _payee(found.model);
        uint256 until = span == 0 ? 0 : block.timestamp + span;

        right = PlanTermsLib.rightOf(plan, ++found.sold);
        _purchases[right] =
            Purchase(uint40(block.timestamp + window), uint40(until), found.calls, 0, price);
        if (window != 0) _parties[right] = Parties(msg.sender, payee);
        _earn(plan, payee, token, window, price);
        emit Events.Bought(plan, right, msg.sender, payee, price, until);
        _collectFrom(msg.sender, token, price);
        _mint(msg.sender, uint256(right), 1, "");
    }

    /// @notice Gives a pass or a pack back that the caller bought, holds and has not used, for what it cost. The
    /// money is the caller's to withdraw.
    function refund(bytes32 right) external nonReentrant {
        Purchase memory purchase = _bought(right);
        bytes32 plan = PlanTermsLib.planOf(right);
        Plan storage found = _plans[plan];
        Parties memory parties = _parties[right];
        require(
            block.timestamp < purchase.refundUntil, Errors.RefundOver(right, purchase.refundUntil)
        );
        require(
            parties.buyer == msg.sender && balanceOf(msg.sender, uint256(right)) == 1,
            Errors.NotThePurchaser(right, msg.sender)
        );
        require(purchase.used == 0, Errors.AlreadyUsed(right, purchase.used));

        delete _purchases[right];
        delete _parties[right];
        (address token, uint256 window) = (found.token, found.refundWindow);
        uint256 boughtAt = purchase.refundUntil - window;
        _unearn(plan, parties.payee, token, window, purchase.paid, boughtAt);
        _credit(msg.sender, token, purchase.paid);
        _burn(msg.sender, uint256(right), 1);
        emit Events.PurchaseRefunded(right, msg.sender, purchase.paid);
    }

    /// @notice Moves what cannot be given back any more of a plan to its payee's balance. Anyone may.
    function mature(bytes32 plan, address payee) external {
        Plan storage found = _known(plan);
        uint256 window = found.refundWindow;
        if (window == 0) return;
        _store(plan, payee, _mature(plan, payee, found.token, window));
    }

    /// @return A pass or a pack, by its name.
    function purchaseOf(bytes32 right) external view returns (Purchase memory) {
        return _bought(right);
    }

    // -- inside --------------------------------------------------------------------------------

    function _bought(bytes32 right) private view returns (Purchase memory purchase) {
        purchase = _purchases[right];
        require(purchase.refundUntil != 0, Errors.UnknownPurchase(right));
    }

    /// @dev Whether the buyer holds it, and something is left of it.
    function _mayUse(address buyer, bytes32 right) internal view returns (bool) {
        Purchase storage purchase = _purchases[right];
        (uint256 until, uint256 calls) = (purchase.until, purchase.calls);
        return (until == 0 || block.timestamp < until) && (calls == 0 || purchase.used < calls)
            && balanceOf(buyer, uint256(right)) != 0;
    }

    /// @dev Takes a call of it, and says whether it was counted: of a pack it is, and of a pass as long as that
    /// could be given back.
    function _use(bytes32 right) internal returns (bool counted) {
        Purchase storage purchase = _purchases[right];
        counted = purchase.calls != 0 || block.timestamp < purchase.refundUntil;
        if (counted) ++purchase.used;
    }

    /// @dev What is the buyer's alone is minted and burnt, and not handed on.
    function _update(address from, address to, uint256[] memory ids, uint256[] memory values)
        internal
        override
    {
        if (from != address(0) && to != address(0)) {
            for (uint256 i = 0; i < ids.length; ++i) {
                bytes32 right = bytes32(ids[i]);
                require(_plans[PlanTermsLib.planOf(right)].transferable, Errors.Soulbound(right));
            }
        }
        super._update(from, to, ids, values);
    }
}

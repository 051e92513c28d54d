// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC3009} from "@openzeppelin/contracts/interfaces/draft-IERC3009.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {Errors} from "../Errors.sol";
import {Events} from "../Events.sol";

/// @notice One payment. `id` is the payer's own name for it, under which nothing else is paid, ever.
struct PayoutItem {
    bytes32 id;
    address to;
    uint256 amount;
}

/// @notice An EIP-3009 authorization to receive all that a payout pays, without payer, payee and amount:
/// those are the caller, this contract and the sum.
struct Funding {
    uint256 validAfter;
    uint256 validBefore;
    bytes32 nonce;
    uint8 v;
    bytes32 r;
    bytes32 s;
}

/// @title Pays many at once, each exactly once.
/// @notice A payout is paid wholly or not at all: it reverts where any of its ids was used before. What a
/// token will not pass on to a payee, whose address it blocks or whose code fails, becomes a credit that the
/// payee pulls later; the others are paid as if that one were not there.
/// @dev Has no owner, and cannot be paused. It holds credits, and nothing else. Ids are kept as bits: those
/// that share their first 31 bytes share a slot, so that a payout whose ids differ in the last byte alone
/// takes one new slot for all. The events of an item come after its transfer, since it decides which.
contract Payouts is ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    /// @notice Most items in a payout. At `ITEM_GAS` each, 100 fit the 2^24 gas that EIP-7825 allows one
    /// transaction.
    uint256 public constant MAX_ITEMS = 100;

    /// @notice Gas that the token gets for one transfer, at most: whatever burns it takes no more. Circle's
    /// `FiatTokenV2_2` behind its proxy takes some 60,000 to a payee who holds none.
    uint256 public constant TRANSFER_GAS = 100_000;

    /// @notice Gas that must be left before each item: for a transfer that burns its share, of which EIP-150
    /// keeps a 64th back, and for the credit that it becomes.
    uint256 public constant ITEM_GAS = 130_000;

    mapping(address payer => mapping(uint256 word => uint256 bits)) private _paid;
    mapping(address payee => mapping(address token => uint256)) private _credits;

    // -- paying --------------------------------------------------------------------------------

    /// @notice Pays all items from what the caller allows this contract to take.
    /// @param token What is paid in.
    /// @param items Whom, how much, and under which ids of the caller's.
    function pay(address token, PayoutItem[] calldata items) external nonReentrant {
        uint256 total = _begin(token, items);
        uint256 held = IERC20(token).balanceOf(address(this));
        IERC20(token).safeTransferFrom(msg.sender, address(this), total);
        _passOn(token, items, held);
    }

    /// @notice The same without an allowance: the caller signs that this contract may receive the sum.
    /// @param funding The signature. Only this contract can use it, and only for a call by its signer.
    function payWithAuthorization(
        address token,
        PayoutItem[] calldata items,
        Funding calldata funding
    ) external nonReentrant {
        uint256 total = _begin(token, items);
        uint256 held = IERC20(token).balanceOf(address(this));
        IERC3009(token)
            .receiveWithAuthorization(
                msg.sender,
                address(this),
                total,
                funding.validAfter,
                funding.validBefore,
                funding.nonce,
                funding.v,
                funding.r,
                funding.s
            );
        _passOn(token, items, held);
    }

    // -- claiming ------------------------------------------------------------------------------

    /// @notice Moves all that waits for the caller in a token, to wherever the caller says.
    function claim(address token, address to) external nonReentrant {
        uint256 amount = _credits[msg.sender][token];
        require(amount != 0, Errors.NothingToClaim(msg.sender, token));
        delete _credits[msg.sender][token];
        emit Events.CreditClaimed(msg.sender, token, to, amount);
        IERC20(token).safeTransfer(to, amount);
    }

    // -- questions -----------------------------------------------------------------------------

    /// @return Whether the payer has paid under this id.
    function isPaid(address payer, bytes32 id) external view returns (bool) {
        return _paid[payer][uint256(id) >> 8] & (1 << (uint256(id) & 0xff)) != 0;
    }

    /// @return The 256 ids that share the first 31 bytes of this one: bit n is of the one that ends in n.
    function paidBits(address payer, bytes32 id) external view returns (uint256) {
        return _paid[payer][uint256(id) >> 8];
    }

    /// @return What waits for a payee, in the token's atomic units.
    function creditOf(address payee, address token) external view returns (uint256) {
        return _credits[payee][token];
    }

    // -- inside --------------------------------------------------------------------------------

    /// @dev Checks all items and uses up their ids.
    /// @return total What they pay together.
    function _begin(address token, PayoutItem[] calldata items) private returns (uint256 total) {
        uint256 count = items.length;
        require(count != 0, Errors.NoItems());
        require(count <= MAX_ITEMS, Errors.TooLong(count, MAX_ITEMS));
        require(token.code.length != 0, Errors.NotAToken(token));
        mapping(uint256 => uint256) storage paid = _paid[msg.sender];
        for (uint256 i = 0; i < count; ++i) {
            PayoutItem calldata item = items[i];
            require(
                item.amount != 0 && item.to != address(0) && item.to != address(this),
                Errors.BadPayoutItem(item.id)
            );
            uint256 word = uint256(item.id) >> 8;
            uint256 bit = 1 << (uint256(item.id) & 0xff);
            uint256 bits = paid[word];
            require(bits & bit == 0, Errors.AlreadyPaid(msg.sender, item.id));
            paid[word] = bits | bit;
            total += item.amount;
        }
    }

    /// @dev Transfers what was taken in, item by item; what does not arrive is credited.
    /// @param held What this contract held before: the credits of others, among it.
    function _passOn(address token, PayoutItem[] calldata items, uint256 held) private {
        for (uint256 i = 0; i < items.length; ++i) {
            PayoutItem calldata item = items[i];
            uint256 left = gasleft();
            require(left >= ITEM_GAS, Errors.PayoutGasTooLow(item.id, left));
            if (_transfer(token, item.to, item.amount)) {
                emit Events.PaidOut(msg.sender, item.id, item.to, token, item.amount);
            } else {
                held += item.amount;
                _credits[item.to][token] += item.amount;
                emit Events.PayoutCredited(msg.sender, item.id, item.to, token, item.amount);
            }
        }
        // Not less than the credits: a token that takes fees, going in or out, would take others' money.
        // More is nobody's fault: anyone, a payee too, may send some here meanwhile.
        require(IERC20(token).balanceOf(address(this)) >= held, Errors.TokenNotExact(token));
    }

    /// @dev Copies no more than one word of what the token returns, however long that is.
    /// @return done Whether the token says that it moved the amount: it returned true, or nothing.
    function _transfer(address token, address to, uint256 amount) private returns (bool done) {
        bytes memory data = abi.encodeCall(IERC20.transfer, (to, amount));
        uint256 gasLimit = TRANSFER_GAS;
        assembly ("memory-safe") {
            // The first 64 bytes of memory are for such use.
            done := call(gasLimit, token, 0, add(data, 32), mload(data), 0, 32)
            if done {
                switch returndatasize()
                case 0 {}
                default { done := and(gt(returndatasize(), 31), eq(mload(0), 1)) }
            }
        }
    }
}

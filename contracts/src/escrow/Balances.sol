// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC3009} from "@openzeppelin/contracts/interfaces/draft-IERC3009.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {Errors} from "../Errors.sol";
import {Events} from "../Events.sol";
import {Market} from "../admin/Market.sol";
import {Roles} from "../admin/Roles.sol";

/// @notice A signature under EIP-2612 that lets the escrow take an amount.
struct Permit {
    uint256 deadline;
    uint8 v;
    bytes32 r;
    bytes32 s;
}

/// @notice A signature under EIP-3009 that moves an amount to the escrow, as `receiveWithAuthorization` has it.
/// @param signature 65 bytes r, s, v of a key; of any other length, what the token hands to a contract's wallet.
struct Authorization {
    uint256 validAfter;
    uint256 validBefore;
    bytes signature;
}

/// @notice What Circle's token has beside EIP-3009, for wallets that are contracts.
interface WalletAuthorizations {
    function receiveWithAuthorization(
        address from,
        address to,
        uint256 value,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        bytes calldata signature
    ) external;
}

/// @title What accounts have in the escrow, in each token, and how money comes in and goes out.
/// @notice Nothing is ever sent to anybody unasked: who is owed something takes it, wherever they like. So nobody
/// whom a token refuses stands in the way of another.
/// @dev Tokens are kept apart: each is moved by its own calls alone, and one of which less is there than was taken
/// in pays who comes first. No more of a token is counted in than has come; one that takes a fee is refused.
abstract contract Balances is ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    Market public immutable MARKET;

    mapping(address account => mapping(address token => uint256)) private _balances;
    mapping(address token => uint256) private _fees;

    constructor(Market market) {
        MARKET = market;
    }

    // -- in and out ----------------------------------------------------------------------------

    /// @notice Puts money that was approved into the caller's balance, of which its bonds are taken.
    function deposit(address token, uint256 amount) external nonReentrant {
        _deposit(token, amount);
    }

    /// @notice Puts money into the caller's balance by its permit.
    function depositWithPermit(address token, uint256 amount, Permit calldata permit)
        external
        nonReentrant
    {
        _permit(token, amount, permit);
        _deposit(token, amount);
    }

    /// @notice Takes money out of the caller's balance.
    /// @param to Who gets it: another account than the caller's where the token refuses that.
    function withdraw(address token, address to, uint256 amount) external nonReentrant {
        _debit(msg.sender, token, amount);
        emit Events.Withdrawn(msg.sender, token, to, amount);
        IERC20(token).safeTransfer(to, amount);
    }

    /// @notice Takes out fees. Who has the role for it calls it.
    function withdrawFees(address token, address to, uint256 amount) external nonReentrant {
        require(MARKET.hasRole(Roles.FEES, msg.sender), Errors.NotFeeTaker(msg.sender));
        uint256 fees = _fees[token];
        require(fees >= amount, Errors.BalanceTooLow(address(this), token, fees, amount));
        _fees[token] = fees - amount;
        emit Events.FeesWithdrawn(token, to, amount);
        IERC20(token).safeTransfer(to, amount);
    }

    /// @return What an account has, in the token's atomic units.
    function balanceOf(address account, address token) external view returns (uint256) {
        return _balances[account][token];
    }

    /// @return The fees that wait to be taken out.
    function feesOf(address token) external view returns (uint256) {
        return _fees[token];
    }

    // -- inside --------------------------------------------------------------------------------

    function _deposit(address token, uint256 amount) private {
        MARKET.checkListed(token);
        _credit(msg.sender, token, amount);
        emit Events.Deposited(msg.sender, token, amount);
        _pull(token, amount);
    }

    function _credit(address account, address token, uint256 amount) internal {
        if (amount != 0) _balances[account][token] += amount;
    }

    function _creditFee(address token, uint256 amount) internal {
        if (amount != 0) _fees[token] += amount;
    }

    function _debit(address account, address token, uint256 amount) internal {
        if (amount == 0) return;
        uint256 balance = _balances[account][token];
        require(balance >= amount, Errors.BalanceTooLow(account, token, balance, amount));
        _balances[account][token] = balance - amount;
    }

    /// @dev Takes an amount from the caller, who has approved it.
    function _pull(address token, uint256 amount) internal {
        if (amount == 0) return;
        uint256 before = IERC20(token).balanceOf(address(this));
        IERC20(token).safeTransferFrom(msg.sender, address(this), amount);
        _checkReceived(token, before, amount);
    }

    /// @dev Takes an amount from who has signed for it with this nonce.
    function _pullBy(
        Authorization calldata authorization,
        address token,
        address from,
        uint256 amount,
        bytes32 nonce
    ) internal {
        uint256 before = IERC20(token).balanceOf(address(this));
        bytes calldata signature = authorization.signature;
        (uint256 start, uint256 end) = (authorization.validAfter, authorization.validBefore);
        if (signature.length == 65) {
            (bytes32 r, bytes32 s, uint8 v) =
                (bytes32(signature[:32]), bytes32(signature[32:64]), uint8(signature[64]));
            IERC3009(token)
                .receiveWithAuthorization(from, address(this), amount, start, end, nonce, v, r, s);
        } else {
            WalletAuthorizations(token)
                .receiveWithAuthorization(from, address(this), amount, start, end, nonce, signature);
        }
        _checkReceived(token, before, amount);
    }

    /// @dev Whoever sees a permit can use it first: the approval is there all the same. Where it is not, taking
    /// the money fails.
    function _permit(address token, uint256 amount, Permit calldata permit) internal {
        try IERC20Permit(token)
            .permit(
                msg.sender, address(this), amount, permit.deadline, permit.v, permit.r, permit.s
            ) {}
            catch {}
    }

    function _checkReceived(address token, uint256 before, uint256 expected) private view {
        uint256 balance = IERC20(token).balanceOf(address(this));
        uint256 received = balance < before ? 0 : balance - before;
        require(received == expected, Errors.WrongAmountReceived(token, received, expected));
    }
}

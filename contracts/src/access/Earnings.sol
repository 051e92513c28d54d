// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {Errors} from "../Errors.sol";
import {Events} from "../Events.sol";
import {Rolling, RollingLib} from "./Rolling.sol";

/// @title The money of purchases: whose it is, and from when on.
/// @dev Everything that is owed in a token is a balance, or waits in a till until it cannot be given back any
/// more. A till has one account for each plan and payee; its epochs are as long as the plan's refund window, so
/// that what was paid two epochs ago cannot be given back, and no purchase has to be looked at again. The
/// contract takes no fee.
abstract contract Earnings is ReentrancyGuardTransient {
    using RollingLib for Rolling;
    using SafeERC20 for IERC20;

    mapping(address account => mapping(address token => uint256)) private _balances;
    mapping(bytes32 plan => mapping(address payee => Rolling)) private _tills;

    /// @notice Sends the caller all that is the caller's in a token.
    /// @return amount In atomic units.
    function withdraw(address token) external nonReentrant returns (uint256 amount) {
        amount = _balances[msg.sender][token];
        require(amount != 0, Errors.NothingEarned(msg.sender, token));
        delete _balances[msg.sender][token];
        emit Events.EarningsWithdrawn(msg.sender, token, amount);
        IERC20(token).safeTransfer(msg.sender, amount);
    }

    /// @return What an account can take out of a token now.
    function earned(address account, address token) public view returns (uint256) {
        return _balances[account][token];
    }

    /// @return sums What waits of a plan for a payee, as it was when something was added last.
    function tillOf(bytes32 plan, address payee) external view returns (Rolling memory sums) {
        return _tills[plan][payee];
    }

    // -- inside --------------------------------------------------------------------------------

    function _credit(address account, address token, uint256 amount) internal {
        _balances[account][token] += amount;
    }

    /// @dev Puts a price into the till, or into the payee's balance where nothing can be given back. What is
    /// mature goes to the balance by the way.
    function _earn(bytes32 plan, address payee, address token, uint256 window, uint256 price)
        internal
    {
        if (window == 0) {
            _credit(payee, token, price);
            return;
        }
        Rolling memory sums = _mature(plan, payee, token, window);
        sums.add(price);
        _tills[plan][payee] = sums;
    }

    /// @dev Takes a price out of the till, which was put in at a time within the window.
    function _unearn(
        bytes32 plan,
        address payee,
        address token,
        uint256 window,
        uint256 price,
        uint256 time
    ) internal {
        Rolling memory sums = _mature(plan, payee, token, window);
        sums.remove(time / window, price);
        _tills[plan][payee] = sums;
    }

    /// @dev Credits what cannot be given back any more. The caller stores the sums.
    function _mature(bytes32 plan, address payee, address token, uint256 window)
        internal
        returns (Rolling memory sums)
    {
        uint256 older;
        (sums, older) = _tills[plan][payee].rolled(block.timestamp / window);
        if (older == 0) return sums;
        _credit(payee, token, older);
        emit Events.EarningsMatured(plan, payee, older);
    }

    function _store(bytes32 plan, address payee, Rolling memory sums) internal {
        _tills[plan][payee] = sums;
    }

    /// @dev Takes exactly this from an account that has approved it.
    function _collectFrom(address from, address token, uint256 amount) internal {
        if (amount == 0) return;
        uint256 before = IERC20(token).balanceOf(address(this));
        IERC20(token).safeTransferFrom(from, address(this), amount);
        uint256 received = IERC20(token).balanceOf(address(this)) - before;
        require(received == amount, Errors.PurchaseNotExact(token, amount, received));
    }
}

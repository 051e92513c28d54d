// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {PayoutItem, Payouts} from "../../src/revenue/Payouts.sol";

/// @dev A token that does to each payee what it is told to.
contract MoodyToken is ERC20 {
    enum Mood {
        PAY,
        BLOCK,
        RETURN_FALSE,
        RETURN_TWO,
        RETURN_SHORT,
        RETURN_NOTHING,
        RETURN_AT_LENGTH,
        REVERT_AT_LENGTH,
        BURN_ALL_GAS,
        INVALID_OPCODE,
        REENTER_PAY,
        REENTER_CLAIM,
        GIVE
    }

    error Blocked(address who);

    /// @dev What it keeps of each transfer, and takes beyond from who sends, in atomic units.
    uint256 public fee;
    uint256 public surcharge;
    mapping(address payee => Mood) public moodOf;
    uint256 private burnt;

    constructor() ERC20("moody", "MOOD") {}

    function mint(address to, uint256 value) external {
        _mint(to, value);
    }

    function setMood(address payee, Mood mood) external {
        moodOf[payee] = mood;
    }

    function setFees(uint256 fee_, uint256 surcharge_) external {
        (fee, surcharge) = (fee_, surcharge_);
    }

    function transfer(address to, uint256 value) public override returns (bool) {
        Mood mood = moodOf[to];
        if (mood == Mood.BLOCK) revert Blocked(to);
        if (mood == Mood.RETURN_FALSE) return false;
        if (mood == Mood.RETURN_TWO) {
            assembly ("memory-safe") {
                mstore(0, 2)
                return(0, 32)
            }
        }
        if (mood == Mood.RETURN_SHORT) {
            assembly ("memory-safe") {
                // With the last byte of an earlier answer it would be true.
                mstore(0, 0)
                return(0, 31)
            }
        }
        if (mood == Mood.REVERT_AT_LENGTH) {
            assembly { revert(0, 50000) }
        }
        if (mood == Mood.BURN_ALL_GAS) {
            for (uint256 i = 1;; ++i) {
                burnt = i;
            }
        }
        if (mood == Mood.INVALID_OPCODE) {
            assembly ("memory-safe") { invalid() }
        }
        if (mood == Mood.REENTER_PAY) {
            PayoutItem[] memory items = new PayoutItem[](1);
            items[0] = PayoutItem(bytes32(uint256(7)), address(0xF00), value);
            _mint(address(this), value);
            _approve(address(this), msg.sender, value);
            Payouts(msg.sender).pay(address(this), items);
        }
        if (mood == Mood.REENTER_CLAIM) Payouts(msg.sender).claim(address(this), to);
        if (mood == Mood.GIVE) _mint(msg.sender, 1);
        _move(msg.sender, to, value);
        if (mood == Mood.RETURN_NOTHING) {
            assembly ("memory-safe") { return(0, 0) }
        }
        if (mood == Mood.RETURN_AT_LENGTH) {
            assembly {
                mstore(0, 1)
                return(0, 20000)
            }
        }
        return true;
    }

    function transferFrom(address from, address to, uint256 value) public override returns (bool) {
        _spendAllowance(from, msg.sender, value);
        _move(from, to, value);
        return true;
    }

    function _move(address from, address to, uint256 value) private {
        _transfer(from, to, value - fee);
        if (fee + surcharge != 0) _burn(from, fee + surcharge);
    }
}

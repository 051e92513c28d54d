// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title A price that follows the load between two bounds.
/// @dev The load is that of the last whole window: within a window nobody moves the price of that window, and
/// what a buyer sees is what the buyer pays, but for the turn of a window.
library LoadPrice {
    /// @notice A straight line from `base` without load to `cap` at `full` calls, and `cap` beyond.
    /// @param base What a call costs without load.
    /// @param cap What it costs at most, not below `base`.
    /// @param load Calls of the last window.
    /// @param full Calls at which the cap is reached, not zero.
    /// @return Rounded down; never below `base` nor above `cap`.
    function priceAt(uint96 base, uint96 cap, uint256 load, uint32 full)
        internal
        pure
        returns (uint256)
    {
        if (load >= full) return cap;
        // Below 2^96 * 2^32, and so far from an overflow.
        return base + (uint256(cap) - base) * load / full;
    }
}

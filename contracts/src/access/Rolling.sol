// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

/// @notice Sums of the epoch that something was added in last, and of the one before, in one slot.
struct Rolling {
    uint40 epoch;
    uint104 current;
    uint104 previous;
}

/// @title Sums by epochs, of which two are kept.
/// @dev What is older comes out when the sums are rolled on, without a loop over what was added.
library RollingLib {
    /// @param sums As they were when something was added last.
    /// @param epoch Not before that.
    /// @return next The sums of `epoch` and of the one before.
    /// @return older What belongs to neither.
    function rolled(Rolling memory sums, uint256 epoch)
        internal
        pure
        returns (Rolling memory next, uint256 older)
    {
        next.epoch = SafeCast.toUint40(epoch);
        if (epoch == sums.epoch) {
            (next.current, next.previous) = (sums.current, sums.previous);
        } else if (epoch == uint256(sums.epoch) + 1) {
            (next.previous, older) = (sums.current, sums.previous);
        } else {
            older = uint256(sums.current) + sums.previous;
        }
    }

    /// @notice Adds to the sum of `epoch`.
    function add(Rolling memory sums, uint256 amount) internal pure {
        sums.current = SafeCast.toUint104(uint256(sums.current) + amount);
    }

    /// @notice Takes away what was added in an epoch, which is one of the two.
    function remove(Rolling memory sums, uint256 epoch, uint256 amount) internal pure {
        if (epoch == sums.epoch) {
            sums.current = SafeCast.toUint104(uint256(sums.current) - amount);
        } else {
            sums.previous = SafeCast.toUint104(uint256(sums.previous) - amount);
        }
    }
}

// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Base} from "./Base.sol";

/// @dev What a transaction takes: execution, 21,000, and its call data. A test measures one, and `setUp`, which is
/// another transaction, does what comes before: storage is cold then, and each slot has the price of its first write.
abstract contract GasMeter is Base {
    function measured(address who, address to, bytes memory data) internal returns (uint256 gas) {
        gas = 21_000;
        for (uint256 i = 0; i < data.length; ++i) {
            gas += data[i] == 0 ? 4 : 16;
        }
        // Sender and receiver of a transaction are warm.
        assertTrue(to.code.length + who.balance != 0, "no contract");
        vm.prank(who);
        uint256 start = gasleft();
        (bool done,) = to.call(data);
        gas += start - gasleft();
        assertTrue(done, "refused");
    }
}

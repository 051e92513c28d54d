// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Claim} from "./StatementVerifier.sol";

/// @title What a contract that pays for proofs asks: the one door to the verifiers of all proof systems.
interface Router {
    /// @notice Reverts unless the proof shows the claim.
    /// @param selector What names the verifier, from the registered terms of the model.
    /// @param claim Made by the caller, from what it has stored and what it has checked itself.
    /// @param proof In the encoding of the verifier behind the selector.
    function verify(bytes4 selector, Claim calldata claim, bytes calldata proof) external;

    /// @return What its word is worth, from 1 to 4 (`Assurance`). Reverts where nothing verifies behind it.
    function assuranceOf(bytes4 selector) external view returns (uint8);

    /// @return The name of its proof system, as statements have it. Reverts where nothing verifies behind it.
    function systemOf(bytes4 selector) external view returns (string memory);
}

// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice What a proof is to show, as the contract that pays for it makes it. Nothing of it comes from
/// who brings the proof but what is checked against a digest.
/// @param statement The digest of the statement (`StatementLib.digest`).
/// @param verifyingKey The digest by which the verifier knows the key, from the registered terms.
/// @param inputs keccak256 of the numbers that the input is quantised to, as the verifier takes them.
/// @param outputs Each output tensor in its canonical encoding (specs/statement.md, section 4).
struct Claim {
    bytes32 statement;
    bytes32 verifyingKey;
    bytes32 inputs;
    bytes[] outputs;
}

/// @title What stands behind a selector of the router: an adapter to the verifier of one proof system.
interface StatementVerifier {
    /// @notice Reverts unless the proof shows the claim. May keep what it has checked.
    /// @param proof The proof, and what the verifier needs beside it, in the verifier's own encoding.
    /// @return The selector of this function, so that nothing else is taken for a verifier.
    function verifyStatement(Claim calldata claim, bytes calldata proof) external returns (bytes4);
}

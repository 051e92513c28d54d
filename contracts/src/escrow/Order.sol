// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice What a buyer locks money for. Its EIP-712 digest, on one chain and for one escrow, is the order's
/// id and the job id of the statement that has to be proven.
/// @param buyer Whose money it is, and who gets it back.
/// @param token In which the price and the bond are.
/// @param price What is locked, in the token's atomic units; zero where a plan has paid already.
/// @param bond What the server that accepts has to stake, in the same token.
/// @param model The model commitment of a registered version.
/// @param inputCommitment As in the statement.
/// @param inputs keccak256 of the numbers that the input is quantised to, on the buyer's word: the
/// proof is about these.
/// @param plan Of `access/`; zero for a price per call.
/// @param server Who alone may accept; zero for any authorised server.
/// @param assurance The least assurance of the verifier (`Assurance`).
/// @param acceptBy Unix seconds, as those below: who accepts does so until then.
/// @param inputBy The input is acknowledged by the server, or posted by the buyer, until then.
/// @param deliverBy The server that accepted may deliver alone until then.
/// @param rescueBy Any authorised server may deliver after that until then; a refund is due afterwards.
/// @param salt Drawn by the buyer, so that no two orders are one.
struct Order {
    address buyer;
    address token;
    uint128 price;
    uint128 bond;
    bytes32 model;
    bytes32 inputCommitment;
    bytes32 inputs;
    bytes32 plan;
    address server;
    uint8 assurance;
    uint40 acceptBy;
    uint40 inputBy;
    uint40 deliverBy;
    uint40 rescueBy;
    bytes32 salt;
}

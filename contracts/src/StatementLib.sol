// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice The public claim of one proof. Source: specs/statement.md.
struct Statement {
    bytes32 jobId;
    bytes32 modelCommitment;
    bytes32 inputCommitment;
    bytes32 outputCommitment;
    string proofSystem;
    address provider;
    uint16 version;
}

/// @title The statement's EIP-712 digest, as every proof binds it.
/// @dev The domain has a name and a version only: a statement means the same on every chain and
/// for every contract. A contract that pays for a proof must therefore make a job single-use
/// itself.
library StatementLib {
    bytes32 internal constant TYPE_HASH = keccak256(
        "Statement(bytes32 jobId,bytes32 modelCommitment,bytes32 inputCommitment,"
        "bytes32 outputCommitment,string proofSystem,address provider,uint16 version)"
    );
    bytes32 internal constant DOMAIN_SEPARATOR = keccak256(
        abi.encode(
            keccak256("EIP712Domain(string name,string version)"),
            keccak256("inferproof"),
            keccak256("1")
        )
    );

    /// @return The digest that is a public value of the statement's proof.
    function digest(Statement memory statement) internal pure returns (bytes32) {
        bytes32 structHash = keccak256(
            abi.encode(
                TYPE_HASH,
                statement.jobId,
                statement.modelCommitment,
                statement.inputCommitment,
                statement.outputCommitment,
                keccak256(bytes(statement.proofSystem)),
                statement.provider,
                statement.version
            )
        );
        return keccak256(abi.encodePacked(hex"1901", DOMAIN_SEPARATOR, structHash));
    }

    /// @return limbs The digest as the sixteen public values that a circuit shows it in: its
    /// bytes two by two, big-endian, the most significant first.
    function toLimbs(bytes32 value) internal pure returns (uint256[16] memory limbs) {
        for (uint256 i = 0; i < 16; ++i) {
            limbs[i] = uint16(uint256(value) >> (240 - 16 * i));
        }
    }
}

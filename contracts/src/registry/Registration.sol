// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice What a call costs in one token, in its atomic units. Where `accepted` is false, the token is
/// not taken.
struct TokenPrice {
    address token;
    uint128 amount;
    bool accepted;
}

/// @notice What of a version never changes.
/// @param verifier The selector of the contract that checks its proofs; zero where none does.
/// @param verifyingKey The digest by which that verifier knows the key; where there is none, the digest
/// in the parts of the model commitment.
/// @param inputKinds The kinds of input commitment in its statements (`CommitmentKinds`).
/// @param outputKinds The kinds of output commitment.
/// @param metadataDigest SHA-256 of the metadata; zero where there is none.
/// @param metadataUri Where the metadata can be read; empty where there is none.
/// @param contentId The binary CID of the verifier bundle, with which proofs are checked; may be empty.
struct Terms {
    bytes4 verifier;
    bytes32 verifyingKey;
    uint8 inputKinds;
    uint8 outputKinds;
    bytes32 metadataDigest;
    string metadataUri;
    bytes contentId;
}

/// @notice What an owner signs. `model` is the commitment of the model's first version, and so equal to
/// `commitment` for a new model.
struct Registration {
    bytes32 commitment;
    bytes32 model;
    address owner;
    uint64 deadline;
    Terms terms;
    TokenPrice[] prices;
}

/// @notice A registered version. `number` counts those of its model from 1.
struct Version {
    bytes32 model;
    uint32 number;
    bool active;
    Terms terms;
}

/// @title Kinds of commitments, as bits. Source: specs/statement.md.
library CommitmentKinds {
    /// @notice A digest of values that are disclosed.
    uint8 internal constant DISCLOSED = 1;
    /// @notice A digest of hashes that the proof shows in place of the values.
    uint8 internal constant HASHED = 2;
    /// @notice A digest of the root of a hiding commitment, which prover and payer can open.
    uint8 internal constant PRIVATE = 4;
    /// @notice Every kind.
    uint8 internal constant ALL = DISCLOSED | HASHED | PRIVATE;
}

/// @title The EIP-712 hash of a registration.
library RegistrationLib {
    bytes internal constant PRICE_TYPE = "TokenPrice(address token,uint128 amount,bool accepted)";
    bytes internal constant TERMS_TYPE = "Terms(bytes4 verifier,bytes32 verifyingKey,uint8 inputKinds,uint8 outputKinds,"
        "bytes32 metadataDigest,string metadataUri,bytes contentId)";
    bytes internal constant TYPE = "Registration(bytes32 commitment,bytes32 model,address owner,uint64 deadline,"
        "Terms terms,TokenPrice[] prices)";
    bytes32 internal constant PRICE_TYPE_HASH = keccak256(PRICE_TYPE);
    bytes32 internal constant TERMS_TYPE_HASH = keccak256(TERMS_TYPE);
    bytes32 internal constant TYPE_HASH = keccak256(abi.encodePacked(TYPE, TERMS_TYPE, PRICE_TYPE));

    /// @return The hashStruct of a registration.
    function structHash(Registration calldata registration) internal pure returns (bytes32) {
        TokenPrice[] calldata prices = registration.prices;
        bytes32[] memory hashes = new bytes32[](prices.length);
        for (uint256 i = 0; i < prices.length; ++i) {
            TokenPrice calldata price = prices[i];
            hashes[i] =
                keccak256(abi.encode(PRICE_TYPE_HASH, price.token, price.amount, price.accepted));
        }
        return keccak256(
            abi.encode(
                TYPE_HASH,
                registration.commitment,
                registration.model,
                registration.owner,
                registration.deadline,
                _termsHash(registration.terms),
                keccak256(abi.encodePacked(hashes))
            )
        );
    }

    function _termsHash(Terms calldata terms) private pure returns (bytes32) {
        return keccak256(
            abi.encode(
                TERMS_TYPE_HASH,
                terms.verifier,
                terms.verifyingKey,
                terms.inputKinds,
                terms.outputKinds,
                terms.metadataDigest,
                keccak256(bytes(terms.metadataUri)),
                keccak256(terms.contentId)
            )
        );
    }
}

// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Base} from "../Base.sol";
import {DevnetUSD} from "../../src/DevnetUSD.sol";
import {ModelRegistry} from "../../src/registry/ModelRegistry.sol";
import {Registration, Terms, TokenPrice} from "../../src/registry/Registration.sol";

/// @dev Registrations, and their digests written out by hand, so that the contract is not checked against
/// itself.
abstract contract Registrations is Base {
    uint256 internal constant NOW = 1_800_000_000;
    uint256 internal constant PROVIDER_KEY = 0xA11CE;
    uint256 internal constant THIEF_KEY = 0xBAD;
    uint128 internal constant PRICE = 250_000;

    function termsOf(bytes32 commitment) internal pure returns (Terms memory) {
        return Terms({
            verifier: 0x0a0b0c0d,
            verifyingKey: keccak256(abi.encode("key", commitment)),
            inputKinds: 5,
            outputKinds: 1,
            metadataDigest: sha256(abi.encode(commitment)),
            // As long as the URI of a CIDv1 in IPFS.
            metadataUri: "ipfs://bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy",
            contentId: abi.encodePacked(hex"01551220", sha256("the bundle"))
        });
    }

    function registrationOf(bytes32 commitment, address token)
        internal
        view
        returns (Registration memory made)
    {
        made.commitment = made.model = commitment;
        made.owner = vm.addr(PROVIDER_KEY);
        made.deadline = uint64(block.timestamp + 1 days);
        made.terms = termsOf(commitment);
        made.prices = new TokenPrice[](1);
        made.prices[0] = TokenPrice({token: token, amount: PRICE, accepted: true});
    }

    function digestFor(address registry, uint256 chain, Registration memory r)
        internal
        pure
        returns (bytes32)
    {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256(
                    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
                ),
                keccak256("inferproof registry"),
                keccak256("1"),
                chain,
                registry
            )
        );
        return keccak256(abi.encodePacked(hex"1901", domain, hashOf(r)));
    }

    function hashOf(Registration memory r) private pure returns (bytes32) {
        bytes memory prices;
        for (uint256 i = 0; i < r.prices.length; ++i) {
            TokenPrice memory p = r.prices[i];
            bytes32 one = keccak256(
                abi.encode(
                    keccak256("TokenPrice(address token,uint128 amount,bool accepted)"),
                    p.token,
                    p.amount,
                    p.accepted
                )
            );
            prices = bytes.concat(prices, one);
        }
        bytes32 typeHash = keccak256(
            "Registration(bytes32 commitment,bytes32 model,address owner,uint64 deadline,Terms terms,TokenPrice[] prices)Terms(bytes4 verifier,bytes32 verifyingKey,uint8 inputKinds,uint8 outputKinds,bytes32 metadataDigest,string metadataUri,bytes contentId)TokenPrice(address token,uint128 amount,bool accepted)"
        );
        return keccak256(
            abi.encode(
                typeHash,
                r.commitment,
                r.model,
                r.owner,
                r.deadline,
                termsHash(r.terms),
                keccak256(prices)
            )
        );
    }

    function termsHash(Terms memory t) private pure returns (bytes32) {
        return keccak256(
            abi.encode(
                keccak256(
                    "Terms(bytes4 verifier,bytes32 verifyingKey,uint8 inputKinds,uint8 outputKinds,bytes32 metadataDigest,string metadataUri,bytes contentId)"
                ),
                t.verifier,
                t.verifyingKey,
                t.inputKinds,
                t.outputKinds,
                t.metadataDigest,
                keccak256(bytes(t.metadataUri)),
                keccak256(t.contentId)
            )
        );
    }

    function signatureBy(uint256 key, bytes32 digest) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        return abi.encodePacked(r, s, v);
    }

    /// @dev The signature over a registration that is sealed, and the seal is old enough.
    function sealedBy(ModelRegistry registry, uint256 key, Registration memory r)
        internal
        returns (bytes memory)
    {
        bytes32 digest = digestFor(address(registry), block.chainid, r);
        registry.seal(digest);
        vm.warp(block.timestamp + registry.SEAL_AGE());
        return signatureBy(key, digest);
    }
}

// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Base} from "./Base.sol";
import {DevnetUSD} from "../src/DevnetUSD.sol";

/// @dev EIP-3009 messages written out by hand, so that the token is not checked against itself.
abstract contract Authorizations is Base {
    struct Authorization {
        address from;
        address to;
        uint256 value;
        uint256 validAfter;
        uint256 validBefore;
        bytes32 nonce;
    }

    bytes32 internal constant TRANSFER = keccak256(
        "TransferWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)"
    );
    bytes32 internal constant RECEIVE = keccak256(
        "ReceiveWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)"
    );
    bytes32 internal constant CANCEL =
        keccak256("CancelAuthorization(address authorizer,bytes32 nonce)");

    function domainOf(address token, string memory version) internal view returns (bytes32) {
        return keccak256(
            abi.encode(
                keccak256(
                    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
                ),
                keccak256("USD Coin (devnet)"),
                keccak256(bytes(version)),
                block.chainid,
                token
            )
        );
    }

    function digestOf(bytes32 domain, bytes32 structHash) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(hex"1901", domain, structHash));
    }

    function hashOf(bytes32 typeHash, Authorization memory a) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(typeHash, a.from, a.to, a.value, a.validAfter, a.validBefore, a.nonce)
        );
    }

    function transferBy(DevnetUSD token, uint256 key, Authorization memory a) internal {
        bytes32 digest = digestOf(domainOf(address(token), "1"), hashOf(TRANSFER, a));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        token.transferWithAuthorization(
            a.from, a.to, a.value, a.validAfter, a.validBefore, a.nonce, v, r, s
        );
    }
}

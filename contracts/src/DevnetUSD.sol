// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";
import {ERC3009} from "@openzeppelin/contracts/token/ERC20/extensions/draft-ERC3009.sol";
import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";

/// @title Dollar token for local chains
/// @notice Behaves towards payers and settlers like USDC: 6 decimals, EIP-3009 and EIP-2612. Its
/// EIP-712 version is "1", where USDC's is "2". It has neither a blocklist nor a pause.
/// @dev The owner mints at will: it holds no value and belongs on development chains only.
contract DevnetUSD is ERC20, ERC20Permit, ERC3009, Ownable2Step {
    constructor(address owner_)
        ERC20("USD Coin (devnet)", "devUSDC")
        ERC20Permit("USD Coin (devnet)")
        Ownable(owner_)
    {}

    /// @notice Creates `value` atomic units for `to`.
    function mint(address to, uint256 value) external onlyOwner {
        _mint(to, value);
    }

    /// @notice EIP-3009 transfer whose signature may also come from a contract wallet (EIP-1271).
    function transferWithAuthorization(
        address from,
        address to,
        uint256 value,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        bytes calldata signature
    ) external {
        bytes32 digest = _hashTypedDataV4(
            keccak256(
                abi.encode(
                    TRANSFER_WITH_AUTHORIZATION_TYPEHASH,
                    from,
                    to,
                    value,
                    validAfter,
                    validBefore,
                    nonce
                )
            )
        );
        require(
            SignatureChecker.isValidSignatureNow(from, digest, signature), ERC3009InvalidSignature()
        );
        _transferWithAuthorization(from, to, value, validAfter, validBefore, nonce);
    }

    /// @notice Version of the EIP-712 domain.
    function version() external view returns (string memory) {
        return _EIP712Version();
    }

    function decimals() public pure override returns (uint8) {
        return 6;
    }

    /// @dev Reads both bounds as Unix seconds, as USDC does. The inherited check would read them as
    /// block numbers when bit 47 is set in both, which no payer's wallet expects.
    function _checkValidity(uint256 validAfter, uint256 validBefore) internal view override {
        require(
            block.timestamp > validAfter && block.timestamp < validBefore,
            ERC3009InvalidAuthorizationTime(validAfter, validBefore)
        );
    }
}

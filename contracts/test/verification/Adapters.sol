// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {Router} from "../../src/verification/Router.sol";
import {Claim, StatementVerifier} from "../../src/verification/StatementVerifier.sol";

/// @dev Takes every proof, and keeps what it was asked last.
contract Agreeing is StatementVerifier {
    bytes32 public asked;

    function verifyStatement(Claim calldata claim, bytes calldata proof) external returns (bytes4) {
        asked = keccak256(abi.encode(claim, proof));
        return StatementVerifier.verifyStatement.selector;
    }
}

/// @dev Answers any bytes, or reverts with them.
contract Saying {
    bytes private said;
    bool private immutable REVERTS;

    constructor(bytes memory what, bool reverts) {
        said = what;
        REVERTS = reverts;
    }

    fallback(bytes calldata) external returns (bytes memory) {
        bytes memory what = said;
        if (!REVERTS) return what;
        assembly ("memory-safe") {
            revert(add(what, 32), mload(what))
        }
    }
}

/// @dev Answers a million bytes of memory that begin with what is right, or reverts with them.
contract Bomb {
    bool private immutable REVERTS;

    constructor(bool reverts) {
        REVERTS = reverts;
    }

    fallback() external {
        bytes32 magic = bytes32(StatementVerifier.verifyStatement.selector);
        bool reverts = REVERTS;
        assembly ("memory-safe") {
            mstore(0, magic)
            if reverts { revert(0, 1000000) }
            return(0, 1000000)
        }
    }
}

/// @dev Uses up all gas it is given.
contract Burning {
    fallback() external {
        assembly ("memory-safe") {
            invalid()
        }
    }
}

/// @dev Agrees, and takes so much gas for it.
contract Thirsty {
    uint256 private immutable TAKES;

    constructor(uint256 takes) {
        TAKES = takes;
    }

    fallback() external {
        uint256 end = gasleft() - TAKES;
        while (gasleft() > end) {}
        bytes32 magic = bytes32(StatementVerifier.verifyStatement.selector);
        assembly ("memory-safe") {
            mstore(0, magic)
            return(0, 32)
        }
    }
}

/// @dev Agrees, and calls somebody first.
contract Calling is StatementVerifier {
    address private target;
    bytes private data;
    bool public held;
    bytes public why;

    function aim(address who, bytes calldata what) external {
        (target, data) = (who, what);
    }

    function verifyStatement(Claim calldata, bytes calldata) external returns (bytes4) {
        (bool done, bytes memory answer) = target.call(data);
        (held, why) = (!done, answer);
        return StatementVerifier.verifyStatement.selector;
    }
}

/// @dev Pays once a proof is there, as an escrow does.
contract Paying is ReentrancyGuardTransient {
    Router private immutable ROUTER;
    uint256 public paid;

    constructor(Router router) {
        ROUTER = router;
    }

    function deliver(bytes4 selector, Claim calldata claim, bytes calldata proof)
        external
        nonReentrant
    {
        ROUTER.verify(selector, claim, proof);
        ++paid;
    }
}

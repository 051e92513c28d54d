// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @dev A token that anybody mints.
contract Coin is ERC20 {
    constructor() ERC20("Coin", "COIN") {}

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }
}

/// @dev Keeps a hundredth of every transfer.
contract FeeCoin is Coin {
    function _update(address from, address to, uint256 amount) internal override {
        super._update(from, to, amount);
        if (from != address(0) && to != address(0)) {
            super._update(to, address(0xFEE), amount / 100);
        }
    }
}

/// @dev Says no in place of reverting, where it is told to.
contract FalseCoin is Coin {
    bool public refusing;

    function refuse(bool on) external {
        refusing = on;
    }

    function transfer(address to, uint256 amount) public override returns (bool) {
        return refusing ? false : super.transfer(to, amount);
    }

    function transferFrom(address from, address to, uint256 amount) public override returns (bool) {
        return refusing ? false : super.transferFrom(from, to, amount);
    }
}

/// @dev Takes away from whom it likes.
contract RebasingCoin is Coin {
    function shrink(address who, uint256 amount) external {
        _burn(who, amount);
    }
}

/// @dev Takes from whom it should give to.
contract BackwardCoin is Coin {
    function transferFrom(address, address to, uint256 amount) public override returns (bool) {
        _burn(to, amount);
        return true;
    }
}

/// @dev Moves nothing from and to who is on its list, as USDC does.
contract BlacklistCoin is Coin {
    mapping(address => bool) public blacklisted;

    function blacklist(address who) external {
        blacklisted[who] = true;
    }

    function _update(address from, address to, uint256 amount) internal override {
        require(!blacklisted[from] && !blacklisted[to] && !blacklisted[msg.sender], "blacklisted");
        super._update(from, to, amount);
    }
}

/// @dev Calls somebody before each transfer, and keeps what came of it.
contract CallingCoin is Coin {
    address private target;
    bytes private data;
    bool public called;
    bytes public answer;

    function arm(address target_, bytes calldata data_) external {
        (target, data) = (target_, data_);
    }

    function _update(address from, address to, uint256 amount) internal override {
        if (target != address(0)) {
            address callee = target;
            target = address(0);
            bool done;
            (done, answer) = callee.call(data);
            called = true;
            require(!done, "the call back was taken");
        }
        super._update(from, to, amount);
    }
}

/// @dev Has the overload for contracts' wallets of Circle's token, and only that.
contract WalletCoin is Coin {
    mapping(bytes32 => bool) private used;

    function receiveWithAuthorization(
        address from,
        address to,
        uint256 value,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        bytes calldata signature
    ) external {
        require(to == msg.sender && !used[nonce], "not to the caller, or used");
        require(block.timestamp > validAfter && block.timestamp < validBefore, "time");
        bytes32 digest = keccak256(abi.encode(from, to, value, validAfter, validBefore, nonce));
        require(
            IERC1271(from).isValidSignature(digest, signature)
                == IERC1271.isValidSignature.selector,
            "signature"
        );
        used[nonce] = true;
        _transfer(from, to, value);
    }
}

/// @dev Returns from every call that it does not know, as wrapped ether does.
contract SilentCoin is Coin {
    fallback() external {}
}

// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {IERC1155Receiver} from "@openzeppelin/contracts/token/ERC1155/IERC1155Receiver.sol";
import {Access} from "../../src/access/Access.sol";

/// @dev A token that keeps one percent of what is moved, or says that it moved what it did not, or asks its
/// sender back before it moves anything.
contract CrookedToken is ERC20 {
    enum Way {
        Straight,
        Fee,
        False,
        Silent
    }

    Way public way;

    constructor() ERC20("Crooked", "CRK") {}

    function mint(address to, uint256 value) external {
        _mint(to, value);
    }

    function set(Way next) external {
        way = next;
    }

    function transferFrom(address from, address to, uint256 value) public override returns (bool) {
        if (way == Way.False) return false;
        if (way == Way.Silent) return true;
        super.transferFrom(from, to, value);
        if (way == Way.Fee) _burn(to, value / 100);
        return true;
    }

    function transfer(address to, uint256 value) public override returns (bool) {
        return way == Way.False ? false : super.transfer(to, value);
    }
}

/// @dev A token that lets whoever pays do something first.
contract HookedToken is ERC20 {
    constructor() ERC20("Hooked", "HKD") {}

    function mint(address to, uint256 value) external {
        _mint(to, value);
    }

    function transferFrom(address from, address to, uint256 value) public override returns (bool) {
        if (from.code.length != 0) Reentering(from).act();
        return super.transferFrom(from, to, value);
    }
}

/// @dev A buyer that is a contract, and comes back into the contract when it is given a pass, or pays.
contract Reentering is IERC1155Receiver {
    Access private immutable ACCESS;
    bytes private _call;
    bytes public answer;
    bool public came;
    bool public succeeded;

    constructor(Access access) {
        ACCESS = access;
    }

    function prepare(bytes calldata call) external {
        _call = call;
    }

    function run(address target, bytes calldata call) external returns (bytes memory) {
        (bool done, bytes memory got) = target.call(call);
        if (!done) {
            assembly ("memory-safe") {
                revert(add(got, 32), mload(got))
            }
        }
        return got;
    }

    function act() public {
        if (_call.length == 0) return;
        came = true;
        (succeeded, answer) = address(ACCESS).call(_call);
    }

    function onERC1155Received(address, address, uint256, uint256, bytes calldata)
        external
        returns (bytes4)
    {
        act();
        return this.onERC1155Received.selector;
    }

    function onERC1155BatchReceived(
        address,
        address,
        uint256[] calldata,
        uint256[] calldata,
        bytes calldata
    ) external pure returns (bytes4) {
        return this.onERC1155BatchReceived.selector;
    }

    function supportsInterface(bytes4 id) external pure returns (bool) {
        return id == type(IERC1155Receiver).interfaceId;
    }
}

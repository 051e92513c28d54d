// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice Who gets what of an order's price and bond. The four sum to both.
/// @param deliverer The server that delivered, which may be the one that accepted.
/// @param acceptor The server that accepted, of its bond.
/// @param buyer Of price and bond.
/// @param fee The market's.
struct Shares {
    uint256 deliverer;
    uint256 acceptor;
    uint256 buyer;
    uint256 fee;
}

/// @title How price and bond are shared out. Source: specs/escrow.md, section 5.
library ShareRules {
    uint256 private constant BPS = 10_000;

    /// @param late Whether the time of the server that accepted was over.
    /// @param given Whether that server had the input: it is not to blame else.
    function ofDelivery(uint256 price, uint256 bond, uint256 feeBps, bool late, bool given)
        internal
        pure
        returns (Shares memory shares)
    {
        shares.fee = price * feeBps / BPS;
        shares.deliverer = price - shares.fee;
        if (late && given) {
            shares.deliverer += bond / 2;
            shares.buyer = bond - bond / 2;
        } else {
            shares.acceptor = bond;
        }
    }

    /// @param blamed Whether the server that accepted is to blame for that nothing was delivered.
    function ofRefund(uint256 price, uint256 bond, bool blamed)
        internal
        pure
        returns (Shares memory shares)
    {
        shares.buyer = blamed ? price + bond : price;
        shares.acceptor = blamed ? 0 : bond;
    }
}

// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @dev Which cells of a vector mask the rounds of the fold. Source: specs/hiding-opening.md, section 2.
enum Mask {
    Block,
    Column,
    Half
}

/// @dev Where a column lies in its vector.
struct Place {
    uint256 variables;
    uint256 slot;
}

/// @dev One committed vector. The columns are its owner's and then those that are added to it: five of the
/// block and one of the pad, or one column of masks, or none.
struct VectorShape {
    uint256 fold;
    uint256 slot;
    uint256 salts;
    Mask mask;
    bool sampled;
    Place[] columns;
}

/// @dev Queries to one code, with the bits of work before them.
struct Queries {
    uint256 count;
    uint256 work;
}

/// @dev One later code: queries to the code before it, out-of-domain answers about it, variables that are
/// folded after it, and its halvings.
struct LaterCode {
    Queries queries;
    uint256 samples;
    uint256 fold;
    uint256 rate;
}

/// @title The shape of an opening, which follows from key and profile and never from a proof.
struct OpeningShape {
    uint256 rows;
    uint256 fold;
    uint256 tails;
    uint256 rate;
    uint256 samples;
    uint256 maskClaims;
    VectorShape[] vectors;
    LaterCode[] codes;
    Queries end;
}

// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice What became of an order, for one of its servers.
enum Outcome {
    /// @dev Delivered by who accepted it, in time.
    Valid,
    /// @dev Delivered by who accepted it, in the rescue window.
    Late,
    /// @dev Accepted and not delivered by who accepted it.
    Missed,
    /// @dev Delivered in the place of who accepted it.
    Rescued
}

/// @notice What is kept of a server, in one slot. Amounts are millionths of a dollar.
/// @param good What it has earned by, as of `at`.
/// @param bad What it has failed in, as of `at`.
/// @param at When both were written, in Unix seconds.
/// @param valid How often, as those below, whatever it was worth; counts do not decay, and end at their largest.
struct Record {
    uint56 good;
    uint56 bad;
    uint40 at;
    uint32 valid;
    uint24 late;
    uint24 missed;
    uint24 rescued;
}

/// @title How a reputation follows from what became of orders. Source: specs/escrow.md, section 7.
/// @dev Pure, so that it is compared with Python's on shared vectors.
library ReputationRules {
    /// @notice Seconds in which an amount halves.
    uint256 internal constant HALF_LIFE = 30 days;
    /// @notice The best score.
    uint256 internal constant BEST = 10_000;
    /// @notice What is failed in weighs this many times what is earned by.
    uint256 internal constant PENALTY = 4;
    /// @notice 100 dollars: who has earned by as much and failed in nothing has half of the best score.
    uint256 internal constant BASE = 100_000_000;
    /// @notice Weights of tokens are in this part of a millionth of a dollar.
    uint256 internal constant WEIGHT_ONE = 1e18;

    /// @dev 1 and ln 2 with 64 binary places, the latter rounded down.
    uint256 private constant ONE = 1 << 64;
    uint256 private constant LN2 = 12_786_308_645_202_655_659;
    /// @dev After so many half-lives nothing is left of 56 bits.
    uint256 private constant GONE = 56;
    /// @dev (ln 2)^19 / 19! is below 2^-66: less than rounding leaves out.
    uint256 private constant TERMS = 18;

    /// @return What an amount in a token counts, in millionths of a dollar.
    function valueOf(uint256 amount, uint128 weight) internal pure returns (uint256) {
        // Prices and bonds have 128 bits.
        return amount * weight / WEIGHT_ONE;
    }

    /// @return What is left of 2^64 after some seconds: 2^(64 - elapsed / HALF_LIFE), four off at most.
    function left(uint256 elapsed) internal pure returns (uint256) {
        uint256 halvings = elapsed / HALF_LIFE;
        if (halvings >= GONE) return 0;
        // e^-x for x below ln 2, by its series: 1 - x/1 (1 - x/2 (1 - x/3 (...))). Each bracket is below 1.
        unchecked {
            uint256 x = LN2 * (elapsed % HALF_LIFE) / HALF_LIFE;
            uint256 sum = ONE;
            for (uint256 n = TERMS; n != 0; --n) {
                sum = ONE - x * sum / (n << 64);
            }
            return sum >> halvings;
        }
    }

    /// @return What is left of an amount of which `left` says the share, rounded down.
    function decayed(uint256 amount, uint256 share) internal pure returns (uint256) {
        return amount * share >> 64;
    }

    /// @param record What was kept.
    /// @param outcome What became of an order.
    /// @param value What it counts, in millionths of a dollar; zero where nothing, so that it is only counted.
    /// @param time Not before `record.at`, in Unix seconds.
    /// @return What is kept from now on.
    function following(Record memory record, Outcome outcome, uint256 value, uint256 time)
        internal
        pure
        returns (Record memory)
    {
        // Of nothing nothing decays, and the first record is from 1970.
        uint256 share = (record.good | record.bad) == 0 ? 0 : left(time - record.at);
        uint256 good = decayed(record.good, share);
        uint256 bad = decayed(record.bad, share);
        if (outcome == Outcome.Valid) {
            good += value;
            if (record.valid != type(uint32).max) ++record.valid;
        } else if (outcome == Outcome.Rescued) {
            good += value;
            if (record.rescued != type(uint24).max) ++record.rescued;
        } else if (outcome == Outcome.Late) {
            bad += value / PENALTY;
            if (record.late != type(uint24).max) ++record.late;
        } else {
            bad += value;
            if (record.missed != type(uint24).max) ++record.missed;
        }
        record.good = _clamped(good);
        record.bad = _clamped(bad);
        record.at = uint40(time);
        return record;
    }

    /// @return From 0, which who has done nothing has too, to 10,000.
    function score(Record memory record, uint256 time) internal pure returns (uint256) {
        if (record.good == 0) return 0;
        uint256 share = left(time - record.at);
        uint256 good = decayed(record.good, share);
        uint256 bad = decayed(record.bad, share);
        return BEST * good / (good + PENALTY * bad + BASE);
    }

    function _clamped(uint256 amount) private pure returns (uint56) {
        return amount > type(uint56).max ? type(uint56).max : uint56(amount);
    }
}

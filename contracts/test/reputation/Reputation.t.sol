// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Base} from "../Base.sol";
import {DevnetUSD} from "../../src/DevnetUSD.sol";
import {Errors} from "../../src/Errors.sol";
import {Events} from "../../src/Events.sol";
import {Market} from "../../src/admin/Market.sol";
import {Roles} from "../../src/admin/Roles.sol";
import {Reputation} from "../../src/reputation/Reputation.sol";
import {Outcome, Record, ReputationRules} from "../../src/reputation/ReputationRules.sol";

/// @dev The cheatcodes that read the vectors shared with the other languages.
interface Files {
    function readFile(string calldata path) external view returns (string memory);
    function parseJsonUint(string calldata json, string calldata key)
        external
        pure
        returns (uint256);
    function parseJsonUintArray(string calldata json, string calldata key)
        external
        pure
        returns (uint256[] memory);
    function toString(uint256 value) external pure returns (string memory);
}

contract ReputationRulesTest is Base {
    using ReputationRules for Record;

    Files private constant files = Files(address(vm));
    uint256 private constant SHARES = 8;
    uint256 private constant HISTORIES = 7;

    // -- shared vectors ------------------------------------------------------------------------

    function test_whatIsLeftIsThatOfTheVectors() public view {
        string memory json = files.readFile("../vectors/reputation.json");
        for (uint256 i = 0; i < SHARES; ++i) {
            string memory key = string.concat(".shares[", files.toString(i), "]");
            uint256 elapsed = files.parseJsonUint(json, string.concat(key, ".elapsed"));
            assertEq(
                ReputationRules.left(elapsed),
                files.parseJsonUint(json, string.concat(key, ".left"))
            );
        }
    }

    function test_historiesAreThoseOfTheVectors() public view {
        string memory json = files.readFile("../vectors/reputation.json");
        for (uint256 i = 0; i < HISTORIES; ++i) {
            checkHistory(json, string.concat(".histories[", files.toString(i), "]"));
        }
    }

    function checkHistory(string memory json, string memory key) private pure {
        uint256[] memory outcomes = column(json, key, ".outcomes");
        uint256[] memory values = column(json, key, ".values");
        uint256[] memory times = column(json, key, ".times");
        Record memory record;
        for (uint256 i = 0; i < outcomes.length; ++i) {
            record = record.following(Outcome(outcomes[i]), values[i], times[i]);
        }
        assertEq(record.good, files.parseJsonUint(json, string.concat(key, ".good")));
        assertEq(record.bad, files.parseJsonUint(json, string.concat(key, ".bad")));
        assertEq(record.at, files.parseJsonUint(json, string.concat(key, ".at")));
        assertEq(record.valid, files.parseJsonUint(json, string.concat(key, ".valid")));
        assertEq(record.late, files.parseJsonUint(json, string.concat(key, ".late")));
        assertEq(record.missed, files.parseJsonUint(json, string.concat(key, ".missed")));
        assertEq(record.rescued, files.parseJsonUint(json, string.concat(key, ".rescued")));
        uint256[] memory asked = column(json, key, ".asked");
        uint256[] memory scores = column(json, key, ".scores");
        for (uint256 i = 0; i < asked.length; ++i) {
            assertEq(record.score(asked[i]), scores[i]);
        }
    }

    function column(string memory json, string memory key, string memory name)
        private
        pure
        returns (uint256[] memory)
    {
        return files.parseJsonUintArray(json, string.concat(key, name));
    }

    // -- rules ---------------------------------------------------------------------------------

    function testFuzz_whatIsLeftFallsAndHalves(uint256 elapsed) public pure {
        elapsed = bound(elapsed, 0, 54 * ReputationRules.HALF_LIFE);
        uint256 left = ReputationRules.left(elapsed);
        assertTrue(left <= 1 << 64, "more than there was");
        assertTrue(ReputationRules.left(elapsed + 1) <= left, "it grows");
        assertEq(ReputationRules.left(elapsed + ReputationRules.HALF_LIFE), left / 2);
    }

    /// @dev It makes no difference for an amount when it was looked at between, but for rounding.
    function testFuzz_decayInTwoStepsIsDecayInOne(uint56 amount, uint32 first, uint32 second)
        public
        pure
    {
        uint256 once = ReputationRules.decayed(
            amount, ReputationRules.left(uint256(first) + uint256(second))
        );
        uint256 twice = ReputationRules.decayed(amount, ReputationRules.left(first));
        twice = ReputationRules.decayed(twice, ReputationRules.left(second));
        assertTrue(twice <= once + 1 && once <= twice + 2, "a difference");
    }

    function testFuzz_scoresStayInTheirRange(
        uint56 good,
        uint56 bad,
        uint8 outcome,
        uint192 value,
        uint32 later
    ) public pure {
        Record memory record = Record(good, bad, 1, 0, 0, 0, 0);
        uint256 time = 1 + uint256(later);
        uint256 before = record.score(time);
        assertTrue(before < ReputationRules.BEST, "nobody is the best there is");
        Outcome what = Outcome(outcome % 4);
        uint256 score = record.following(what, value, time).score(time);
        assertTrue(score < ReputationRules.BEST, "nobody is the best there is");
        bool delivered = what == Outcome.Valid || what == Outcome.Rescued;
        assertTrue(delivered ? score >= before : score <= before, "the wrong way");
    }

    function testFuzz_valuesNeverOverflow(uint128 amount, uint128 weight) public pure {
        uint256 value = ReputationRules.valueOf(amount, weight);
        assertEq(value, uint256(amount) * weight / 1e18);
    }

    function test_countsEndAtTheirLargest() public pure {
        Record memory record;
        (record.valid, record.late) = (type(uint32).max, type(uint24).max);
        (record.missed, record.rescued) = (type(uint24).max, type(uint24).max);
        for (uint8 i = 0; i < 4; ++i) {
            record = record.following(Outcome(i), 0, 1);
        }
        assertEq(record.valid, type(uint32).max);
        assertEq(record.late, type(uint24).max);
        assertEq(record.missed, type(uint24).max);
        assertEq(record.rescued, type(uint24).max);
    }
}

contract ReputationTest is Base {
    uint256 private constant NOW = 1_800_000_000;

    address private server = address(0x5E8);
    address private stranger = address(0x57A);
    Market private market;
    Reputation private reputation;
    address private token;

    function setUp() public {
        vm.warp(NOW);
        market = new Market(address(this), 0);
        market.grantRole(Roles.RECORDER, address(this));
        market.grantRole(Roles.PARAMETERS, address(this));
        token = address(new DevnetUSD(address(this)));
        market.setToken(token, true, 2e18);
        reputation = new Reputation(market);
    }

    function test_record_weighsByTheToken() public {
        vm.expectEmit(address(reputation));
        emit Events.OutcomeRecorded(server, Outcome.Valid, 50_000_000);
        reputation.record(server, Outcome.Valid, token, 25_000_000);
        assertEq(reputation.recordOf(server).good, 50_000_000);
        assertEq(reputation.score(server), 3_333);
        vm.warp(NOW + 30 days);
        assertEq(reputation.score(server), 2_000);
        assertEq(reputation.score(stranger), 0);
    }

    function test_record_ofATokenThatWeighsNothingIsCounted() public {
        market.setToken(token, false, 0);
        reputation.record(server, Outcome.Missed, token, 25_000_000);
        assertEq(reputation.recordOf(server).missed, 1);
        assertEq(reputation.recordOf(server).bad, 0);
    }

    function test_record_isTakenFromRecordersAlone() public {
        vm.expectRevert(abi.encodeWithSelector(Errors.NotARecorder.selector, stranger));
        vm.prank(stranger);
        reputation.record(server, Outcome.Valid, token, 1);
        reputation.record(server, Outcome.Valid, token, 1);
    }
}

// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {KoalaBear} from "./KoalaBear.sol";
import {Lanes, LazySums} from "./LazySums.sol";
import {LinearForms} from "./LinearForms.sol";
import {MerklePaths} from "./MerklePaths.sol";
import {Folded, Opened, OpenedLeaves} from "./OpenedLeaves.sol";
import {LaterCode, OpeningShape, Queries} from "./OpeningShape.sol";
import {ProofReader, Reader} from "./ProofReader.sol";
import {Quintic} from "./Quintic.sol";

/// @dev A claim that joined: what it weighs, after how many coordinates, and about what: the vector at a
/// point, or, for an element x of the base field, which is not 0, as coefficients of a polynomial at x.
struct Joined {
    uint256 weight;
    uint256 from;
    uint256 x;
    uint256[] point;
}

/// @dev How far the folds are: the claim that is left, the coordinates that are drawn, those of the last fold,
/// the claims that joined, and the tree of the last code.
struct Folds {
    uint256 claim;
    uint256 drawn;
    uint256[] point;
    uint256[] last;
    uint256 joins;
    Joined[] joined;
    bytes32 root;
    uint256 depth;
}

/// @title What comes after the first fold: WHIR for one vector and one linear claim.
/// @dev Source: specs/hiding-opening.md, section 6.
library LaterCodes {
    using ProofReader for Reader;

    /// @dev The last polynomial is not that of the opened leaves.
    error LastPolynomialDiffers(uint256 leaf);

    /// @dev Coordinates of a group: tables of 8 elements.
    uint256 private constant GROUP = 3;
    bytes32 private constant ROUND = keccak256("inferproof/sumcheck/1/opening/round");
    bytes32 private constant ROOT = keccak256("inferproof/sumcheck/1/opening/root");
    bytes32 private constant ANSWER = keccak256("inferproof/sumcheck/1/opening/answer");
    bytes32 private constant LAST = keccak256("inferproof/sumcheck/1/opening/last");

    /// @return left The claim that rounds of a fold leave.
    /// @return point Their coordinates.
    function follow(Reader memory reader, uint256 claim, uint256 rounds)
        internal
        pure
        returns (uint256 left, uint256[] memory point)
    {
        left = claim;
        point = new uint256[](rounds);
        for (uint256 i = 0; i < rounds; ++i) {
            uint256[] memory sent = reader.absorbed(ROUND, 2);
            uint256 x = reader.challenge();
            uint256 linear = Quintic.sub(Quintic.sub(left, Quintic.add(sent[0], sent[0])), sent[1]);
            uint256 slope = Quintic.add(linear, Quintic.mul(x, sent[1]));
            left = Quintic.add(sent[0], Quintic.mul(x, slope));
            point[i] = x;
        }
    }

    /// @return folds All coordinates, what joined and the claim that is left.
    /// @return last The folded vector's one element.
    function verify(
        Reader memory reader,
        OpeningShape memory shape,
        Folded memory folded,
        uint256 claim
    ) internal pure returns (Folds memory folds, uint256 last) {
        folds.claim = claim;
        folds.point = new uint256[](shape.rows);
        folds.depth = shape.rows + shape.rate;
        folds.joined = new Joined[](_joins(shape));
        for (uint256 i = 0; i < shape.codes.length; ++i) {
            LaterCode memory code = shape.codes[i];
            bytes32 root = reader.absorbedRoot(ROOT);
            _join(reader, shape, folded, folds, code, i == 0);
            _fold(reader, folds, code.fold);
            folds.root = root;
            folds.depth = shape.rows - folds.drawn + code.rate;
        }
        last = _end(reader, shape, folded, folds);
    }

    /// @return sum The weights of all that joined, at the coordinates of the folds.
    /// @dev The polynomial of powers of x, Π (1 + ck * (x^(2^(m-1-k)) - 1)), is Σ eq(c, i) * x^i. That of some
    /// coordinates has few terms, which are the same for all x that joined at one place.
    function weightOfJoined(Folds memory folds) internal pure returns (uint256 sum) {
        uint256 from = type(uint256).max;
        Lanes[] memory tables;
        for (uint256 i = 0; i < folds.joins; ++i) {
            Joined memory joined = folds.joined[i];
            if (joined.from != from) {
                from = joined.from;
                tables = _tables(folds.point, from);
            }
            uint256 weight;
            if (joined.x == 0) {
                uint256 count = folds.point.length - from;
                weight = Quintic.equal(joined.point, LinearForms.part(folds.point, from, count));
            } else {
                weight = _powers(tables, joined.x);
            }
            sum = Quintic.add(sum, Quintic.mul(joined.weight, weight));
        }
    }

    /// @return tables eq of the coordinates from one on, in groups of GROUP of them, the last group first.
    function _tables(uint256[] memory point, uint256 from)
        private
        pure
        returns (Lanes[] memory tables)
    {
        uint256 left = point.length - from;
        tables = new Lanes[]((left + GROUP - 1) / GROUP);
        for (uint256 i = 0; i < tables.length; ++i) {
            uint256 count = left < GROUP ? left : GROUP;
            left -= count;
            tables[i] = LazySums.spread(
                Quintic.equality(LinearForms.part(point, from + left, count), Quintic.ONE)
            );
        }
    }

    /// @return product Σ eq(c, i) * x^i, from the tables of eq.
    function _powers(Lanes[] memory tables, uint256 x) private pure returns (uint256 product) {
        product = LazySums.evaluate(tables[0], x);
        for (uint256 i = 1; i < tables.length; ++i) {
            x = KoalaBear.squared(x, GROUP);
            product = Quintic.mul(product, LazySums.evaluate(tables[i], x));
        }
    }

    /// @return point (y^(2^(m-1)), ..., y^2, y).
    function spread(uint256 y, uint256 variables) internal pure returns (uint256[] memory point) {
        point = new uint256[](variables);
        for (uint256 i = variables; i > 0; --i) {
            point[i - 1] = y;
            y = Quintic.square(y);
        }
    }

    /// @dev Reads the answers about a code and the leaves of the one before it, and joins both to the claim.
    function _join(
        Reader memory reader,
        OpeningShape memory shape,
        Folded memory folded,
        Folds memory folds,
        LaterCode memory code,
        bool first
    ) private pure {
        uint256 firstJoin = folds.joins;
        uint256[] memory answers = new uint256[](code.samples);
        for (uint256 j = 0; j < code.samples; ++j) {
            uint256[] memory point = spread(reader.challenge(), shape.rows - folds.drawn);
            answers[j] = reader.absorbed(ANSWER, 1)[0];
            folds.joined[folds.joins++] = Joined(0, folds.drawn, 0, point);
        }
        (uint256[] memory xs, uint256[] memory values) =
            _opened(reader, shape, folded, folds, code.queries, first);
        for (uint256 j = 0; j < xs.length; ++j) {
            folds.joined[folds.joins++] = Joined(0, folds.drawn, xs[j], new uint256[](0));
        }
        _batch(folds, firstJoin, reader.challenge(), answers, values);
    }

    /// @dev The last polynomial, its queries and its fold.
    function _end(
        Reader memory reader,
        OpeningShape memory shape,
        Folded memory folded,
        Folds memory folds
    ) private pure returns (uint256) {
        uint256 left = shape.rows - folds.drawn;
        uint256[] memory polynomial = reader.absorbed(LAST, 1 << left);
        (uint256[] memory xs, uint256[] memory values) =
            _opened(reader, shape, folded, folds, shape.end, shape.codes.length == 0);
        Lanes memory coefficients = LazySums.spread(polynomial);
        for (uint256 i = 0; i < xs.length; ++i) {
            if (!Quintic.same(LazySums.evaluate(coefficients, xs[i]), values[i])) {
                revert LastPolynomialDiffers(i);
            }
        }
        _fold(reader, folds, left);
        uint256[] memory weights = Quintic.equality(folds.last, Quintic.ONE);
        uint256 sum = 0;
        for (uint256 i = 0; i < weights.length; ++i) {
            sum = Quintic.add(sum, Quintic.mul(weights[i], polynomial[i]));
        }
        return sum;
    }

    /// @dev Checks work, draws indices and reads leaves: of the first codes, or of the last one before.
    /// @return xs The leaves' points.
    /// @return values Their values.
    function _opened(
        Reader memory reader,
        OpeningShape memory shape,
        Folded memory folded,
        Folds memory folds,
        Queries memory queries,
        bool first
    ) private pure returns (uint256[] memory xs, uint256[] memory values) {
        reader.work(queries.work);
        xs = reader.indices(queries.count, folds.depth);
        uint256[] memory order = MerklePaths.ordered(folds.depth, xs);
        xs = KoalaBear.powers(KoalaBear.twoAdicGenerator(folds.depth), xs, folds.depth);
        values = first
            ? OpenedLeaves.first(reader, shape, folded, Opened(order, xs))
            : OpenedLeaves.later(reader, folds.root, folds.depth, folds.last, order);
    }

    /// @dev Adds claims by powers of a challenge: answers, then the values of leaves.
    function _batch(
        Folds memory folds,
        uint256 firstJoin,
        uint256 batching,
        uint256[] memory answers,
        uint256[] memory values
    ) private pure {
        uint256 power = batching;
        for (uint256 i = 0; i < answers.length + values.length; ++i) {
            uint256 value = i < answers.length ? answers[i] : values[i - answers.length];
            folds.claim = Quintic.add(folds.claim, Quintic.mul(power, value));
            folds.joined[firstJoin + i].weight = power;
            power = Quintic.mul(power, batching);
        }
    }

    function _fold(Reader memory reader, Folds memory folds, uint256 rounds) private pure {
        (folds.claim, folds.last) = follow(reader, folds.claim, rounds);
        for (uint256 i = 0; i < rounds; ++i) {
            folds.point[folds.drawn++] = folds.last[i];
        }
    }

    function _joins(OpeningShape memory shape) private pure returns (uint256 count) {
        for (uint256 i = 0; i < shape.codes.length; ++i) {
            count += shape.codes[i].samples + shape.codes[i].queries.count;
        }
    }
}

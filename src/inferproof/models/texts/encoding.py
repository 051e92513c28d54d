"""Texts that become others, words, numbers or counts."""

import math

import numpy as np
from onnx import NodeProto, TensorProto, helper, numpy_helper

from inferproof.models.operators import ML_DOMAIN
from inferproof.models.show import shown
from inferproof.models.texts.front import MAX_CODE, Front, Json, Shape, moves
from inferproof.models.texts.patterns import Pattern, separated_pattern, word_pattern
from inferproof.models.texts.reading import (
    MAX_TEXTS,
    distinct,
    floats,
    invalid,
    number,
    numbers,
    real,
    refused,
    string,
    strings,
)


@moves("StringNormalizer")
def _normalizer(front: Front, node: NodeProto) -> None:
    given = front.read(node)
    case = string(node, "case_change_action", "NONE").lower()
    if case not in ("none", "lower", "upper"):
        raise invalid(node, "its case_change_action is none of NONE, LOWER, UPPER")
    stop = front.known(node, "stopwords", once=False)
    if len(given) not in (1, 2) or (len(given) == 2 and given[0] != 1):
        raise invalid(node, "it reads one row of texts")
    if stop and given[-1] not in (1, -1):
        raise refused(node, "leaves columns out by what they hold", "give it one text at a time")
    as_is = number(node, "is_case_sensitive", 0) != 0
    stop = list(dict.fromkeys(stop))
    front.text(node, given, "normal", case=case, stop=stop, stop_as_is=as_is)


@moves("Tokenizer", "com.microsoft")
def _tokenizer(front: Front, node: NodeProto) -> None:
    given = front.read(node)
    if -1 in given or math.prod(given) != 1:
        raise refused(node, "splits several texts", "give each text an input of its own")
    if number(node, "mark", 0):
        raise refused(node, "marks the ends of texts", "export it with mark=0")
    expression = string(node, "tokenexp", "")
    apart = strings(node, "separators")
    pattern = word_pattern(expression) if expression else separated_pattern(apart)
    if pattern is None:
        told = shown(expression or " ".join(apart))
        raise refused(
            node,
            f"splits texts by {told}",
            "split them by one class of characters, such as [a-zA-Z0-9_]+ or \\w\\w+",
        )
    least = max(number(node, "mincharnum", 1), 1)
    if least > 1 and not pattern.runs:
        raise refused(
            node, "splits texts into characters, and asks for longer ones", "mincharnum=1"
        )
    _words(front, node, given, pattern, least)


def _words(front: Front, node: NodeProto, given: Shape, pattern: Pattern, least: int) -> None:
    least = min(max(pattern.least, least), 4096)
    flat = [end for pair in pattern.characters for end in pair]
    front.text(node, (*given, -1), "words", characters=flat, runs=pattern.runs, least=least)


@moves("OneHotEncoder", ML_DOMAIN)
def _one_hot(front: Front, node: NodeProto) -> None:
    known = front.known(node, "cats_strings")
    if not known:
        raise invalid(node, "it encodes texts and knows none")
    shape = (*front.read(node), len(known))
    if math.prod(shape) > 2**20:
        raise refused(node, f"makes {math.prod(shape)} numbers", "encode fewer categories")
    strict = number(node, "zeros", 1) == 0
    front.number(node, TensorProto.FLOAT, shape, "one_hot", known=known, refuse_unknown=strict)


@moves("LabelEncoder", ML_DOMAIN)
def _label_encoder(front: Front, node: NodeProto) -> None:
    known = front.known(node, "keys_strings")
    values = strings(node, "values_strings")
    whole, fitted = numbers(node, "values_int64s"), floats(node, "values_floats")
    if not known:
        known = front.known(node, "classes_strings")  # its first version
        whole = tuple(range(len(known)))
    if not known or len(known) not in (len(values), len(whole), len(fitted)):
        raise invalid(node, "it has another number of texts than of values for them")
    if values:
        unknown = string(node, "default_string", "_Unused")
        names = front.known(node, "values_strings", once=False)
        shape = front.read(node)
        front.text(node, shape, "rename", known=known, names=names, unknown=unknown)
    elif whole:
        _coded(front, node, known, list(whole), number(node, "default_int64", -1))
    else:
        _fitted(front, node, known, [*fitted, real(node, "default_float", 0.0)])


@moves("CategoryMapper", ML_DOMAIN)
def _mapper(front: Front, node: NodeProto) -> None:
    known, whole = front.known(node, "cats_strings"), numbers(node, "cats_int64s")
    if not known or len(known) != len(whole):
        raise invalid(node, "it has another number of texts than of numbers for them")
    _coded(front, node, known, list(whole), number(node, "default_int64", -1))


def _coded(front: Front, node: NodeProto, known: list[str], whole: list[int], unknown: int) -> None:
    if any(abs(one) > MAX_CODE for one in (*whole, unknown)):
        raise refused(node, f"makes numbers beyond {MAX_CODE}", "number categories from 0")
    shape = front.read(node)
    more = {"known": known, "numbers": whole, "unknown": unknown}
    front.number(node, TensorProto.INT64, shape, "number", **more)


def _fitted(front: Front, node: NodeProto, known: list[str], table: list[float]) -> None:
    """Fitted values stay in the graph: the text becomes a place in their table."""
    made, shape = node.output[0], front.read(node)
    place, values = f"{made}/place", f"{made}/values"
    node.output[0] = place
    numbered = {"numbers": list(range(len(known))), "unknown": len(known)}
    front.number(node, TensorProto.INT64, shape, "number", known=known, **numbered)
    tensor = numpy_helper.from_array(np.array(table, "<f4"), values)
    front.graph.initializer.append(tensor)
    front.added.append(helper.make_node("Gather", [values, place], [made], axis=0))


@moves("TfIdfVectorizer")
def _tfidf(front: Front, node: NodeProto) -> None:
    given = front.read(node)
    if len(given) not in (1, 2) or (len(given) == 2 and given[0] != 1):
        raise invalid(node, "it reads one row of words")
    mode = string(node, "mode", "TF")
    if mode not in ("TF", "IDF", "TFIDF"):
        raise invalid(node, "its mode is none of TF, IDF, TFIDF")
    pool = front.known(node, "pool_strings", once=False)
    sizes, columns = _terms(node, pool)
    shortest, longest = (number(node, f"{which}_gram_length", 1) for which in ("min", "max"))
    skip = number(node, "max_skip_count", 0)
    if not 1 <= shortest <= longest <= 16 or not 0 <= skip <= 16 or len(sizes) > 16:
        raise refused(node, "counts terms of more than 16 words or skips", "count shorter ones")
    if longest > len(sizes):
        raise invalid(node, "its terms are longer than those in its pool")
    weights = floats(node, "weights")
    if weights and len(weights) != len(columns):
        raise invalid(node, "it has another number of weights than of terms")
    if mode != "TF" and weights:
        _weighted(front, node, columns, weights)
    more: Json = {"pool": pool, "sizes": list(sizes), "columns": list(columns)}
    more |= {"shortest": shortest, "longest": longest, "skip": skip, "once": mode == "IDF"}
    front.step(node, "count", **more)
    shape = (*given[:-1], max(columns) + 1)
    front.made.append((node.output[0], TensorProto.FLOAT, shape))


def _terms(node: NodeProto, pool: list[str]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Where terms of each length begin in the pool, and the column of each term."""
    sizes, columns = numbers(node, "ngram_counts"), numbers(node, "ngram_indexes")
    if not pool or not sizes or not columns:
        raise invalid(node, "it lacks a pool of texts, or where its terms are")
    ends = (*sizes[1:], len(pool))
    spans = [(a, b, n) for n, (a, b) in enumerate(zip(sizes, ends, strict=True), 1)]
    whole_terms = all(0 <= a <= b and (b - a) % n == 0 for a, b, n in spans)
    if sizes[0] != 0 or not whole_terms or sum((b - a) // n for a, b, n in spans) != len(columns):
        raise invalid(node, "its pool, ngram_counts and ngram_indexes do not fit each other")
    distinct(node, "ngram_indexes", columns)
    if min(columns) < 0 or max(columns) >= MAX_TEXTS:
        raise invalid(node, f"its ngram_indexes are not from 0 to {MAX_TEXTS - 1}")
    return sizes, columns


def _weighted(
    front: Front, node: NodeProto, columns: tuple[int, ...], weights: tuple[float, ...]
) -> None:
    """The weights of counted terms stay in the graph, as a product with the counts."""
    made = node.output[0]
    row = np.zeros(max(columns) + 1, "<f4")
    row[list(columns)] = weights
    name, count = f"{made}/weights", f"{made}/count"
    front.graph.initializer.append(numpy_helper.from_array(row, name))
    front.added.append(helper.make_node("Mul", [count, name], [made]))
    node.output[0] = count

"""Forms in pads, and the equations that the second verifier records."""

import pytest

from inferproof.second_verifier.field import ONE, ZERO, Element, lift
from inferproof.second_verifier.field import add as plain_add
from inferproof.second_verifier.field import mul as plain_mul
from inferproof.second_verifier.private.layout import cut
from inferproof.second_verifier.private.record import Count, Record
from inferproof.second_verifier.private.relation import RelationProof, relate, variables_of
from inferproof.second_verifier.reader import Rejected
from inferproof.second_verifier.relations.claims import Messages
from inferproof.second_verifier.relations.values import Form, Value, add, mul, scale, sub
from inferproof.second_verifier.transcript import Transcript

PADS = [lift(11), lift(-3), (5, 4, 3, 2, 1)]
SENT = [lift(40), lift(7), lift(100)]


def hidden(value: Value, pads: list[Element]) -> Element:
    """What a form stands for."""
    if not isinstance(value, Form):
        return value
    found = value.known
    for pad, coefficient in value.pads.items():
        found = plain_add(found, plain_mul(coefficient, pads[pad]))
    return found


def test_forms_are_computed_with_as_what_they_hide() -> None:
    a, b, _ = Record(SENT, Transcript()).take(3, "claims")
    known = (1, 2, 0, 0, 9)
    assert hidden(a, PADS) == lift(29)
    assert hidden(add(a, b), PADS) == lift(39)
    assert hidden(sub(known, a), PADS) == add(known, lift(-29))
    assert hidden(scale(b, 5), PADS) == lift(50)
    assert hidden(mul(known, a), PADS) == scale(known, 29)


def test_two_hidden_values_are_not_multiplied() -> None:
    a, b, _ = Record(SENT, Transcript()).take(3, "claims")
    with pytest.raises(TypeError):
        mul(a, b)


def test_a_pad_that_has_cancelled_still_hides() -> None:
    record = Record(SENT, Transcript())
    (a,) = record.take(1, "claims")
    record.equal(add(sub(a, a), ONE), ZERO, "one is zero")
    assert record.linear == [Form(ONE, {0: ZERO})]


def test_known_values_are_compared_at_once() -> None:
    record = Record(SENT, Transcript())
    record.equal(ONE, ONE, "equal")
    assert not record.linear
    with pytest.raises(Rejected, match="REDUCTION_MISMATCH"):
        record.equal(ONE, ZERO, "one is zero")


def test_a_product_with_a_known_factor_is_part_of_the_result() -> None:
    record = Record(SENT, Transcript())
    a, b, c = record.take(3, "claims")
    record.products([(ONE, a), (a, b)], c, "mixed")
    (equation,) = record.quadratic
    assert equation.pairs == [(a, b)]
    assert hidden(equation.result, PADS) == sub(hidden(c, PADS), lift(29))
    record.products([(ONE, a), (b, ONE)], c, "linear")
    (form,) = record.linear
    assert hidden(form, PADS) == sub(hidden(c, PADS), lift(39))


def test_values_in_the_clear_are_checked_as_they_are() -> None:
    messages = Messages([lift(6), lift(7), lift(42)], Transcript())
    a, b, c = messages.take(3, "claims")
    messages.products([(a, b)], c, "a product")
    with pytest.raises(Rejected, match="a sum"):
        messages.products([(a, b), (a, ONE)], c, "a sum")


def test_what_a_proof_must_have_is_counted_without_one() -> None:
    count = Count()
    a, b = count.take(2, "claims")
    count.products([(a, b), (b, a)], ONE, "two products")
    count.equal(ONE, ZERO, "nothing is known of it")
    count.equal(a, ONE, "linear")
    count.sumcheck(2, 3, a)
    assert (count.count, count.factors, len(count.linear), count.degrees) == (8, 2, 1, 6)


def forms_of(
    record: Record, proof: RelationProof, values: list[Element]
) -> tuple[list[Element], list[Form]]:
    found = relate(proof, record.quadratic, len(SENT), Transcript())
    return [hidden(form, values) for form in found], found


def test_the_ends_of_a_relation_proof_name_factors_spares_and_masks() -> None:
    record = Record(SENT, Transcript())
    a, b, c = record.take(3, "claims")
    record.products([(a, b)], c, "a product")
    variables = variables_of(record.factors)
    assert variables == 1
    zero = RelationProof(ZERO, [[ZERO] * 3] * variables, [ZERO, ZERO])
    spares = [ONE] * (2 + 4 * variables)
    (left, right, _), forms = forms_of(record, zero, [*PADS, *spares])
    # One row of the product and one of the dummy: both factors are between 29, or 10, and 1.
    assert [set(form.pads) for form in forms] == [{0, 3}, {1, 4}, {2, 5, 6, 7, 8}]
    row = forms[0].pads[3]
    assert left == add(scale(sub(ONE, row), 29), row)
    assert right == add(scale(sub(ONE, row), 10), row)
    other = RelationProof(ZERO, [[ZERO] * 3] * variables, [left, right])
    # Sent as they are they would be absorbed, which is after the point is drawn.
    (left, right, _), _ = forms_of(record, other, [*PADS, *spares])
    assert (left, right) == (ZERO, ZERO)


def test_columns_hold_as_many_cells_as_there_are() -> None:
    assert cut(1) == cut(256) == [8]
    assert cut(257) == [8, 8]
    assert cut(3000) == [11, 9, 8, 8]
    assert sum(1 << variables for variables in cut(3000)) >= 3000

"""What holds for every loss; a loss added to `cases.py` is tested by this."""

import keras
import numpy as np
import pytest
from cases import CASES
from on_backend import value_and_gradient

from tf_distill import losses

WHERE = np.array(
    [[1, 1, 1, 0, 0], [1, 0, 1, 0, 1], [0, 0, 0, 0, 0], [1, 1, 1, 1, 1]]
)

every_loss = pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)


def test_none_is_left_out():
    public = {
        cls
        for name in losses.__all__
        if isinstance(cls := getattr(losses, name), type)
    }
    tested = {type(case.loss) for case in CASES}
    # Of next sentence there is one value an example and no mask at all.
    untested = {losses.DistillationLoss, losses.NextSentenceCrossEntropy}
    assert tested == public - untested


@every_loss
def test_function_equals_numpy(case):
    teacher, student = case.pair()
    found = case.function(teacher, student)
    assert found.dtype == "float32"
    np.testing.assert_allclose(
        found, case.numpy(teacher, student), rtol=1e-6, atol=1e-6
    )


@every_loss
@pytest.mark.parametrize("where", [WHERE, None], ids=["masked", "whole"])
def test_class_equals_numpy(case, where):
    teacher, student = case.pair()
    expected = case.per_example(teacher, student, where)
    found = case.loss.per_example(
        *(x.astype("float32") for x in (teacher, student)), where
    )
    assert found.shape == (4,)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)
    weights = np.array([0.5, 2.0, 3.0, 0.0])
    np.testing.assert_allclose(
        case.loss(teacher, student, where=where),
        expected.mean(),
        rtol=1e-6,
        atol=1e-6,
    )
    np.testing.assert_allclose(
        case.loss(teacher, student, sample_weight=weights, where=where),
        (expected * weights).sum() / 4,
        rtol=1e-6,
        atol=1e-6,
    )


@pytest.mark.parametrize(
    "case",
    [c for c in CASES if c.loss.__module__.endswith("logits")],
    ids=lambda case: case.id,
)
def test_logits_of_an_example_need_no_axis_of_tokens(case):
    # B and C are equal: a weight laid along C would have a shape that fits.
    teacher, student = (x[:, 0] for x in case.pair(b=4, c=4))  # (B, C)
    expected = case.numpy(teacher, student)
    assert expected.shape == (4,)
    np.testing.assert_allclose(
        case.loss.per_example(teacher, student), expected, rtol=1e-6, atol=1e-6
    )
    for row in range(4):
        for shape in ((4,), (4, 1)):
            weights = np.eye(4)[row].reshape(shape)
            np.testing.assert_allclose(
                case.loss(teacher, student, sample_weight=weights),
                expected[row] / 4,
                rtol=1e-5,
                atol=1e-6,
            )


@every_loss
def test_where_is_as_good_as_cutting(case):
    teacher, student = case.pair(b=1)
    for where in WHERE[[0, 1, 3]] > 0:
        cut = case.loss(*(case.select(x, where) for x in (teacher, student)))
        found = case.loss(teacher, student, where=where[None])
        np.testing.assert_allclose(found, cut, rtol=1e-6)


@every_loss
@pytest.mark.parametrize("value", [7.0, np.inf])
def test_unchanged_by_more_padding(case, value):
    teacher, student = (x.astype("float32") for x in case.pair())
    more = (case.padded(x, 3, value) for x in (teacher, -student))
    wide, other = more
    padding = np.pad(WHERE, ((0, 0), (0, 3)))
    np.testing.assert_allclose(
        case.loss.per_example(wide, other, padding),
        case.loss.per_example(teacher, -student, WHERE),
        rtol=1e-6,
    )


@every_loss
def test_gradient_against_differences_and_none_from_padding(case):
    teacher, student = case.pair()
    value, gradient = value_and_gradient(
        lambda x: case.loss(teacher, x, where=WHERE), student
    )
    expected = case.per_example(teacher, student, WHERE).mean()
    np.testing.assert_allclose(value, expected, rtol=1e-5, atol=1e-6)
    assert np.isfinite(gradient).all()
    assert not gradient[2].any()  # the row that is all padding
    step = np.random.default_rng(1).normal(size=student.shape) * 1e-5
    up, down = (
        case.per_example(teacher, student + sign * step, WHERE).mean()
        for sign in (1, -1)
    )
    np.testing.assert_allclose(
        (gradient * step).sum(), (up - down) / 2, rtol=1e-3
    )


@every_loss
def test_constant_and_zero_tensors_have_finite_gradients(case):
    teacher, _ = case.pair()
    for value in (0.0, 1.0):
        loss, gradient = value_and_gradient(
            lambda x: case.loss(teacher, x, where=WHERE),
            np.full(case.pair()[1].shape, value),
        )
        assert np.isfinite(loss)
        assert np.isfinite(gradient).all()


@every_loss
def test_a_row_s_weight_never_meets_another_axis(case):
    # B, T and C (or H) are equal: a weight laid along the wrong one would go
    # unnoticed by shapes.
    teacher, student = case.pair(b=4, t=4, c=4)
    where = np.array([[1, 1, 1, 1], [1, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 0]])
    for row in range(4):
        weights = np.eye(4)[row]
        for mask in (None, where):
            expected = case.per_example(teacher, student, mask)[row] / 4
            for shape in ((4,), (4, 1)):
                found = case.loss(
                    teacher,
                    student,
                    sample_weight=weights.reshape(shape),
                    where=mask,
                )
                np.testing.assert_allclose(found, expected, rtol=1e-5)


@every_loss
def test_the_order_of_the_batch_does_not_matter(case):
    teacher, student = (x.astype("float32") for x in case.pair())
    order = np.array([2, 0, 3, 1])
    np.testing.assert_allclose(
        case.loss.per_example(teacher[order], student[order], WHERE[order]),
        np.asarray(case.loss.per_example(teacher, student, WHERE))[order],
        rtol=1e-6,
    )


@pytest.mark.parametrize(
    "case",
    [c for c in CASES if c.kind != "words"],  # a label is no tensor of logits
    ids=lambda case: case.id,
)
def test_least_at_the_teacher(case):
    teacher, student = case.pair()
    best = case.loss(teacher, teacher)
    for share in (0.01, 0.1, 1.0):
        worse = case.loss(teacher, teacher + share * (student - teacher))
        assert worse > best


@every_loss
def test_round_trip_through_its_config(case):
    loss = type(case.loss)(
        **{**case.loss.get_config(), "name": "mine", "reduction": "sum"}
    )
    again = keras.losses.deserialize(keras.losses.serialize(loss))
    assert type(again) is type(loss)
    assert again.get_config() == loss.get_config()
    teacher, student = case.pair()
    np.testing.assert_allclose(
        again(teacher, student, where=WHERE),
        case.per_example(teacher, student, WHERE).sum(),
        rtol=1e-6,
    )


@every_loss
def test_half_precision_in_float32_out(case):
    teacher, student = (
        keras.ops.cast(x, "bfloat16") for x in case.pair(seed=3)
    )
    rounded = [np.asarray(x).astype("float64") for x in (teacher, student)]
    values = case.function(teacher, student)
    assert values.dtype == "float32"
    np.testing.assert_allclose(
        values, case.numpy(*rounded), rtol=1e-6, atol=1e-6
    )
    reduced = case.loss(teacher, student)
    assert reduced.dtype == "float32"
    np.testing.assert_allclose(
        reduced, case.per_example(*rounded).mean(), rtol=1e-6
    )

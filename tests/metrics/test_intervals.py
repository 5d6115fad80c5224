import numpy as np
import pytest

from tf_distill.metrics import accuracy, paired_interval

N = 1500


def fast_accuracy(labels, predictions):
    return np.mean(labels == predictions)


def predictions(chance, seed, shape=N):
    """Of label 0, right with a given chance; 1 is wrong."""
    drawn = np.random.default_rng(seed).random(shape)
    return (drawn >= chance).astype(int)


LABELS = np.zeros(N, int)


@pytest.mark.parametrize(("level", "z"), [(0.95, 1.96), (0.68, 0.9945)])
def test_independent_rows_have_a_known_error(level, z):
    first, second = predictions(0.8, 1), predictions(0.7, 2)
    difference, low, high = paired_interval(
        fast_accuracy, LABELS, first, second, level=level, resamples=3000
    )
    assert difference == pytest.approx(second.mean() - first.mean())
    # A row's difference is +1, 0 or -1; the mean's error is analytic.
    error = np.std(second - first) / np.sqrt(N)
    np.testing.assert_allclose(
        [low - difference, high - difference],
        [-z * error, z * error],
        rtol=0.1,
    )
    # And that of the two Bernoullis, of which the rows are one draw.
    expected = np.sqrt((0.8 * 0.2 + 0.7 * 0.3) / N)
    np.testing.assert_allclose((high - low) / (2 * z), expected, rtol=0.1)


def test_what_both_get_wrong_does_not_widen():
    hard = predictions(0.5, 1)
    other = hard.copy()
    # Ten rows of which the second gets what the first does not.
    other[np.flatnonzero(hard)[:10]] = 0
    difference, low, high = paired_interval(fast_accuracy, LABELS, hard, other)
    assert difference == pytest.approx(-10 / N)
    # Ten rare rows: Poisson, error √10 / N; unpaired it would be √(N/2) / N.
    assert (high - low) / (2 * 1.96) == pytest.approx(10**0.5 / N, rel=0.15)
    assert high < 0


def test_seeds_are_averaged_and_drawn():
    # Seeds that are right or wrong throughout: only the seeds vary.
    rows = np.zeros((4, 100), int)
    first = rows.copy()
    first[:2] = 1
    difference, low, high = paired_interval(
        fast_accuracy, LABELS[:100], first, rows
    )
    assert difference == -0.5
    # Of four drawn seeds k are wrong with binomial chance: k = 0 or 4 each
    # has 1/16 > 2.5 %, so both ends are reached.
    assert (low, high) == (-1.0, 0.0)
    # Equal seeds are no more certain than one.
    one, two = predictions(0.8, 1, 300), predictions(0.7, 2, 300)
    alone = paired_interval(
        fast_accuracy, LABELS[:300], one, two, resamples=2000
    )
    repeated = paired_interval(
        fast_accuracy, LABELS[:300], [one] * 3, [two] * 3, resamples=2000
    )
    np.testing.assert_allclose(repeated, alone, atol=0.01)


def test_a_seed_repeats_it():
    first, second = predictions(0.8, 1, 50), predictions(0.7, 2, 50)
    draws = [
        paired_interval(
            accuracy, LABELS[:50], first, second, resamples=40, seed=seed
        )
        for seed in (0, 0, 1)
    ]
    assert draws[0] == draws[1] != draws[2]
    swapped = paired_interval(
        accuracy, LABELS[:50], second, first, resamples=40
    )
    np.testing.assert_allclose(
        swapped, [-draws[0][0], -draws[0][2], -draws[0][1]], atol=1e-12
    )


@pytest.mark.parametrize(
    ("first", "second"), [((9,), (9,)), ((10,), (9,)), ((2, 10), (3, 10))]
)
def test_shapes_that_do_not_fit(first, second):
    with pytest.raises(ValueError, match=r"do not fit 10 labels.*\(seeds, N\)"):
        paired_interval(
            fast_accuracy, LABELS[:10], np.zeros(first), np.zeros(second)
        )


def test_an_interval_of_nothing():
    rows = np.zeros(10, int)
    for options in ({"level": 95}, {"level": 0}, {"resamples": 0}):
        with pytest.raises(ValueError, match="level between 0 and 1"):
            paired_interval(fast_accuracy, rows, rows, rows, **options)
    with pytest.raises(ValueError, match="0 labels"):
        paired_interval(fast_accuracy, rows[:0], rows[:0], rows[:0])

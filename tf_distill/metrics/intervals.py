"""Confidence intervals of paired differences.

Letters: N examples, S seeds.
"""

import numpy as np


def paired_interval(
    score, labels, first, second, *, level=0.95, resamples=1000, seed=0
):
    """Bootstrap interval of `score(first) - score(second)` on the same rows.

    Examples are drawn with replacement, the same ones for both models and all
    seeds, so what makes a row hard for both does not widen the interval.

    Args:
        score: callable of `(labels, predictions)`.
        labels: int, `(N,)`.
        first, second: int predictions, `(N,)`, or `(S, N)` of several seeds;
            the difference is then the mean over the seeds, and seeds are
            drawn with replacement too.
        level: float, coverage.
        resamples: int, number of draws.
        seed: int.

    Returns:
        `(difference, low, high)`.

    Raises:
        ValueError: the shapes do not fit, there are no rows or draws, or
            `level` is no share.

    Example:
        >>> from tf_distill.metrics import accuracy, paired_interval
        >>> labels, right = [0, 1] * 50, [0, 1] * 50
        >>> paired_interval(accuracy, labels, right, right)
        (0.0, 0.0, 0.0)
    """
    labels = np.asarray(labels)
    first, second = np.atleast_2d(first), np.atleast_2d(second)
    if first.shape != second.shape or first.shape[1] != labels.shape[0]:
        raise ValueError(
            f"{first.shape} and {second.shape} predictions do not fit "
            f"{labels.shape[0]} labels: give (N,) or (seeds, N) of the same "
            "rows for both."
        )
    if not (len(labels) and resamples >= 1 and 0 < level < 1):
        raise ValueError(
            f"{len(labels)} labels, resamples={resamples}, level={level}: "
            "expected at least one of the first two, and a level between 0 "
            "and 1, such as 0.95."
        )

    def difference(rows, seeds):
        return np.mean(
            [
                score(labels[rows], first[s, rows])
                - score(labels[rows], second[s, rows])
                for s in seeds
            ]
        )

    generator = np.random.default_rng(seed)
    num_seeds, num_rows = first.shape
    draws = [
        difference(
            generator.integers(num_rows, size=num_rows),
            generator.integers(num_seeds, size=num_seeds),
        )
        for _ in range(resamples)
    ]
    tail = 100 * (1 - level) / 2
    low, high = np.percentile(draws, [tail, 100 - tail])
    observed = difference(np.arange(num_rows), range(num_seeds))
    return float(observed), float(low), float(high)

"""Which teacher block each student block learns from.

Letters, as in TinyBERT: M student blocks, N teacher blocks.
"""

import collections.abc


def layer_map(how, num_student_layers, num_teacher_layers):
    """The teacher block of every student block, counted from 0.

    Args:
        how: `"uniform"`, every N/M-th block, the last with the last (where M
            does not divide N, the nearest block); `"top"`, the last M;
            `"bottom"`, the first M; `"skip"` and `"last"`, BERT-PKD's, which
            are uniform and top without the last pair, as the labels train
            the last block; a sequence with a teacher block, or None for no
            match, for each student block; or a mapping of student blocks to
            teacher blocks, in which the others have no match.
        num_student_layers: int, M.
        num_teacher_layers: int, N.

    Returns:
        list of `(student block, teacher block)`.

    Raises:
        ValueError: an unknown map, one of the wrong length, or a block that
            the student or the teacher does not have.

    Example:
        >>> from tf_distill.distillation import layer_map
        >>> layer_map("uniform", 4, 12)
        [(0, 2), (1, 5), (2, 8), (3, 11)]
        >>> layer_map("last", 4, 12)
        [(0, 8), (1, 9), (2, 10)]
        >>> layer_map([0, None, 5], 3, 6)
        [(0, 0), (2, 5)]
        >>> layer_map({0: 2, 1: 5}, 3, 6)
        [(0, 2), (1, 5)]

    Reference: Jiao et al. 2020, section 4.4 and table 5; Sun et al. 2019,
    https://arxiv.org/abs/1908.09355.
    """
    m, n = num_student_layers, num_teacher_layers
    blocks = _blocks(how, m, n)
    if len(blocks) != m:
        raise ValueError(
            f"The layer map {blocks} has {len(blocks)} entries, but the "
            f"student has {m} blocks: give one for each (None for no match)."
        )
    pairs = [(s, t) for s, t in enumerate(blocks) if t is not None]
    if not pairs:
        raise ValueError(
            f"The layer map {how!r} matches no block of a student with {m}: "
            "give at least one."
        )
    outside = [t for _, t in pairs if t not in range(n)]
    if outside:
        raise ValueError(
            f"The layer map {blocks} names teacher blocks {outside}, but the "
            f"teacher has blocks 0 to {n - 1}: {_mend(how, m, n)}"
        )
    return pairs


def _mend(how, m, n):
    """What to do about a teacher block that there is not."""
    if isinstance(how, str):
        return (
            f"{how!r} is for a student of no more blocks than its teacher's "
            f'{n}, and this one has {m}. Use "uniform", or name the blocks.'
        )
    return (
        "give one of these, or None for no match. Blocks are counted from 0, "
        f"so the last is {n - 1}, not {n} or -1."
    )


def _blocks(how, m, n):
    """A teacher block, or None, for each of M student blocks."""
    # A student that is deeper than its teacher begins with the first block.
    uniform = [max(round((s + 1) * n / m) - 1, 0) for s in range(m)]
    top = [s + n - m for s in range(m)]
    named = {
        "uniform": uniform,
        "top": top,
        "bottom": list(range(m)),
        "skip": [*uniform[:-1], None],
        "last": [*top[:-1], None],
    }
    if isinstance(how, str):
        if how not in named:
            raise ValueError(
                f"There is no layer map {how!r}: use one of "
                f"{', '.join(named)}, a list of teacher blocks, or a mapping "
                "of student to teacher blocks."
            )
        return named[how]
    if isinstance(how, collections.abc.Mapping):
        unknown = [s for s in how if s not in range(m)]
        if unknown:
            raise ValueError(
                f"The layer map {how} names student blocks {unknown}, but the "
                f"student has blocks 0 to {m - 1}: the keys are the student's, "
                "the values the teacher's, both counted from 0."
            )
        return [how.get(s) for s in range(m)]
    return list(how)

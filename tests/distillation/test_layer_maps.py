import pytest

from tf_distill.distillation import layer_map


@pytest.mark.parametrize(
    ("how", "m", "n", "teacher_blocks"),
    [
        # TinyBERT's code, counted from 0: (i + 1) * N / M - 1.
        ("uniform", 4, 12, [2, 5, 8, 11]),
        ("uniform", 6, 12, [1, 3, 5, 7, 9, 11]),
        ("uniform", 3, 3, [0, 1, 2]),
        ("uniform", 1, 12, [11]),
        # Its ablation: g(m) = m + N - M, and g(m) = m.
        ("top", 4, 12, [8, 9, 10, 11]),
        ("bottom", 4, 12, [0, 1, 2, 3]),
        ((1, 0), 2, 2, [1, 0]),
        # Deeper than the teacher.
        ("uniform", 4, 2, [0, 0, 1, 1]),
        ("uniform", 6, 2, [0, 0, 0, 0, 1, 1]),
    ],
)
def test_maps_of_the_paper(how, m, n, teacher_blocks):
    assert layer_map(how, m, n) == list(enumerate(teacher_blocks))


@pytest.mark.parametrize(
    ("how", "m", "n", "teacher_blocks"),
    [
        # BERT-PKD's code, counted from 0.
        ("skip", 6, 12, [1, 3, 5, 7, 9]),
        ("skip", 3, 12, [3, 7]),
        ("last", 6, 12, [6, 7, 8, 9, 10]),
        ("last", 3, 12, [9, 10]),
        ("last", 4, 4, [0, 1, 2]),
    ],
)
def test_pkd_leaves_the_last_block_to_the_labels(how, m, n, teacher_blocks):
    assert layer_map(how, m, n) == list(enumerate(teacher_blocks))


@pytest.mark.parametrize(("m", "n"), [(4, 6), (5, 12), (7, 8), (2, 3)])
def test_uniform_where_m_does_not_divide_n(m, n):
    blocks = [teacher for _, teacher in layer_map("uniform", m, n)]
    assert blocks[-1] == n - 1
    assert blocks == sorted(set(blocks))
    for student, teacher in enumerate(blocks):
        assert abs((teacher + 1) - (student + 1) * n / m) <= 0.5


def test_a_block_may_have_no_match():
    assert layer_map([None, 3, None], 3, 6) == [(1, 3)]


@pytest.mark.parametrize(
    ("how", "m", "n", "message"),
    [
        ("middle", 2, 4, "no layer map 'middle': use one of uniform, top"),
        ([0], 2, 4, r"\[0\] has 1 entries, but the student has 2 blocks"),
        (
            [0, 4],
            2,
            4,
            r"teacher blocks \[4\], but .* blocks 0 to 3: give one of these, "
            "or None.*counted from 0, so the last is 3, not 4 or -1",
        ),
        ([-1, 0], 2, 4, r"teacher blocks \[-1\], .*the last is 3, not 4 or -1"),
        ({0: 1, 1: 7}, 2, 4, r"teacher blocks \[7\], .*give one of these"),
        (
            {0: 1, 2: 3},
            2,
            4,
            r"student blocks \[2\], but .* blocks 0 to 1: the keys are the "
            "student's, the values the teacher's, both counted from 0",
        ),
        (
            "top",
            3,
            2,
            r"teacher blocks \[-1\], .*: 'top' is for a student of no more "
            'blocks than its teacher\'s 2, and this one has 3. Use "uniform"',
        ),
        ("bottom", 3, 2, r"teacher blocks \[2\], .*Use \"uniform\", or name"),
        ([None, None], 2, 4, "matches no block"),
        ("skip", 1, 12, "'skip' matches no block of a student with 1"),
        ("last", 4, 2, r"teacher blocks \[-2, -1\]"),
    ],
)
def test_what_is_no_map(how, m, n, message):
    with pytest.raises(ValueError, match=message):
        layer_map(how, m, n)

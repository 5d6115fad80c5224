import encoders
import numpy as np
import pytest
import tiny

from tf_distill.distillation import reduce_embeddings

WIDTH = 6


def tables(backbone):
    """Token, position and segment embeddings, float64."""
    found = (
        backbone.get_layer("token_embedding").embeddings,
        backbone.get_layer("position_embedding").position_embeddings,
        backbone.get_layer("segment_embedding").embeddings,
    )
    return [x.numpy().astype("float64") for x in found]


def pair(**sizes):
    teacher = tiny.backbone(1, hidden_dim=12)
    return tiny.backbone(2, hidden_dim=WIDTH, **sizes), teacher


def test_tokens_are_the_best_of_their_rank():
    student, teacher = pair()
    kept = reduce_embeddings(student, teacher)
    tokens, ours = tables(teacher)[0], tables(student)[0]
    left, lengths, _ = np.linalg.svd(tokens, full_matrices=False)
    # Eckart and Young: no Gram matrix of this rank is nearer.
    best = (left[:, :WIDTH] * lengths[:WIDTH] ** 2) @ left[:, :WIDTH].T
    np.testing.assert_allclose(ours @ ours.T, best, atol=1e-5)
    share = (lengths[:WIDTH] ** 2).sum() / (lengths**2).sum()
    np.testing.assert_allclose(kept, share, rtol=1e-6)
    assert 0.5 < share < 0.95


def test_positions_and_segments_go_the_same_way():
    student, teacher = pair()
    reduce_embeddings(student, teacher)
    theirs, ours = tables(teacher), tables(student)
    # Tokens span the space, so products with them tell all of the rest.
    _, _, right = np.linalg.svd(theirs[0], full_matrices=False)
    onto = right[:WIDTH].T @ right[:WIDTH]
    for table, found in zip(theirs[1:], ours[1:], strict=True):
        np.testing.assert_allclose(
            found @ ours[0].T, table @ onto @ theirs[0].T, atol=1e-5
        )


def test_a_student_with_more_or_fewer_positions():
    for length in (9, 15):
        student, teacher = pair(max_sequence_length=length)
        before = tables(student)[1]
        reduce_embeddings(student, teacher)
        theirs, ours = tables(teacher), tables(student)
        rows = min(length, 12)
        _, _, right = np.linalg.svd(theirs[0], full_matrices=False)
        onto = right[:WIDTH].T @ right[:WIDTH]
        np.testing.assert_allclose(
            ours[1][:rows] @ ours[0].T,
            theirs[1][:rows] @ onto @ theirs[0].T,
            atol=1e-5,
        )
        np.testing.assert_array_equal(ours[1][rows:], before[rows:])


def test_an_equal_width_keeps_everything():
    student, teacher = tiny.classifier(seed=1), tiny.classifier(seed=2)
    others = tiny.weights_of(student.head)
    teachers = tiny.weights_of(teacher)
    np.testing.assert_allclose(reduce_embeddings(student, teacher), 1.0)
    ours = np.concatenate(tables(student.backbone))
    theirs = np.concatenate(tables(teacher.backbone))
    np.testing.assert_allclose(ours @ ours.T, theirs @ theirs.T, atol=1e-5)
    tiny.assert_same_weights(others, tiny.weights_of(student.head))
    tiny.assert_same_weights(teachers, tiny.weights_of(teacher))


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        (
            {"hidden_dim": 14},
            "width 14 .* wider. .* at most 12, or leave this call out",
        ),
        ({"vocabulary_size": 21}, "21 words .* 20 of width 12: .* vocabulary"),
    ],
)
def test_what_does_not_fit_changes_nothing(sizes, message):
    student, teacher = tiny.backbone(1, **sizes), tiny.backbone(hidden_dim=12)
    before = tiny.weights_of(student)
    with pytest.raises(ValueError, match=message):
        reduce_embeddings(student, teacher)
    tiny.assert_same_weights(before, tiny.weights_of(student))


def test_a_distil_bert_has_no_segments_to_reduce():
    teacher = tiny.backbone(1, hidden_dim=12)
    bert = tiny.backbone(2, hidden_dim=WIDTH)
    distil = encoders.distil_bert(2, hidden_dim=WIDTH)
    kept = [reduce_embeddings(student, teacher) for student in (bert, distil)]
    assert kept[0] == kept[1]
    for name in ("token_embedding", "position_embedding"):
        np.testing.assert_array_equal(
            distil.get_layer(name).weights[0], bert.get_layer(name).weights[0]
        )


def test_a_mobile_bert_is_refused():
    student = encoders.mobile_bert()
    before = tiny.weights_of(student)
    with pytest.raises(ValueError, match="MobileBERT's words are narrower"):
        reduce_embeddings(student, tiny.backbone())
    tiny.assert_same_weights(before, tiny.weights_of(student))

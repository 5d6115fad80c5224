import numpy as np
import pytest

from tf_distill import losses


def test_tiny_bert_s_code_counts_padded_keys_as_zeros():
    # One head, three tokens of which the last is padding. Its code writes 0
    # over scores that carry the mask and takes the mean over all 9; the
    # paper's eq. 7 knows no padding, and ours counts the 4 pairs of tokens.
    teacher = np.array([[[[1.0, 2, 5], [3, 4, 6], [7, 8, 9]]]])
    student = np.array([[[[2.0, 2, 9], [3, 7, 1], [5, 8, 0]]]])
    mask = np.array([[1, 1, 0]])
    masked = [
        x + (1 - mask[:, None, None, :]) * -1e4 for x in (teacher, student)
    ]
    zeroed = [np.where(x <= -1e2, 0, x) for x in masked]
    code = ((zeroed[0] - zeroed[1]) ** 2).mean()
    assert code == pytest.approx((1 + 9 + 4) / 9)
    ours = losses.AttentionMSE()(*masked, where=mask)
    assert float(ours) == pytest.approx((1 + 9) / 4)
    np.testing.assert_allclose(
        ours, (code * 9 - 4) / 4, rtol=1e-6
    )  # without the padded query's 4


def test_heads_that_differ_are_named():
    with pytest.raises(ValueError, match=r"\(1, 2, 3, 3\).*as many heads"):
        losses.AttentionMSE()(np.zeros((1, 4, 3, 3)), np.zeros((1, 2, 3, 3)))

"""The heads' numbers against NumPy, on every backend.

The files that they are read from have tests of their own, which are run on
TensorFlow alone.
"""

import heads
import numpy as np
import pytest
import tiny
from test_heads_from_hugging_face import read, write


@pytest.mark.parametrize(
    "case",
    # Those have files of their own.
    [case for case in heads.CASES if case not in heads.CLASSIFIERS],
)
def test_against_numpy(tmp_path, case):
    family = heads.CASES[case][0]
    tensors = write(tmp_path, case)
    ours = read(tmp_path, case)
    everything = tiny.batch((3, 7, 4, 9), width=11)
    everything["mask_positions"] = np.array([[0, 2], [6, 1], [3, 3], [8, 0]])
    hidden, pooled = heads.numpy_encoder(family, tensors, everything)
    expected = heads.numpy_head(case, tensors, hidden, pooled, everything)
    found = heads.outputs_of(ours, {n: everything[n] for n in ours.input})
    assert set(found) == set(expected)
    for name in expected:
        np.testing.assert_allclose(
            found[name], expected[name], rtol=1e-4, atol=1e-4
        )
    if "TokenClassifier" in case:
        assert ours.label_names == ["a", "b", "c"]
    tokenizer = ours.preprocessor.tokenizer
    assert tokenizer.get_vocabulary() == tiny.WORDS

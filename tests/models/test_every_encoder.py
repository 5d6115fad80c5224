"""What holds of every encoder alone; of each task see test_every_head.py."""

import encoders
import keras
import numpy as np
import pytest
import tiny
from on_backend import compiled

from tf_distill import models

CASES = {
    "BertBackbone": tiny.backbone,
    "DistilBertBackbone": encoders.distil_bert,
    "MobileBertBackbone": encoders.mobile_bert,
    "IB-BERT": lambda **sizes: encoders.mobile_bert(
        **encoders.IB_BERT, **sizes
    ),
}


def test_none_is_left_out():
    assert set(CASES) - {"IB-BERT"} == {
        name for name in models.__all__ if name.endswith("Backbone")
    }


@pytest.mark.parametrize("case", CASES)
def test_one_graph_for_all_contents(case):
    ours = CASES[case](num_layers=1)
    traced = []

    @compiled
    def run(inputs):
        traced.append(inputs)
        return ours(inputs)

    # Ids, segments and lengths differ, an empty row among these.
    for seed, lengths in enumerate([(3, 5), (5, 1), (0, 5)]):
        inputs = tiny.batch(lengths, width=5, seed=seed)
        inputs = tiny.as_tensors({name: inputs[name] for name in ours.input})
        keras.tree.map_structure(
            lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5),
            run(inputs),
            ours(inputs),
        )
    assert len(traced) == 1

"""What a cache gives back where a row is padded."""

import numpy as np
import pytest
import tiny

import tf_distill as td

LENGTHS = np.array([3, 6, 5])


def answering(seed):
    encoder = tiny.backbone(seed, num_layers=1)
    return tiny.randomize(td.models.BertQuestionAnswering(encoder), seed)


def batches():
    offsets = np.concatenate([[0], np.cumsum(LENGTHS)])
    ids = np.arange(offsets[-1], dtype="int32") % 15 + 5
    encoded = td.data.Encoded(ids, 0 * ids, offsets, 8)
    return td.data.BucketedBatches(encoded, batch_size=3, shuffle=False)


def test_answers_cached_and_live_are_compared_alike(tmp_path):
    made = td.Distiller(
        answering(1),
        answering(2),
        [
            td.LogitMatch(td.losses.SoftKLDivergence(), output="start"),
            td.LogitMatch(td.losses.SoftCrossEntropy(2.0), output="end"),
        ],
    )
    made.compile("sgd", run_eagerly=True)
    cache = td.distillation.TeacherCache(
        tmp_path, made.teacher, [*made.teacher_signals, "hidden_states/0"]
    )
    cache.build(batches())
    # Of probabilities over all 8 positions the entropy would be larger.
    live = made.evaluate(batches(), verbose=0, return_dict=True)
    assert live["start_teacher_entropy"] < np.log(LENGTHS).mean()
    data = cache.over(batches())
    found = made.evaluate(data, verbose=0, return_dict=True)
    assert found == pytest.approx(live, rel=1e-4)
    inputs, *_ = data[0]
    signals = inputs["teacher"]
    padded = inputs["padding_mask"] == 0
    assert signals["output/start"].shape == padded.shape == (3, 8)
    assert (signals["output/start"][padded] == -10000).all()
    assert (signals["output/start"][~padded] > -100).all()
    assert (signals["hidden_states/0"][padded] == 0).all()

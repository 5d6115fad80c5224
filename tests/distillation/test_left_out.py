import keras
import numpy as np
import pytest
import tiny

import tf_distill as td


@pytest.mark.parametrize("signal", ["hidden_states", "layer/pooler"])
def test_a_pooler_is_trained_where_a_match_reads_it(signal):
    student, teacher = (
        tiny.randomize(td.models.BertTokenClassifier(tiny.backbone(), 3), seed)
        for seed in (1, 2)
    )
    match = td.LayerMatch("hidden_states", td.losses.HiddenMSE())
    if signal == "layer/pooler":
        match = td.SignalMatch(signal, signal, td.losses.LogitMSE())
    matches = [match, td.LogitMatch(td.losses.SoftCrossEntropy())]
    distiller = td.Distiller(student, teacher, matches)
    optimizer = keras.optimizers.AdamW(0.01, weight_decay=0.1)
    distiller.compile(optimizer, run_eagerly=True)
    before = tiny.weights_of(student.backbone.pooler)
    distiller.fit(tiny.batch(), shuffle=False, verbose=0)
    after = tiny.weights_of(student.backbone.pooler)
    left_alone = [
        np.array_equal(a, b) for a, b in zip(before, after, strict=True)
    ]
    assert left_alone == [signal == "hidden_states"] * 2
    assert student.backbone.pooler.trainable

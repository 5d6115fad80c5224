import keras
import numpy as np
import pairs
import pytest
import stage_run
import tiny
from by_hand import Data, built, ids, moved, total

import tf_distill as td
from tf_distill.methods import tiny_bert

INPUTS = tiny.batch()


def student(**kwargs):
    cls = td.models.TinyBertTextClassifier
    return tiny.classifier(seed=1, cls=cls, **kwargs)


def randomized(distiller):
    for seed, match in enumerate(distiller.matches[:2]):
        tiny.randomize(match.projections[0], seed)
    return distiller


def test_totals_by_hand():
    """Terms of weight 1 each, with a matrix for each kind of signal."""
    ours, theirs = student(), pairs.teacher()
    (general,) = tiny_bert.general(ours, theirs, Data())
    inner, prediction = tiny_bert.task(ours, theirs, Data(), temperature=2.0)
    for stage in (general, inner):
        made = randomized(built(stage))
        terms, _ = pairs.by_hand(made, INPUTS)
        names = ("embeddings", "hidden_states", "attention_scores")
        expected = sum(terms[name].mean() for name in names)
        np.testing.assert_allclose(total(made, INPUTS), expected, rtol=1e-5)
    found = total(built(prediction), INPUTS, pairs.LABELS)
    expected = terms["logits"].mean() / pairs.TEMPERATURE**2  # as eq. 10
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_each_stage_trains_what_it_reaches_and_nothing_else():
    ours, theirs = student(), pairs.teacher()
    stages = tiny_bert.task(
        ours,
        theirs,
        Data(),
        make_optimizer=lambda steps: keras.optimizers.AdamW(),
    )
    heads = ids(ours.backbone.pooler, ours.head)
    everything = ids(ours)
    for stage, expected in zip(
        stages, (everything - heads, everything), strict=True
    ):
        made = built(stage)
        before = tiny.weights_of(ours)
        kept = tiny.weights_of(theirs)
        projections = tiny.weights_of(made.matches[0])
        made.fit(INPUTS, batch_size=4, verbose=0)
        assert moved(ours, before) == expected
        tiny.assert_same_weights(kept, tiny.weights_of(theirs))
        if stage.name == "intermediate":
            after = tiny.weights_of(made.matches[0])
            assert not np.array_equal(projections[0], after[0])
    # No flag of the student was turned for that.
    assert all(weight.trainable for weight in ours.weights)


def test_defaults_are_the_paper_s():
    ours, theirs = student(), pairs.teacher()
    (general,) = tiny_bert.general(ours, theirs, Data())
    inner, prediction = tiny_bert.task(ours, theirs, Data())
    assert [s.epochs for s in (general, inner, prediction)] == [3, 20, 3]
    for stage, steps, rate in ((general, 30, 1e-4), (inner, 200, 5e-5)):
        schedule = stage.build().optimizer._learning_rate
        assert schedule.get_config() == {
            "learning_rate": rate,
            "total_steps": steps,
            "warmup_steps": steps // 10,
            "end_learning_rate": 0.0,
        }
    made = prediction.build()
    assert made.matches[0].loss.temperature == 1.0
    assert made.loss is None  # no labels


@pytest.mark.parametrize(
    "task, classes, loss",
    [
        ("regression", 1, td.losses.LogitMSE),
        ("multilabel", 3, td.losses.SoftSigmoidCrossEntropy),
        ("classification", 3, td.losses.SoftCrossEntropy),
    ],
)
def test_the_task_chooses_the_prediction_loss(task, classes, loss):
    made = td.models.TinyBertTextClassifier(tiny.backbone(), classes, task=task)
    assert type(tiny_bert.prediction_loss(made)) is loss


def test_data_of_unknown_length():
    stage = tiny_bert.general(student(), pairs.teacher(), iter([]))[0]
    with pytest.raises(ValueError, match="has no length"):
        stage.build()


def test_the_whole_method_runs(tmp_path):
    ours, theirs = student(num_layers=1), pairs.teacher(num_layers=2)
    data = stage_run.data()
    stages = tiny_bert.general(ours, theirs, data, epochs=1)
    stages += tiny_bert.task(
        ours, theirs, data, intermediate_epochs=1, prediction_epochs=1
    )
    for stage in stages:
        stage.build = lambda stage=stage, build=stage.build: _eager(build())
    history = td.run_stages(stages, tmp_path)
    assert list(history) == ["general", "intermediate", "prediction"]
    assert "accuracy" in history["prediction"]


def _eager(model):
    model.run_eagerly = True
    return model

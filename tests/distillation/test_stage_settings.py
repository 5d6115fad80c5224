"""What a stage's settings tell apart, and what they do not."""

import keras
import numpy as np
import pytest
import tiny

from tf_distill.distillation.stage_settings import differences, settings_of

X = np.arange(12, dtype="float32").reshape(4, 3)


def compiled(model=None, loss_weights=None):
    if model is None:
        x = keras.Input((3,))
        model = keras.Model(x, keras.layers.Dense(1)(x))
    model.compile("sgd", "mse", loss_weights=loss_weights)
    return model


def changed(before, after):
    return [line.split(" was ")[0] for line in differences(before, after)]


@pytest.mark.parametrize(
    "sizes", [{"num_heads": 4}, {"dropout": 0.3}, {"activation": "relu"}]
)
def test_layers_without_other_weights(sizes):
    first, again, other = (
        settings_of(compiled(tiny.classifier(seed, **{"dropout": 0.1, **x})), X)
        for seed, x in ((0, {}), (1, {}), (0, sizes))
    )
    assert changed(first, again) == []
    assert changed(first, other) == ["layers"]


def test_loss_weights():
    one, other = (
        settings_of(compiled(loss_weights=[x]), None) for x in (0.5, 0.9)
    )
    assert differences(one, other) == ["loss_weights.0 was 0.5 and is 0.9"]


def test_data_in_memory_counts_by_its_contents():
    model = compiled()

    def found(data, **fit):
        return settings_of(model, data, fit=fit)

    texts = np.array(["good", "bad"], object)
    for data, other in (
        (X, X + 1),
        ({"x": X}, {"x": X * 2}),
        ([X, X], [X, -X]),
        (texts, np.array(["good", "bed"], object)),
        (["good", "bad"], ["bad", "good"]),
        (keras.ops.convert_to_tensor(X), keras.ops.convert_to_tensor(-X)),
    ):
        before = found(data, y=data)
        assert changed(before, found(data, y=data)) == []
        lines = changed(before, found(other, y=other))
        assert {line.split(".")[0] for line in lines} == {"data", "fit"}
    # Not by its address.
    assert changed(found(texts), found(texts.copy())) == []


def test_what_fit_is_given():
    model = compiled()
    given = {"y": X, "batch_size": 2, "class_weight": {0: 1.0, 1: 1.0}}
    before = settings_of(model, X, fit=given)
    for change, expected in (
        ({"y": -X}, ["fit.y.contents"]),
        ({"batch_size": 4}, ["fit.batch_size"]),
        ({"class_weight": {0: 1.0, 1: 9.0}}, ["fit.class_weight.1"]),
        ({"callbacks": [keras.callbacks.History()], "verbose": 2}, []),
        ({"validation_data": (X, X)}, []),
    ):
        after = settings_of(model, X, fit={**given, **change})
        assert changed(before, after) == expected


def test_validation_data_counts_where_it_chooses_the_weights():
    def found(data, monitor):
        fit = {"validation_data": (data, data[:, 0])}
        return settings_of(compiled(), X, fit=fit, monitor=monitor)

    assert changed(found(X, "loss"), found(-X, "loss")) == []
    assert len(changed(found(X, "val_loss"), found(-X, "val_loss"))) == 2

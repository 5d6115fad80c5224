import keras
import numpy as np
import pytest
import tiny
from by_hand import ids, moved

import tf_distill as td
from tf_distill.distillation import tapped
from tf_distill.distillation.reached import reached as reached_by
from tf_distill.methods.trained_part import PartStudent


def reached(model, *wanted):
    """Names of the weights that some outputs depend on."""
    layers = [w for w in wanted if w != "output"]
    found = reached_by(tapped(model, layers), wanted)
    return [weight.path for weight in model.weights if id(weight) in found]


def test_what_is_reached_by_each_output():
    a, b = (keras.Input((3,), name=name) for name in "ab")
    shared = keras.layers.Dense(3, use_bias=False, name="shared")
    one = keras.layers.Dense(2, use_bias=False, name="one")(shared(a))
    two = keras.layers.Dense(2, use_bias=False, name="two")(shared(b) + 1.0)
    model = keras.Model({"a": a, "b": b}, {"one": one, "two": two})
    assert reached(model, "output/one") == ["shared/kernel", "one/kernel"]
    assert reached(model, "output/two") == ["shared/kernel", "two/kernel"]
    assert reached(model, "layer/shared") == ["shared/kernel"]
    assert len(reached(model, "output")) == 3


def test_a_variable_that_an_operation_is_given():
    x = keras.Input((3,), name="x")
    loose = keras.layers.Dense(2, use_bias=False, name="loose")
    loose.build((None, 3))
    model = keras.Model(x, keras.ops.matmul(x, loose.kernel))
    model.loose = loose  # so that it is one of its weights
    assert reached(model, "output") == ["loose/kernel"]


@pytest.mark.parametrize("tap", [[], ["layer/inside"]])
def test_of_a_nested_model_s_inputs_what_it_reads(tap):
    """`a` comes first, and is passed over."""
    b = keras.Input((3,), name="b")
    inside = keras.layers.Dense(2, use_bias=False, name="inside")
    inner = keras.Model({"b": b}, inside(b), name="inner")
    x = keras.Input((3,), name="x")
    a, b = (
        keras.layers.Dense(3, use_bias=False, name=name)(x)
        for name in ("unread", "read")
    )
    unread = keras.layers.Dense(2, use_bias=False, name="after")(a)
    model = keras.Model(
        {"x": x}, {"inner": inner({"a": a, "b": b}), "other": unread}
    )
    expected = ["read/kernel", "inside/kernel"]
    assert reached(model, "output/inner", *tap) == expected


def test_a_model_on_labels_trains_what_its_output_depends_on():
    """Tokens' classes do not depend on the pooler, which no decay wears off."""
    model = tiny.randomize(td.models.BertTokenClassifier(tiny.backbone(), 3))
    model.backbone.blocks[0].trainable = False
    trained = PartStudent(model)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    trained.compile(
        keras.optimizers.AdamW(0.01, weight_decay=0.1),
        loss,
        jit_compile=False,
        run_eagerly=True,
    )
    inputs, before = tiny.batch(), tiny.weights_of(model)
    labels = np.ones(inputs["token_ids"].shape, "int32")
    trained.fit(inputs, labels, batch_size=4, verbose=0)
    kept = ids(model.backbone.pooler, model.backbone.blocks[0])
    assert moved(model, before) == ids(model) - kept
    frozen = {id(w) for w in model.weights if not w.trainable}
    assert frozen == ids(model.backbone.blocks[0])  # as it was
    assert len(trained.trainable_variables) == len(trained.trainable_weights)
    every = trained.trainable_variables + trained.non_trainable_variables
    assert {id(v) for v in every} == {id(v) for v in trained.variables}
    assert len(every) == len(trained.variables)


def test_a_model_that_is_not_functional():
    class Mine(keras.Model):
        def call(self, x):
            return x

    with pytest.raises(ValueError, match="'mine' is a Mine.*functional"):
        PartStudent(Mine(name="mine"))

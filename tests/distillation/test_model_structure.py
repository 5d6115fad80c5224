"""What of a model's layers and connections a hash tells apart."""

import keras
import pytest
import tiny

from tf_distill.distillation.model_structure import structure_hash


def both(model):
    return [structure_hash(model, in_training=x) for x in (False, True)]


def network(wire, **kwargs):
    x = {name: keras.Input((4, 2), name=name) for name in ("x", "y")}
    return keras.Model(x, wire(keras.layers.Dense(2, **kwargs), **x))


@pytest.mark.parametrize(
    "one, other",
    [
        (lambda f, x, y: f(x)[:, 0], lambda f, x, y: f(x)[:, -1]),
        (lambda f, x, y: f(x) + y, lambda f, x, y: f(x) + x),
        (lambda f, x, y: f(x) - y, lambda f, x, y: f(y) - x),
        (lambda f, x, y: x + f(f(x)), lambda f, x, y: f(x) + f(f(x))),
        (lambda f, x, y: [f(x), x], lambda f, x, y: [x, f(x)]),
        (
            lambda f, x, y: keras.ops.softmax(f(x), axis=-1),
            lambda f, x, y: keras.ops.softmax(f(x), axis=1),
        ),
    ],
)
def test_connections_count(one, other):
    assert both(network(one)) == both(network(one))
    found, changed = both(network(one)), both(network(other))
    assert found[0] != changed[0] and found[1] != changed[1]


@pytest.mark.parametrize(
    "sizes", [{"num_heads": 4}, {"activation": "relu"}, {"dtype": "bfloat16"}]
)
def test_settings_of_layers_count(sizes):
    plain, other = both(tiny.classifier()), both(tiny.classifier(**sizes))
    assert plain[0] != other[0] and plain[1] != other[1]


def test_mixed_precision_counts_for_each_layer():
    x = keras.Input((2,))
    found = {
        structure_hash(keras.Model(x, keras.layers.Dense(1, dtype=d)(x)), False)
        for d in ("float32", "mixed_float16", "mixed_bfloat16")
    }
    assert len(found) == 3


def test_what_does_not_count(tmp_path):
    first = tiny.classifier(dropout=0.1)
    expected = both(first)
    # Layers with other numbers in their names and other weights.
    assert both(tiny.classifier(seed=3, dropout=0.1, name="other")) == expected
    first.save_to_preset(tmp_path)
    assert both(type(first).from_preset(str(tmp_path))) == expected
    first.backbone.trainable = False
    assert both(first) == expected
    # Dropout counts in training only, as do regularizers.
    inference, training = both(tiny.classifier(dropout=0.2))
    assert inference == expected[0] and training != expected[1]

    def wire(f, x, y):
        return f(x) + y

    plain = both(network(wire))
    found = both(network(wire, kernel_regularizer="l2"))
    assert found[0] == plain[0] and found[1] != plain[1]
    assert both(network(wire, kernel_initializer="zeros")) == plain

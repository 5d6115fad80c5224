import keras
import numpy as np
import pytest
from on_backend import needs_tensorflow

from tf_distill.optimizers import AdamW

B1, B2, EPS, RATE, DECAY = 0.9, 0.999, 1e-6, 0.01, 0.1
GENERATOR = np.random.default_rng(0)
GRADIENTS = GENERATOR.normal(size=(5, 3, 2))
START = GENERATOR.normal(size=(3, 2))


def by_hand(weight, gradients, decay):
    """Loshchilov and Hutter 2019, algorithm 2, one variable."""
    m = v = np.zeros_like(weight)
    for t, g in enumerate(gradients, start=1):
        m = B1 * m + (1 - B1) * g
        v = B2 * v + (1 - B2) * g**2
        # Keras' epsilon is that of the rearranged formula, "hat".
        rate = RATE * np.sqrt(1 - B2**t) / (1 - B1**t)
        weight = weight * (1 - RATE * decay)
        weight = weight - rate * m / (np.sqrt(v) + EPS)
    return weight


def optimizer(**kwargs):
    kwargs = {"weight_decay": DECAY, "epsilon": EPS, **kwargs}
    made = AdamW(RATE, **kwargs)
    made.exclude_from_weight_decay(var_names=["bias"])
    return made


def test_equals_the_paper():
    made, names = optimizer(), ("kernel", "bias")
    weights = [keras.Variable(START, name=name) for name in names]
    for gradient in GRADIENTS:
        made.apply([gradient.astype("float32")] * 2, weights)
    for weight, decay in zip(weights, (DECAY, 0.0), strict=True):
        np.testing.assert_allclose(
            weight, by_hand(START, GRADIENTS, decay), rtol=1e-5
        )


def embedding_step(optimizer, **kwargs):
    """One of two words, of which the first stands at three places."""
    layer = keras.layers.Embedding(3, 2, embeddings_initializer="ones")
    model = keras.Sequential([layer, keras.layers.GlobalAveragePooling1D()])
    model.compile(optimizer, "mse", jit_compile=False, **kwargs)
    ids, target = np.array([[0, 0, 0, 1]]), np.array([[0.0, 4.0]])
    model.fit(ids, target, verbose=0)
    return np.asarray(layer.embeddings)


@pytest.mark.parametrize("clip", [None, 0.3])
def test_the_gradient_of_an_embedding_is_a_words_sum(clip):
    found = embedding_step(
        optimizer(global_clipnorm=clip, weight_decay=0.0, beta_1=0.0)
    )
    # d/dy (mean of squares) = y - target, and each place has a quarter of it.
    word = np.array([1.0, -3.0]) / 4
    gradient = np.stack([3 * word, word, 0 * word])
    if clip is not None:
        gradient *= clip / max(clip, np.sqrt(np.sum(np.square(gradient))))
    v = (1 - B2) * gradient**2
    update = RATE * np.sqrt(1 - B2) * gradient / (np.sqrt(v) + EPS)
    np.testing.assert_allclose(found, 1 - update, rtol=1e-5)


X = GENERATOR.normal(size=(8, 3)).astype("float32")
Y = GENERATOR.normal(size=(8, 2)).astype("float32")


def fitted(make, epochs=3, **kwargs):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.compile(make, "mse", **{"jit_compile": False, **kwargs})
    model.fit(X, Y, batch_size=4, epochs=epochs, shuffle=False, verbose=0)
    return model


def assert_same(one, other, rtol=1e-5):
    for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=rtol, atol=1e-7)


@pytest.mark.parametrize(
    "kwargs",
    [
        {},
        {"gradient_accumulation_steps": 2},
        {"amsgrad": True},
        {"use_ema": True, "ema_overwrite_frequency": 2},
        {"learning_rate": keras.optimizers.schedules.CosineDecay(0.1, 6)},
    ],
    ids=lambda kwargs: "".join(kwargs) or "plain",
)
def test_trains_as_keras_does(kwargs):
    ours, theirs = (
        fitted(make(**{"learning_rate": 0.1, **kwargs}))
        for make in (AdamW, keras.optimizers.AdamW)
    )
    # Keras rounds 1 - 0.999 and 1 - 0.999^t otherwise, by 2e-5 of an update.
    for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=5e-5 * 0.1 * 6)


@pytest.mark.parametrize("kwargs", [{"jit_compile": True}, {"run_eagerly": 1}])
def test_compiled_and_eager(kwargs):
    if "run_eagerly" in kwargs and keras.config.backend() == "jax":
        pytest.skip("eager Keras steps are TensorFlow's and PyTorch's")
    assert_same(fitted(optimizer(), **kwargs), fitted(optimizer()))


@needs_tensorflow
def test_loss_scaling_in_float16():
    keras.config.set_dtype_policy("mixed_float16")
    model = fitted(AdamW(0.1))
    assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
    keras.config.set_dtype_policy("float32")
    np.testing.assert_allclose(
        model.get_weights()[0], fitted(AdamW(0.1)).get_weights()[0], atol=0.02
    )


@needs_tensorflow
def test_two_replicas_are_one(two_replicas):
    with two_replicas.scope():
        ours = fitted(optimizer())
    assert_same(ours, fitted(optimizer()))


def test_is_read_from_its_configuration():
    made = AdamW(0.1, weight_decay=0.2, epsilon=1e-5)
    read = keras.optimizers.deserialize(keras.optimizers.serialize(made))
    assert type(read) is AdamW
    assert read.get_config() == made.get_config()

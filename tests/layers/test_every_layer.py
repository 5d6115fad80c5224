"""What holds of every layer; one added to `CASES` is tested by this.

Letters: B batch, T tokens, P picked positions, D hidden width.
"""

import dataclasses
import functools
import inspect
import typing

import keras
import numpy as np
import pytest
import tiny

from tf_distill import layers
from tf_distill.models.masked_lm_head import TokensAt

GENERATOR = np.random.default_rng(0)
B, T, D = 3, 5, 8
MASK = np.array([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1], [1, 0, 0, 0, 0]])
POSITIONS = np.array([[2, 0], [4, 4], [1, 3]])


@dataclasses.dataclass(frozen=True)
class Case:
    """A layer or block and how it is called.

    `make` gives it every argument of its own, none at its default. It reads
    `inputs` tensors of tokens, (B, T, D), and then what `beside` names.
    """

    make: typing.Callable
    inputs: int = 1
    beside: str | None = None
    roundings: float = 1.0  # how many of 8 bits an output may be off by
    dtype: str = "bfloat16"  # of the outputs in mixed precision
    seen: int = 0  # columns of padding that outputs do depend on
    # With which padding counts for nothing; "replace" leaves it some weight.
    masking: dict = dataclasses.field(default_factory=dict)

    def layer(self, dtype=None, **others):
        return self.make(dtype=dtype, name="mine", **others)

    def batch(self, more=0):
        """The inputs as arrays, with some more columns of padding.

        Of a value each, which a layer that forgot the mask would see.
        """
        tokens = np.random.default_rng(1).normal(size=(self.inputs, B, T, D))
        padding = np.ones((B, more, D)) * np.arange(3, 3 + more)[:, None]
        arrays = [
            np.concatenate([x, padding], axis=1).astype("float32")
            for x in tokens
        ]
        if self.beside == "padding_mask":
            arrays.append(np.pad(MASK, ((0, 0), (0, more))))
        elif self.beside == "positions":
            arrays.append(POSITIONS)
        return arrays

    def model(self, dtype=None, **others):
        """A model of the layer alone, with random weights."""
        tokens = [keras.Input((None, D)) for _ in range(self.inputs)]
        beside = [keras.Input((None,), dtype="int32")] if self.beside else []
        layer = self.layer(dtype, **others)
        inputs = [*tokens, *beside]
        if isinstance(layer, keras.Model):
            outputs = layer(inputs)
        else:
            outputs = layer(*inputs)
        return tiny.randomize(keras.Model(inputs, outputs))


MASK_RULE = {"mask_value": -7.0, "mask_rule": "replace"}
ADDED = {"mask_value": -1e4, "mask_rule": "add"}
CASES = {
    "AttentionScores": Case(
        functools.partial(layers.AttentionScores, num_heads=4, **MASK_RULE),
        inputs=2,
        beside="padding_mask",
        dtype="float32",
    ),
    "Dense": Case(
        functools.partial(
            layers.Dense,
            units=6,
            activation="gelu",
            kernel_initializer=keras.initializers.HeNormal(seed=3),
            bias_initializer="ones",
            kernel_regularizer=keras.regularizers.L2(0.5),
        ),
        roundings=2,
    ),
    "DotProductAttention": Case(
        functools.partial(
            layers.DotProductAttention, num_heads=4, dropout=0.2, **MASK_RULE
        ),
        inputs=3,
        beside="padding_mask",
        roundings=3,
        masking=ADDED,
    ),
    "NoNorm": Case(layers.NoNorm, roundings=3),
    "PositionEmbedding": Case(
        functools.partial(
            layers.PositionEmbedding, sequence_length=12, initializer="ones"
        ),
    ),
    "TrigramEmbedding": Case(layers.TrigramEmbedding, seen=1),
    "encoder_block": Case(
        functools.partial(
            layers.encoder_block,
            hidden_dim=D,
            num_heads=2,
            intermediate_dim=16,
            activation="relu",
            dropout=0.2,
        ),
        beside="padding_mask",
        roundings=4,
    ),
    "mobile_bert_block": Case(
        functools.partial(
            layers.mobile_bert_block,
            hidden_dim=D,
            bottleneck_dim=4,
            num_heads=2,
            intermediate_dim=6,
            num_feed_forward=2,
            attention_input="hidden_states",
            normalization="layer_norm",
            activation="gelu",
            dropout=0.2,
            attention_dropout=0.3,
            **MASK_RULE,
        ),
        beside="padding_mask",
        roundings=4,
        masking=ADDED,
    ),
    "TokensAt": Case(TokensAt, beside="positions"),
}
every_layer = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def numpy(x):
    return keras.ops.convert_to_numpy(keras.ops.cast(x, "float32"))


def parts(layer):
    """The layers of a block; any other layer alone."""
    return getattr(layer, "layers", [layer])


def test_none_is_left_out():
    assert set(CASES) == {*layers.__all__, "TokensAt"}


@every_layer
def test_no_argument_is_at_its_default(case):
    made = getattr(case.make, "func", case.make)
    given = getattr(case.make, "keywords", {})
    arguments = dict(inspect.signature(made).parameters)
    for name in ("args", "kwargs", "dtype", "name"):  # every layer's
        arguments.pop(name, None)
    if made is layers.Dense:  # whose arguments are Keras', and many
        arguments = {name: arguments[name] for name in given}
    assert set(given) == set(arguments)
    for name, argument in arguments.items():
        assert given[name] != argument.default


@every_layer
def test_its_shape_is_known_before_there_are_values(case):
    model = case.model()
    shape = model(case.batch()).shape
    unknown = (B, T, POSITIONS.shape[1])  # which no width here is equal to
    expected = tuple(None if n in unknown else n for n in shape)
    assert model.output_shape == expected


@every_layer
def test_round_trips(tmp_path, case):
    # A policy as in a model that was read from a file: Keras itself makes up
    # configs of strings and numbers only.
    model = case.model(keras.DTypePolicy("mixed_bfloat16"))
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    ours, theirs = model.get_layer("mine"), again.get_layer("mine")
    assert type(theirs) is type(ours)
    for before, after in zip(parts(ours), parts(theirs), strict=True):
        assert after.get_config() == before.get_config()
    if not isinstance(ours, keras.Model):
        given = getattr(case.make, "keywords", {})
        assert set(given) <= set(ours.get_config())
    tiny.assert_same_weights(tiny.weights_of(model), tiny.weights_of(again))
    inputs = case.batch()
    np.testing.assert_array_equal(numpy(again(inputs)), numpy(model(inputs)))


@every_layer
def test_half_precision_near_float32(case):
    mixed, inputs = case.model("mixed_bfloat16"), case.batch()
    found, exact = mixed(inputs), numpy(case.model()(inputs))
    assert found.dtype == case.dtype
    assert {w.dtype for w in mixed.weights} <= {"float32"}
    for part in parts(mixed.get_layer("mine")):
        if not isinstance(part, keras.layers.InputLayer):
            assert part.compute_dtype == "bfloat16"
    assert not np.array_equal(numpy(found), exact)
    # The mask's value says nothing of how large a score is.
    scale = np.abs(exact[exact > -5]).max()
    np.testing.assert_allclose(
        numpy(found), exact, atol=case.roundings * scale / 256
    )


@every_layer
def test_a_row_does_not_depend_on_its_padding(case):
    model = case.model(**case.masking)
    narrow = numpy(model(case.batch(more=case.seen)))
    wide = numpy(model(case.batch(more=case.seen + 6)))
    # Along every axis of tokens: two of attention scores.
    same = tuple(
        slice(T if length == T + case.seen else length)
        for length in narrow.shape
    )
    np.testing.assert_allclose(wide[same], narrow[same], rtol=1e-5, atol=1e-5)

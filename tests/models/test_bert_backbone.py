import keras
import keras_hub
import numpy as np
import pytest
import tiny
from on_backend import weight_gradients

from tf_distill.distillation import tapped
from tf_distill.models import BertBackbone


def test_against_keras_hub(tmp_path):
    sizes = {**tiny.SIZES, "dropout": 0.0, "max_sequence_length": 16}
    theirs = tiny.randomize(keras_hub.models.BertBackbone(**sizes))
    theirs.save_to_preset(tmp_path)
    ours = BertBackbone.from_preset(tmp_path)
    assert ours.activation == "gelu_approximate"
    inputs = tiny.batch((1, 7, 4, 9), width=11)
    found, expected = ours(inputs), theirs(inputs)
    assert set(found) == set(expected)
    for name in expected:
        np.testing.assert_allclose(found[name], expected[name], atol=1e-6)
    # Each block's, as what one does wrong the next may hide.
    own = {f"transformer_layer_{n}": f"hidden_states/{n}" for n in range(2)}
    layers = keras.Model(
        theirs.input, {own[n]: theirs.get_layer(n).output for n in own}
    )
    expected_layers = layers(inputs)
    found_layers = tapped(ours, sorted(own.values()))(inputs)
    for name in own.values():
        np.testing.assert_allclose(
            found_layers[name], expected_layers[name], atol=1e-6
        )
    # The tanh approximation is no detail: the exact GELU gives other numbers.
    exact = BertBackbone.from_preset(tmp_path, activation="gelu")
    assert not np.allclose(
        exact(inputs)["pooled_output"], expected["pooled_output"], atol=1e-5
    )


def test_what_goes_in_and_comes_out():
    ours = tiny.backbone()
    assert set(ours.input) == {"token_ids", "segment_ids", "padding_mask"}
    outputs = ours(tiny.batch((3, 6)))
    assert outputs["sequence_output"].shape == (2, 6, 8)
    assert outputs["pooled_output"].shape == (2, 8)


def test_a_row_does_not_depend_on_its_padding():
    ours = tiny.backbone()
    narrow, wide = tiny.batch((2, 4, 1)), tiny.batch((2, 4, 1), width=11)
    wide["token_ids"] = np.where(
        wide["padding_mask"], wide["token_ids"], 7
    )  # whatever stands there
    expected, found = ours(narrow), ours(wide)
    np.testing.assert_allclose(
        found["pooled_output"], expected["pooled_output"], atol=1e-6
    )
    real = narrow["padding_mask"] > 0
    np.testing.assert_allclose(
        np.asarray(found["sequence_output"][:, :4])[real],
        np.asarray(expected["sequence_output"])[real],
        atol=1e-6,
    )


def test_a_row_that_is_all_padding_is_finite():
    ours = tiny.backbone()
    inputs = tiny.batch((0, 4))
    for output in ours(inputs).values():
        assert np.isfinite(output).all()
    for gradient in weight_gradients(
        ours, inputs, lambda x: keras.ops.sum(x["pooled_output"] ** 2)
    ):
        assert np.isfinite(gradient).all()


def test_the_order_of_the_batch_does_not_matter():
    ours, inputs = tiny.backbone(), tiny.batch()
    order = np.array([2, 0, 3, 1])
    found = ours({name: x[order] for name, x in inputs.items()})
    np.testing.assert_allclose(
        found["pooled_output"],
        np.asarray(ours(inputs)["pooled_output"])[order],
        atol=1e-6,
    )


def test_segments_and_positions_matter():
    ours, inputs = tiny.backbone(), tiny.batch((5, 5))
    pooled = np.asarray(ours(inputs)["pooled_output"])
    one = ours({**inputs, "segment_ids": 0 * inputs["segment_ids"]})
    assert not np.allclose(one["pooled_output"], pooled)
    turned = ours(
        {**inputs, "token_ids": inputs["token_ids"][:, [0, 2, 1, 3, 4]]}
    )
    assert not np.allclose(turned["pooled_output"], pooled)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_half_precision_near_float32(policy):
    inputs = tiny.batch((2, 4, 6, 0))
    exact = tiny.numpy_dict(tiny.backbone(dropout=0.0)(inputs))
    mixed = tiny.backbone(dropout=0.0, dtype=policy)
    assert {w.dtype for w in mixed.weights} == {"float32"}
    half = policy.removeprefix("mixed_")
    found = mixed(inputs)
    assert all(x.dtype == half for x in found.values())
    # Hidden states are normalised, of size 1, and pass two blocks with some
    # ten roundings to 8 bits each.
    for name, x in exact.items():
        half_x = keras.ops.cast(found[name], "float32")
        np.testing.assert_allclose(half_x, x, atol=0.15)
        assert not np.array_equal(half_x, x)


def test_the_global_policy_is_the_default():
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    ours = tiny.backbone()
    assert ours(tiny.batch())["pooled_output"].dtype == "bfloat16"


def test_heads_that_do_not_divide():
    with pytest.raises(ValueError, match="3 heads cannot share a width of 8"):
        tiny.backbone(num_heads=3)


def test_dropout_in_training_only():
    ours, inputs = tiny.backbone(dropout=0.3), tiny.batch()
    first, second = (
        np.asarray(ours(inputs, training=training)["pooled_output"])
        for training in (False, True)
    )
    np.testing.assert_array_equal(first, ours(inputs)["pooled_output"])
    assert not np.allclose(first, second)


@pytest.mark.parametrize("activation", ["gelu", "gelu_approximate", "relu"])
def test_round_trip_through_a_file(tmp_path, activation):
    ours = tiny.backbone(activation=activation, dropout=0.2, num_segments=3)
    inputs = tiny.batch()
    expected = tiny.numpy_dict(ours(inputs))
    ours.save(tmp_path / "backbone.keras")
    ours.save_to_preset(tmp_path / "preset")
    for again in (
        keras.saving.load_model(tmp_path / "backbone.keras"),
        BertBackbone.from_preset(tmp_path / "preset"),
        keras_hub.models.Backbone.from_preset(str(tmp_path / "preset")),
    ):
        assert type(again) is BertBackbone
        assert again.get_config() == ours.get_config()
        for name, x in tiny.numpy_dict(again(inputs)).items():
            np.testing.assert_array_equal(x, expected[name])


def test_a_preset_without_its_weights_and_with_another_dtype(tmp_path):
    tiny.backbone().save_to_preset(tmp_path)
    fresh = BertBackbone.from_preset(tmp_path, load_weights=False)
    assert not np.allclose(fresh.weights[0], tiny.backbone().weights[0])
    mixed = BertBackbone.from_preset(tmp_path, dtype="mixed_bfloat16")
    assert mixed(tiny.batch())["pooled_output"].dtype == "bfloat16"
    np.testing.assert_array_equal(mixed.weights[0], tiny.backbone().weights[0])


@pytest.mark.filterwarnings("ignore:Layer .* does not have a `quantize` method")
def test_a_quantized_encoder_is_saved_as_it_is(tmp_path):
    # Keras saves a policy for each layer by its path, which must be its own.
    ours, inputs = tiny.backbone(dropout=0.0), tiny.batch()
    exact = ours(inputs)["pooled_output"]
    ours.quantize("int8")
    kernels = [w for w in ours.weights if w.dtype == "int8"]
    dense = [x for x in ours._flatten_layers() if hasattr(x, "kernel")]
    assert len(dense) == 6 * ours.num_layers + 1  # and the pooler
    assert {id(layer._kernel) for layer in dense} <= set(map(id, kernels))
    expected = ours(inputs)["pooled_output"]
    assert not np.array_equal(expected, exact)
    ours.save(tmp_path / "encoder.keras")
    again = keras.saving.load_model(tmp_path / "encoder.keras")
    np.testing.assert_array_equal(again(inputs)["pooled_output"], expected)

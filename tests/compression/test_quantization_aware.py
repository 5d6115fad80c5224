"""Rounding in training: NumPy's own, under a Distiller, saved and refused."""

import encoders
import keras
import keras_hub
import numpy as np
import pytest
import tiny

import tf_distill as td
from tf_distill.compression import is_quantization_aware, quantization_aware
from tf_distill.compression.fake_quantizer import FakeQuantizer
from tf_distill.compression.saved_ranges import has_ranges, with_ranges

FAMILIES = {
    "Bert": tiny.backbone,
    "DistilBert": encoders.distil_bert,
    "MobileBert": encoders.mobile_bert,
}


def plain_weights(model):
    """All but the ranges."""
    weights = [w for w in model.weights if w.name not in ("low", "high")]
    return [keras.ops.convert_to_numpy(weight) for weight in weights]


def classifier(family, seed=2):
    cls = getattr(td.models, f"{family}TextClassifier")
    return tiny.randomize(
        cls(FAMILIES[family](num_layers=1), num_classes=3, dropout=0.0), seed
    )


def int8(x, low, high, narrow):
    """Jacob et al. 2018, eq. 12, with zero among the numbers."""
    least, greatest = (1, 255) if narrow else (0, 255)
    scale = (high - low) / (greatest - least)
    zero = np.clip(np.round(least - low / scale), least, greatest)
    whole = np.clip(np.round(x / scale) + zero, least, greatest)
    return (whole - zero) * scale


def quantizer(kind, low, high):
    layer = FakeQuantizer(kind)
    layer.build()
    layer.low.assign(low)
    layer.high.assign(high)
    return layer


@pytest.mark.parametrize("low,high", [(-1.3, 4.1), (0.0, 2.7), (-6.0, 0.0)])
def test_activations_are_rounded_as_numpy_says(low, high):
    x = np.random.default_rng(0).normal(0, 3, 4000).astype("float32")
    found = quantizer("activation", low, high)(x)
    # A number halfway between two may go to either: by its own rounding.
    step = (high - low) / 255
    expected = int8(x, low, high, narrow=False)
    assert len(np.unique(np.round(expected / step))) > 200
    differ = np.abs(found - expected) > 1e-4 * step
    assert differ.mean() < 0.001
    np.testing.assert_allclose(found, expected, atol=1.001 * step)


def test_training_follows_the_values_as_tfmot_does():
    pytest.importorskip(
        "tensorflow_model_optimization", reason="the extra `compression`"
    )
    x = np.array([-3.0, 0.5, 5.0], "float32")
    activation = quantizer("activation", -1.0, 1.0)
    activation(x, training=True)
    # A thousandth of the way to the batch's least and greatest.
    np.testing.assert_allclose(activation.low, -1.0 - 0.002, rtol=1e-5)
    np.testing.assert_allclose(activation.high, 1.0 + 0.004, rtol=1e-5)
    weight = quantizer("weight", -1.0, 1.0)
    found = weight(x, training=True)
    np.testing.assert_allclose([weight.low, weight.high], [-5.0, 5.0])
    np.testing.assert_allclose(
        found, int8(x, -5.0, 5.0, narrow=True), atol=1e-5
    )
    assert np.abs(found[1] - 0.5) < 5.0 / 127


def test_a_dense_layer_is_made_of_whole_numbers():
    model = tiny.classifier(dropout=0.0)
    plain = [np.asarray(weight) for weight in model.weights]
    batch = tiny.batch()
    expected = np.asarray(model(batch))
    quantization_aware(model, [batch])
    dense = model.backbone.blocks[0].get_layer("query")
    x = np.random.default_rng(1).normal(0, 1, (2, 3, 8)).astype("float32")
    kernel, bias = (np.asarray(w) for w in dense.weights[:2])
    greatest = np.abs(kernel).max()
    kernel = int8(kernel, -greatest, greatest, narrow=True)
    ranges = [
        [float(q.low), float(q.high)]
        for q in (dense.input_quantizer, dense.product_quantizer)
    ]
    product = int8(x, *ranges[0], narrow=False) @ kernel + bias
    product = int8(product, *ranges[1], narrow=False)
    step = (ranges[1][1] - ranges[1][0]) / 255
    np.testing.assert_allclose(dense(x), product, atol=1.01 * step)
    # The weights are what they were, and the outputs nearly.
    assert len(plain) < len(model.weights)
    tiny.assert_same_weights(plain, plain_weights(model))
    difference = np.abs(np.asarray(model(batch)) - expected).max()
    assert 1e-6 < difference < 0.1 * np.ptp(expected)


@pytest.mark.parametrize(
    "family",
    [
        "MobileBert",
        *(
            pytest.param(family, marks=pytest.mark.slow)
            for family in ("Bert", "DistilBert")
        ),
    ],
)
def test_students_train_under_distillation(family, tmp_path):
    """Every encoder, with NoNorm too: saved, read back, and refused twice."""
    pytest.importorskip(
        "tensorflow_model_optimization", reason="the extra `compression`"
    )
    batch = tiny.batch()
    student = quantization_aware(classifier(family), [batch])
    before = plain_weights(student)
    high = np.asarray(student.head.input_quantizer.high)
    distiller = td.Distiller(
        student,
        classifier("Bert", seed=5),
        [
            td.LayerMatch("attention_scores", td.losses.AttentionMSE()),
            td.LogitMatch(td.losses.SoftCrossEntropy()),
        ],
    )
    distiller.compile(keras.optimizers.Adam(0.01), jit_compile=False)
    losses = distiller.fit(batch, epochs=5, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    changed = [
        not np.array_equal(a, b)
        for a, b in zip(before, plain_weights(student), strict=True)
    ]
    # Every weight learns through the rounding but keys' biases, which have
    # no influence, and ids that no text has.
    assert np.mean(changed) > 0.9
    assert np.asarray(student.head.input_quantizer.high) != high

    # A preset is read as a plain model, or with its ranges.
    outputs, folder = np.asarray(student(batch)), str(tmp_path / "preset")
    student.save_to_preset(folder)
    plain = type(student).from_preset(folder)
    assert not is_quantization_aware(plain)
    tiny.assert_same_weights(plain_weights(student), plain_weights(plain))
    assert 1e-6 < np.abs(plain(batch) - outputs).max() < np.ptp(outputs)
    assert has_ranges(folder)
    np.testing.assert_array_equal(with_ranges(plain, folder)(batch), outputs)
    with pytest.raises(ValueError, match="has the rounding of int8 in it al"):
        quantization_aware(student, [batch])


def test_looking_at_values_changes_nothing():
    model = tiny.classifier(dropout=0.0)
    batch = tiny.batch()
    expected = np.asarray(model(batch))
    quantization_aware(model, [batch], embeddings=False)
    for layer in model._flatten_layers():
        if isinstance(layer, FakeQuantizer):
            layer.observing = True
    # Sums in another order: the graph has its products in two axes.
    np.testing.assert_allclose(model(batch), expected, atol=1e-6)
    assert type(model.backbone.token_embedding) is (
        keras.layers.ReversibleEmbedding
    )


def test_ranges_hold_all_batches():
    batches = [tiny.batch(seed=1), tiny.batch((1, 6), seed=2)]
    both = quantization_aware(tiny.classifier(), batches)
    quantizer = both.backbone.blocks[1].get_layer("output").input_quantizer
    alone = [
        quantization_aware(tiny.classifier(), [batch])
        .backbone.blocks[1]
        .get_layer("output")
        .input_quantizer
        for batch in batches
    ]
    assert float(quantizer.low) == min(float(q.low) for q in alone)
    assert float(quantizer.high) == max(float(q.high) for q in alone)


def test_what_cannot_be_rounded():
    batch = tiny.batch()
    task = tiny.classifier()
    theirs = keras_hub.models.BertBackbone(
        vocabulary_size=20,
        num_layers=1,
        num_heads=1,
        hidden_dim=4,
        intermediate_dim=4,
    )
    half = tiny.classifier(dtype="mixed_bfloat16")
    distiller = td.Distiller(
        task, tiny.classifier(), [td.LogitMatch(td.losses.SoftCrossEntropy())]
    )
    quantized = tiny.backbone(num_layers=1)
    quantized.blocks[0].get_layer("query").quantize("int8")
    for model, message in [
        (quantized, "was quantized by Keras .* as it was before"),
        (theirs, "BertBackbone is not an encoder or a task"),
        (half, "computes in half precision"),
        (distiller, "pass `distiller.student`"),
    ]:
        with pytest.raises(ValueError, match=message):
            quantization_aware(model, [batch])
    assert not is_quantization_aware(task)


def wrong(**changes):
    return [{**tiny.batch(), **changes}]


@pytest.mark.parametrize(
    "calibration,message",
    [
        (None, "`calibration` is missing"),
        ([], "`calibration` is empty"),
        (tiny.batch(), "is one batch: give a list"),
        ([np.zeros((2, 3))], "batch 0 must be a dict of token_ids"),
        ([{"token_ids": np.zeros((2, 3), int)}], "has .'token_ids'."),
        (wrong(token_ids=np.zeros(5, int)), r"'token_ids' of shape \(5,\)"),
        (wrong(padding_mask=np.ones((4, 4), int)), r"of shape \(4, 4\)"),
        (wrong(padding_mask=np.ones((4, 5))), "dtype float64"),
        ([tiny.batch((40, 3))], "40 tokens long, .* for 12"),
        ([(tiny.batch(), 0), wrong(token_ids=0)], "calibration batch 1"),
    ],
)
def test_wrong_calibration(calibration, message):
    model = tiny.classifier()
    with pytest.raises(ValueError, match=message):
        quantization_aware(model, calibration)
    assert not is_quantization_aware(model)


def test_weights_with_ranges_are_loaded_again(tmp_path):
    batch = tiny.batch()
    model = quantization_aware(tiny.classifier(num_layers=1), [batch])
    model.save_weights(tmp_path / "all.weights.h5")
    again = tiny.classifier(num_layers=1, seed=4)
    quantization_aware(again, [tiny.batch(seed=3)])
    again.load_weights(tmp_path / "all.weights.h5")
    np.testing.assert_array_equal(again(batch), model(batch))


def test_a_preset_without_ranges(tmp_path):
    plain = tiny.classifier(num_layers=1)
    plain.save_to_preset(str(tmp_path))
    assert not has_ranges(tmp_path)
    with pytest.raises(ValueError, match="saved of a model without ranges"):
        with_ranges(plain, tmp_path)

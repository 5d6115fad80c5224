import subprocess
import sys

import keras
import keras_hub
import numpy as np
import pytest
import tiny
from on_backend import IS_JAX

from tf_distill.models import BertTextClassifier, TinyBertTextClassifier


@pytest.mark.parametrize(
    ("cls", "activation"),
    [(BertTextClassifier, lambda x: x), (TinyBertTextClassifier, np.abs)],
)
def test_head_on_the_pooled_cls(cls, activation):
    ours, inputs = tiny.classifier(cls=cls), tiny.batch()
    pooled = np.asarray(ours.backbone(inputs)["pooled_output"])
    # TinyBERT's published head has a ReLU: (x + |x|) / 2.
    features = (pooled + activation(pooled)) / 2
    expected = features @ ours.head.kernel.numpy() + ours.head.bias.numpy()
    np.testing.assert_allclose(ours(inputs), expected, atol=1e-5)


def test_dropout_before_the_head():
    ours = tiny.classifier(dropout=0.0)
    again = tiny.classifier(dropout=0.0)
    again.head_dropout.rate = 0.5
    inputs = tiny.batch()
    np.testing.assert_array_equal(
        ours(inputs, training=True), ours(inputs, training=False)
    )
    config = tiny.classifier(dropout=0.5).get_config()
    assert config["dropout"] == 0.5
    dropping = tiny.classifier(dropout=0.5)
    assert dropping.head_dropout.rate == 0.5
    assert not np.allclose(
        dropping(inputs, training=True), dropping(inputs, training=False)
    )


def test_label_names_are_as_many_as_classes():
    with pytest.raises(ValueError, match=r"3 classes .* there are 2: .*'b'"):
        tiny.classifier(num_classes=3, label_names=["a", "b"])


READ_AGAIN = """
import sys, keras, numpy as np
from tf_distill import models
folder, *text = sys.argv[1:]
inputs = dict(np.load(folder + "/inputs.npz"))
expected = np.load(folder + "/expected.npz")
for model in (
    keras.saving.load_model(folder + "/model.keras"),
    models.BertTextClassifier.from_preset(folder + "/preset"),
):
    assert type(model) is models.BertTextClassifier, type(model)
    assert model.label_names == ["x", "y", "z"]
    np.testing.assert_array_equal(model(inputs), expected["tokens"])
    prepared = model.preprocessor(text)
    np.testing.assert_array_equal(model(prepared), expected["text"])
print("whole")
"""


def test_round_trip_through_files_in_a_new_process(tmp_path):
    inputs, text = tiny.batch(), ["the cat sat", "a bad dog ran"]
    ours = tiny.classifier(
        label_names=["x", "y", "z"], preprocessor=tiny.preprocessor()
    )
    ours.save_to_preset(tmp_path / "preset")
    ours.save(tmp_path / "model.keras")
    np.savez(tmp_path / "inputs.npz", **inputs)
    np.savez(
        tmp_path / "expected.npz",
        tokens=ours(inputs),
        text=ours(ours.preprocessor(text)),
    )
    done = subprocess.run(
        [sys.executable, "-c", READ_AGAIN, tmp_path, *text],
        capture_output=True,
        text=True,
    )
    assert done.stdout.endswith("whole\n"), done.stderr


def test_the_two_heads_are_told_apart(tmp_path):
    tiny.classifier().save_to_preset(tmp_path)
    with pytest.raises(ValueError, match="no classification head of this"):
        TinyBertTextClassifier.from_preset(tmp_path)
    again = TinyBertTextClassifier.from_preset(
        tmp_path, num_classes=3, preprocessor=None
    )
    assert type(again) is TinyBertTextClassifier


def test_a_fine_tuned_preset_with_another_number_of_classes(tmp_path):
    ours = tiny.classifier(num_classes=3)
    ours.save_to_preset(tmp_path)
    again = BertTextClassifier.from_preset(tmp_path, num_classes=5)
    assert again.output_shape == (None, 5)
    tiny.assert_same_weights(
        tiny.weights_of(ours.backbone), tiny.weights_of(again.backbone)
    )


def test_an_encoder_s_preset_gets_a_new_head(tmp_path):
    encoder = tiny.backbone()
    encoder.save_to_preset(tmp_path)
    with pytest.raises(ValueError, match="pass `num_classes`"):
        BertTextClassifier.from_preset(tmp_path)
    ours = BertTextClassifier.from_preset(
        tmp_path, num_classes=4, preprocessor=None
    )
    assert ours.output_shape == (None, 4)
    tiny.assert_same_weights(
        tiny.weights_of(encoder), tiny.weights_of(ours.backbone)
    )


def test_against_keras_hub_s_classifier(tmp_path):
    sizes = {**tiny.SIZES, "dropout": 0.0}
    theirs = tiny.randomize(
        keras_hub.models.BertTextClassifier(
            keras_hub.models.BertBackbone(**sizes),
            num_classes=3,
            preprocessor=tiny.preprocessor(),
        )
    )
    theirs.save_to_preset(tmp_path)
    ours = BertTextClassifier.from_preset(tmp_path)
    inputs = tiny.batch()
    np.testing.assert_allclose(ours(inputs), theirs(inputs), atol=1e-6)
    text = ["the cat sat", "a bad dog ran"]
    np.testing.assert_allclose(
        ours.predict(text, verbose=0),
        theirs.predict(text, verbose=0),
        atol=1e-6,
    )


def test_its_own_compile_learns_classes():
    ours = tiny.classifier(num_classes=2, num_layers=1)
    ours.compile(optimizer=keras.optimizers.Adam(1e-2), jit_compile=IS_JAX)
    inputs, labels = tiny.batch((3, 5, 2, 5)), np.array([0, 1, 0, 1])
    history = ours.fit(inputs, labels, epochs=30, verbose=0).history
    assert history["loss"][-1] < 0.1 < history["loss"][0]
    assert history["sparse_categorical_accuracy"][-1] == 1.0

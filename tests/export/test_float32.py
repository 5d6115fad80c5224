import keras
import keras_hub
import numpy as np
import pytest
from conftest import LABELS, TEXTS, inputs_of, make_backbone, make_task

from tf_distill import models
from tf_distill.export import as_float32

CLASSIFIERS = [models.BertTextClassifier, keras_hub.models.BertTextClassifier]


@pytest.mark.parametrize("classifier", CLASSIFIERS)
@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "bfloat16", "float16"])
def test_weights_are_the_same_and_the_rest_is_float32(
    classifier, dtype, caplog
):
    model = make_task(dtype, classifier=classifier)
    weights = model.get_weights()
    copy = as_float32(model)
    assert f"computes in {dtype}; its copy for export is in" in caplog.text
    assert type(copy) is classifier and copy is not model
    for layer in copy._flatten_layers():
        if layer is copy.preprocessor or layer is copy.preprocessor.tokenizer:
            continue
        assert layer.compute_dtype in ("float32", "int32"), layer.path
    for old, new in zip(weights, copy.get_weights(), strict=True):
        assert new.dtype == "float32"
        np.testing.assert_array_equal(new, old.astype("float32"))
    # A copy shares nothing that training the model would change.
    copy.set_weights([0 * weight for weight in copy.get_weights()])
    for old, now in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, now)
    assert model.backbone.dtype_policy.name == dtype


@pytest.mark.parametrize("classifier", CLASSIFIERS)
def test_a_model_built_under_a_global_policy(classifier):
    keras.config.set_dtype_policy("mixed_bfloat16")
    model = make_task(classifier=classifier)
    copy = as_float32(model)
    assert keras.config.dtype_policy().name == "mixed_bfloat16"
    keras.config.set_dtype_policy("float32")
    full = make_task(classifier=classifier)
    full.set_weights(model.get_weights())
    inputs = inputs_of(model.preprocessor, TEXTS)
    expected = np.asarray(full(inputs, training=False))
    half = np.asarray(model(inputs, training=False)).astype("float32")
    assert np.abs(half - expected).max() > 1e-4
    np.testing.assert_allclose(
        copy(inputs, training=False), expected, atol=1e-6
    )


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_float32_is_left_alone(caplog, policy):
    keras.config.set_dtype_policy(policy)  # a preprocessor's, by default
    model = make_task("float32")
    assert as_float32(model) is model
    assert caplog.text == ""
    copy = as_float32(make_task("mixed_bfloat16"))
    caplog.clear()
    assert as_float32(copy) is copy
    assert caplog.text == ""


def test_a_backbone():
    model = make_backbone("bfloat16", num_layers=1)
    copy = as_float32(model)
    assert type(copy) is type(model) and copy.compute_dtype == "float32"
    for old, new in zip(model.get_weights(), copy.get_weights(), strict=True):
        assert new.dtype == "float32"
        np.testing.assert_array_equal(new, old.astype("float32"))


def test_what_is_not_precision_is_kept():
    model = make_task("mixed_bfloat16", label_names=LABELS, dropout=0.25)
    copy = as_float32(model)
    assert copy.label_names == LABELS
    assert copy.dropout == 0.25
    assert copy.name == model.name
    assert copy.preprocessor is model.preprocessor

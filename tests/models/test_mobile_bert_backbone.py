import sys
from pathlib import Path

import encoders
import keras
import keras_hub
import numpy as np
import pytest
import tiny
from on_backend import IS_JAX

import tf_distill as td
from tf_distill.checkpoints import assign, mobile_bert
from tf_distill.distillation import tapped
from tf_distill.models import MobileBertBackbone

sys.path.append(str(Path(__file__).parents[1] / "checkpoints"))
import folders  # noqa: E402

SIGNALS = ["embeddings"] + [
    f"{role}/{index}"
    for role in ("hidden_states", "attention_scores", "queries", "values")
    for index in (0, 1)
]
# What each named architecture has, in small.
VARIANTS = {
    "released": ({}, {}),
    "paper": (
        {"attention_input": "hidden_states"},
        {"attention_input": "hidden_states"},
    ),
    "tiny": (
        {"attention_input": "bottleneck", "num_feed_forward": 2},
        {"attention_input": "bottleneck", "num_feed_forward": 2},
    ),
    "without_opt": ({"normalization": "layer_norm", "activation": "gelu"}, {}),
    "ib_bert": (
        encoders.IB_BERT,
        {
            "bottleneck": 12,
            "inner": 24,
            "num_feed_forward": 1,
            "attention_input": "hidden_states",
        },
    ),
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_against_numpy(variant):
    arguments, sizes = VARIANTS[variant]
    tensors = encoders.mobile_tensors(**sizes)
    ours = MobileBertBackbone(**{**encoders.MOBILE_SIZES, **arguments})
    assign(ours, tensors, mobile_bert.FAMILY.names(ours), source="test")
    inputs = tiny.batch((1, 7, 4, 9), width=11)
    expected = encoders.numpy_mobile_bert(
        tensors,
        inputs,
        layer_norm=arguments.get("normalization") == "layer_norm",
        activation=tiny.gelu if "activation" in arguments else None,
    )
    found = tapped(ours, SIGNALS)(inputs)
    assert set(found) == {"output", *SIGNALS}
    np.testing.assert_array_equal(found["output"], found["hidden_states/1"])
    for signal in SIGNALS:
        np.testing.assert_allclose(
            found[signal], expected[signal], rtol=1e-4, atol=2e-5
        )


@pytest.mark.parametrize("prefix", ["", "mobilebert."])
def test_a_hugging_face_folder(tmp_path, prefix):
    tensors = encoders.mobile_tensors()
    extra = {
        "cls.predictions.bias": np.zeros(20, "float32"),
        "mobilebert.pooler.dense.bias": np.zeros(8, "float32"),
    }
    folders.write(
        tmp_path,
        {**{prefix + k: v for k, v in tensors.items()}, **extra},
        **encoders.MOBILE_CONFIG,
    )
    ours = MobileBertBackbone.from_preset(tmp_path)
    assert ours.attention_dropout == 0.1
    assert ours.dropout == 0.0
    inputs = tiny.batch((1, 7, 4, 9), width=11)
    expected = encoders.numpy_mobile_bert(tensors, inputs)
    np.testing.assert_allclose(
        ours(inputs), expected["hidden_states/1"], rtol=1e-4, atol=2e-5
    )


def test_padding_beyond_the_first_column_changes_nothing():
    ours = encoders.mobile_bert()
    narrow, wide = (tiny.batch((2, 4, 1), width=w) for w in (5, 11))
    real = narrow["padding_mask"] > 0
    np.testing.assert_allclose(
        np.asarray(ours(wide)[:, :5])[real],
        np.asarray(ours(narrow))[real],
        rtol=1e-5,
        atol=1e-5,
    )


def test_padding_has_no_influence_but_by_the_trigram_of_its_word():
    # As published: the last token's trigram has [PAD]'s embedding if there is
    # padding, else zeros. Where that embedding is zero, nothing changes.
    ours = encoders.mobile_bert()
    narrow, wide = (tiny.batch((4, 4), width=w) for w in (4, 11))
    before = [np.asarray(ours(narrow)), np.asarray(ours(wide))[:, :4]]
    assert not np.allclose(*before, atol=1e-3)
    table = ours.token_embedding.embeddings.numpy()
    table[0] = 0.0
    ours.token_embedding.embeddings.assign(table)
    after = [np.asarray(ours(narrow)), np.asarray(ours(wide))[:, :4]]
    np.testing.assert_allclose(*after, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "changes", [{}, encoders.IB_BERT], ids=["mobile", "ib"]
)
@pytest.mark.parametrize("mask_rule", ["add", "replace"])
def test_a_row_that_is_all_padding_is_finite(changes, mask_rule):
    ours = encoders.mobile_bert(mask_rule=mask_rule, **changes)
    assert np.isfinite(ours(tiny.batch((0, 4)))).all()


def test_the_published_mask_rule_and_its_taps():
    ours = encoders.mobile_bert(mask_rule="replace", mask_value=-6.0)
    inputs = tiny.batch((2, 4))
    found = tapped(ours, ["attention_scores/1"])(inputs)
    scores = np.asarray(found["attention_scores/1"])
    np.testing.assert_array_equal(scores[0, :, :, 2:], -6.0)
    assert not np.any(scores[1] == -6.0)
    added = np.asarray(encoders.mobile_bert()(inputs))
    assert not np.allclose(added[0, :2], np.asarray(found["output"])[0, :2])
    np.testing.assert_allclose(
        added[1], np.asarray(found["output"])[1], rtol=1e-5
    )


@pytest.mark.parametrize(
    "changes", [{}, encoders.IB_BERT], ids=["mobile", "ib"]
)
def test_half_precision_near_float32(changes):
    changes = {**changes, "dropout": 0.0, "attention_dropout": 0.0}
    inputs = tiny.batch((2, 4, 6, 0))
    exact = np.asarray(encoders.mobile_bert(**changes)(inputs))
    mixed = encoders.mobile_bert(**changes, dtype="mixed_bfloat16")
    assert {w.dtype for w in mixed.weights} == {"float32"}
    found = mixed(inputs)
    assert found.dtype == "bfloat16"
    # Two blocks of some twenty roundings to 8 bits, of the largest state.
    np.testing.assert_allclose(
        keras.ops.cast(found, "float32"),
        exact,
        atol=0.05 * np.abs(exact).max(),
    )


def test_round_trip_through_a_file(tmp_path):
    ours = encoders.mobile_bert(
        **encoders.IB_BERT,
        dropout=0.2,
        attention_dropout=0.3,
        mask_rule="replace",
        mask_value=-6.0,
        num_segments=3,
    )
    inputs = tiny.batch()
    ours.save(tmp_path / "backbone.keras")
    ours.save_to_preset(tmp_path / "preset")
    for again in (
        keras.saving.load_model(tmp_path / "backbone.keras"),
        MobileBertBackbone.from_preset(tmp_path / "preset"),
        keras_hub.models.Backbone.from_preset(str(tmp_path / "preset")),
    ):
        assert type(again) is MobileBertBackbone
        assert again.get_config() == ours.get_config()
        np.testing.assert_array_equal(again(inputs), ours(inputs))


def test_keras_hub_has_none(tmp_path):
    keras_hub.models.BertBackbone(**tiny.SIZES).save_to_preset(tmp_path)
    with pytest.raises(ValueError, match="KerasHub has no model that computes"):
        MobileBertBackbone.from_preset(tmp_path)


def test_a_mobile_bert_learns_its_teacher_s_blocks():
    teacher = encoders.mobile_bert(seed=2, dropout=0.1, **encoders.IB_BERT)
    student = encoders.mobile_bert(seed=1)
    distiller = td.Distiller(
        student,
        teacher,
        losses=[
            td.LayerMatch("hidden_states", td.losses.HiddenMSE()),
            td.LayerMatch("attention_scores", td.losses.AttentionMSE()),
        ],
    )
    distiller.compile(keras.optimizers.Adam(1e-2), run_eagerly=not IS_JAX)
    before = tiny.weights_of(teacher)
    inputs = tiny.batch((5, 3, 4, 5))
    logs = distiller.fit(
        inputs, epochs=8, batch_size=4, shuffle=False, verbose=0
    ).history
    for name in ("hidden_states_loss", "attention_scores_loss"):
        assert logs[name][-1] < logs[name][0]
    tiny.assert_same_weights(before, tiny.weights_of(teacher))

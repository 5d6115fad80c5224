import keras
import keras_hub
import numpy as np
import pytest
import tiny

from tf_distill.checkpoints import assign
from tf_distill.checkpoints.bert import hugging_face_names
from tf_distill.distillation import tapped
from tf_distill.layers import AttentionScores, DotProductAttention
from tf_distill.models import BertTextClassifier

ROLES = ("hidden_states", "attention_scores", "queries", "keys", "values")
EVERYTHING = ["embeddings", *(f"{role}/{i}" for role in ROLES for i in (0, 1))]


def known_encoder():
    """An encoder and its weights under Hugging Face's names."""
    tensors = tiny.hugging_face_tensors(seed=1)
    encoder = tiny.backbone(dropout=0.0)
    assign(encoder, tensors, hugging_face_names(2), source="test")
    return encoder, tensors


@pytest.mark.parametrize("task", [False, True])
def test_every_signal_against_numpy(task):
    encoder, tensors = known_encoder()
    model = BertTextClassifier(encoder, 3) if task else encoder
    network = tapped(model, EVERYTHING)
    inputs = tiny.batch((1, 7, 4, 9), width=11)
    found = network(inputs)
    assert set(found) == {"output", *EVERYTHING}
    expected = tiny.numpy_bert(tensors, inputs)
    for name in EVERYTHING:
        np.testing.assert_allclose(found[name], expected[name], atol=3e-5)
    keras.tree.map_structure(
        np.testing.assert_array_equal, found["output"], model(inputs)
    )


def test_the_softmax_of_the_scores_makes_the_context():
    encoder, tensors = known_encoder()
    inputs = tiny.batch((2, 6, 4))
    tapping = [f"attention_distributions/{block}" for block in (0, 1)]
    found = tapped(encoder, [*EVERYTHING, *tapping])(inputs)
    for block in (0, 1):
        distribution = tiny.softmax(
            np.asarray(found[f"attention_scores/{block}"])
        )
        np.testing.assert_allclose(
            found[f"attention_distributions/{block}"], distribution, atol=1e-6
        )
        values = np.asarray(found[f"values/{block}"]).reshape(3, 6, 2, 4)
        context = np.einsum("bhts,bshd->bthd", distribution, values)
        expected = tiny.numpy_bert(tensors, inputs)[f"context/{block}"]
        np.testing.assert_allclose(
            context.reshape(3, 6, 8), expected, atol=3e-5
        )


@pytest.mark.parametrize("task", [False, True])
def test_the_weights_are_the_model_s_own(task):
    model = tiny.classifier() if task else tiny.backbone()
    network = tapped(model, EVERYTHING)
    assert {id(w) for w in network.variables} <= {
        id(w) for w in model.variables
    }
    assert {id(w) for w in network.weights} == {id(w) for w in model.weights}
    assert list(network.input) == list(model.input)


def test_one_pass_however_many_signals(monkeypatch):
    calls = []
    once = DotProductAttention.call

    def counted(self, *args, **kwargs):
        calls.append(self)
        return once(self, *args, **kwargs)

    model = tiny.classifier()
    network = tapped(model, EVERYTHING)
    monkeypatch.setattr(DotProductAttention, "call", counted)
    network(tiny.batch())
    assert len(calls) == len(set(map(id, calls))) == 2


def test_only_what_is_asked_for_is_computed():
    inside = len(_scores(tiny.backbone()))
    assert len(_scores(tapped(tiny.backbone(), ["values/1"]))) == inside
    network = tapped(tiny.backbone(), ["attention_scores/1"])
    assert len(_scores(network)) == inside + 1
    assert set(network.output) == {"output", "attention_scores/1"}


def _scores(model):
    return [x for x in _layers(model) if isinstance(x, AttentionScores)]


def _layers(model):
    return list(model._flatten_layers(include_self=False))


def test_tapping_leaves_the_model_as_it_was():
    model, inputs = tiny.classifier(), tiny.batch()
    before, layers = np.asarray(model(inputs)), len(_layers(model))
    for _ in range(3):
        tapped(model, EVERYTHING)
    np.testing.assert_array_equal(model(inputs), before)
    assert len(_layers(model)) == layers
    assert isinstance(model(inputs), type(keras.ops.ones(())))


def test_training_reaches_the_dropout():
    network = tapped(tiny.classifier(dropout=0.5), ["hidden_states/0"])
    inputs = tiny.batch()
    found = [
        np.asarray(network(inputs, training=training)["hidden_states/0"])
        for training in (False, False, True)
    ]
    np.testing.assert_array_equal(found[0], found[1])
    assert not np.allclose(found[0], found[2])


def test_signals_in_half_precision():
    network = tapped(tiny.backbone(dtype="mixed_bfloat16"), EVERYTHING)
    found = network(tiny.batch())
    assert found["hidden_states/1"].dtype == "bfloat16"
    assert found["attention_scores/1"].dtype == "float32"


def test_keras_hub_s_hidden_states():
    theirs = tiny.randomize(
        keras_hub.models.BertTextClassifier(
            keras_hub.models.BertBackbone(**{**tiny.SIZES, "dropout": 0.0}),
            num_classes=3,
        )
    )
    network = tapped(
        theirs, ["embeddings", "hidden_states/0", "hidden_states/1"]
    )
    inputs = tiny.batch()
    found = network(inputs)
    np.testing.assert_array_equal(found["output"], theirs(inputs))
    np.testing.assert_array_equal(
        found["hidden_states/1"], theirs.backbone(inputs)["sequence_output"]
    )
    first = theirs.backbone.transformer_layers[0](
        found["embeddings"], padding_mask=inputs["padding_mask"]
    )
    np.testing.assert_allclose(found["hidden_states/0"], first, atol=1e-6)
    with pytest.raises(ValueError, match="no signal 'attention_scores/0'.*hid"):
        tapped(theirs, ["attention_scores/0"])


@pytest.mark.parametrize(
    ("signal", "message"),
    [
        ("hidden_state/0", "no signal 'hidden_state/0'. It has embeddings, hi"),
        ("hidden_states", "no signal 'hidden_states'.*'hidden_states/0'"),
        ("hidden_states/-1", "no signal 'hidden_states/-1'"),
        ("hidden_states/2", "no 'hidden_states/2': its blocks are 0 to 1"),
        ("attention_scores/9", "its blocks are 0 to 1"),
    ],
)
def test_a_signal_that_is_not_there(signal, message):
    with pytest.raises(ValueError, match=message):
        tapped(tiny.classifier(), [signal])


def test_a_model_without_an_encoder_has_its_output_only():
    inputs = keras.Input((3,))
    model = keras.Model(inputs, keras.layers.Dense(2)(inputs), name="mine")
    x = np.ones((1, 3))
    np.testing.assert_array_equal(tapped(model, [])(x)["output"], model(x))
    with pytest.raises(ValueError, match="'mine' has no encoder of a known"):
        tapped(model, ["hidden_states/0"])


def test_a_model_that_is_not_functional():
    class Mine(keras.Model):
        def call(self, x):
            return x

    with pytest.raises(ValueError, match="'mine' is a Mine.*functional"):
        tapped(Mine(name="mine"), [])

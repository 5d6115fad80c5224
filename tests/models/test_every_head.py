"""What holds of every task, family by family."""

import heads
import keras
import keras_hub
import numpy as np
import pytest
import tiny
from on_backend import IS_JAX, compiled

from tf_distill import models
from tf_distill.distillation import tapped
from tf_distill.models.encoder import last_hidden_states

READ_POOLER = ("BertPreTraining", "BertTextClassifier")
every_head = pytest.mark.parametrize("case", heads.CASES)
KINDS = ("MaskedLM", "QuestionAnswering", "TextClassifier", "TokenClassifier")


def test_none_is_left_out():
    tested = {f"{family}{kind}" for family, kind, _ in heads.CASES.values()}
    assert tested == {x for x in models.__all__ if x.endswith(KINDS)}


@every_head
def test_round_trips(tmp_path, case):
    ours = heads.shared(case)
    inputs = heads.batch(ours)
    expected = heads.outputs_of(ours, inputs)
    ours.save(tmp_path / "task.keras")
    ours.save_to_preset(tmp_path / "preset")
    for again in (
        keras.saving.load_model(tmp_path / "task.keras", compile=False),
        type(ours).from_preset(tmp_path / "preset"),
    ):
        assert type(again) is type(ours)
        config = again.get_config()
        assert config == ours.get_config()
        for name, value in heads.CASES[case][2].items():
            assert config[name] == value
        found = heads.outputs_of(again, inputs)
        assert set(found) == set(expected)
        for name in expected:
            np.testing.assert_array_equal(found[name], expected[name])


@every_head
def test_half_precision_near_float32(case):
    ours, mixed = heads.shared(case), heads.task(case, dtype="mixed_bfloat16")
    inputs = heads.batch(ours)
    exact, found = heads.outputs_of(ours, inputs), mixed(inputs)
    found = found if isinstance(found, dict) else {"output": found}
    for name, logits in exact.items():
        assert found[name].dtype == "float32"
        assert not np.array_equal(found[name], logits)
        # A block of some twenty roundings to 8 bits, then a head's two, of
        # the largest logit that is not padding's.
        scale = np.abs(logits[logits > -5000]).max()
        np.testing.assert_allclose(found[name], logits, atol=0.08 * scale)


@every_head
def test_a_row_does_not_depend_on_its_padding(case):
    ours = heads.shared(case)
    # Beyond the first column of padding, which MobileBERT's trigrams see.
    narrow, wide = (heads.batch(ours, (2, 4, 3), width=w) for w in (5, 11))
    found, expected = (heads.outputs_of(ours, x) for x in (wide, narrow))
    real = narrow["padding_mask"] > 0
    for name in expected:
        at_tokens = expected[name].shape[:2] == real.shape
        if at_tokens:
            found[name] = found[name][:, :5][real]
            expected[name] = expected[name][real]
        np.testing.assert_allclose(
            found[name], expected[name], rtol=1e-5, atol=2e-5
        )


@every_head
def test_a_row_that_is_all_padding_is_finite(case):
    ours = heads.shared(case)
    for logits in heads.outputs_of(ours, heads.batch(ours, (0, 4))).values():
        assert np.isfinite(logits).all()


@every_head
def test_one_graph_for_all_contents(case):
    ours = heads.shared(case)
    traced = []

    @compiled
    def run(inputs):
        traced.append(inputs)
        return ours(inputs)

    for seed, lengths in enumerate([(3, 5), (5, 1), (0, 5)]):
        inputs = heads.batch(ours, lengths, width=5, seed=seed)
        expected = ours(inputs)
        keras.tree.map_structure(
            lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5),
            run(inputs),
            expected,
        )
    assert len(traced) == 1


@every_head
def test_taps(case):
    ours = heads.shared(case)
    inputs = heads.batch(ours)
    found = tapped(ours, ["hidden_states/0", "attention_scores/0"])(inputs)
    last = ours.backbone({name: inputs[name] for name in ours.backbone.input})
    np.testing.assert_allclose(
        found["hidden_states/0"], last_hidden_states(last), rtol=1e-5, atol=1e-5
    )
    assert found["attention_scores/0"].shape == (4, 2, 5, 5)
    keras.tree.map_structure(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5),
        found["output"],
        ours(inputs),
    )


@pytest.mark.parametrize(
    ("case", "parameters"),
    # D is 8, E is 8 or MobileBERT's 3, V is 20.
    [
        ("BertMaskedLM", (64 + 8) + 16 + 20),
        ("BertPreTraining", (64 + 8) + 16 + 20 + (16 + 2)),
        ("DistilBertMaskedLM", (64 + 8) + 16 + 20),
        ("MobileBertMaskedLM", (64 + 8) + 16 + 20 * 5 + 20),
        (
            "MobileBertPooledPreTraining",
            (64 + 8) + 16 + 20 * 5 + 20 + (64 + 8) + (16 + 2),
        ),
        ("BertQuestionAnswering", 16 + 2),
        ("BertTokenClassifier", 24 + 3),
        ("DistilBertTextClassifier", (64 + 8) + 24 + 3),
        ("MobileBertTextClassifier", 24 + 3),
        ("MobileBertPooledTextClassifier", (64 + 8) + 24 + 3),
    ],
)
def test_parameters_of_the_head(case, parameters):
    ours = heads.shared(case)
    assert ours.count_params() - ours.backbone.count_params() == parameters


def fit(ours, inputs, labels, **kwargs):
    optimizer = keras.optimizers.AdamW(0.03, weight_decay=0.1)
    ours.compile(optimizer=optimizer, run_eagerly=not IS_JAX)
    data = {"epochs": 4, "shuffle": False, "verbose": 0, **kwargs}
    before = tiny.weights_of(ours.backbone.pooler)
    logs = ours.fit(inputs, labels, **data).history
    after = tiny.weights_of(ours.backbone.pooler)
    unread = all(map(np.array_equal, before, after))
    # Neither a gradient nor decay moves what nothing reads, nor is it frozen.
    assert unread != ours.reads_pooler and ours.backbone.pooler.trainable
    return logs


@pytest.mark.parametrize("case", [c for c in heads.CASES if "Bert" == c[:4]])
def test_an_unread_pooler_is_left_out(case):
    ours = heads.task(case)
    poolers = set(map(id, ours.backbone.pooler.variables))
    assert len(poolers) == 2
    unread = set() if case in READ_POOLER else poolers
    for trained in (ours.trainable_variables, ours.trainable_weights):
        assert {id(v) for v in ours.weights} - set(map(id, trained)) == unread
    every = ours.trainable_variables + ours.non_trainable_variables
    assert sorted(map(id, every)) == sorted(map(id, ours.variables))
    every = ours.trainable_weights + ours.non_trainable_weights
    assert sorted(map(id, every)) == sorted(map(id, ours.weights))
    shown = []
    ours.summary(print_fn=lambda text, **_: shown.append(text))
    assert f"Total params: {ours.count_params():,} " in "".join(shown)
    ours.trainable = False
    assert not ours.trainable_variables + ours.trainable_weights
    assert len(ours.non_trainable_variables) == len(ours.variables)


def test_pre_training_by_its_own_compile():
    ours = heads.task("BertPreTraining")
    inputs = heads.batch(ours)
    labels = {
        "masked_lm": np.array([[5, 6, 7]] * 4),
        "next_sentence": np.array([0, 1, 1, 0]),
    }
    weights = {
        "masked_lm": np.array([[1.0, 1.0, 0.0]] * 4),
        "next_sentence": np.ones(4),
    }
    before = heads.outputs_of(ours, inputs)
    table = ours.backbone.token_embedding.embeddings.numpy()
    logs = fit(ours, inputs, labels, sample_weight=weights)
    # Of the first step: the mean over the predictions that count.
    words = -tiny.log_softmax(before["masked_lm"])
    words = np.take_along_axis(words, labels["masked_lm"][..., None], -1)
    words = words[..., 0][weights["masked_lm"] > 0].mean()
    follows = -tiny.log_softmax(before["next_sentence"])[
        np.arange(4), labels["next_sentence"]
    ]
    np.testing.assert_allclose(
        logs["loss"][0], words + follows.mean(), rtol=1e-4
    )
    assert logs["loss"][-1] < logs["loss"][0]
    assert not np.allclose(table, ours.backbone.token_embedding.embeddings)


def test_question_answering_by_its_own_compile():
    ours = heads.task("BertQuestionAnswering", dropout=0.0)
    inputs = heads.batch(ours)
    labels = {"start": np.array([0, 3, 1, 2]), "end": np.array([0, 4, 1, 2])}
    before = heads.outputs_of(ours, inputs)
    logs = fit(ours, inputs, labels)
    expected = sum(
        -tiny.log_softmax(before[name])[np.arange(4), labels[name]].mean()
        for name in labels
    )
    np.testing.assert_allclose(logs["loss"][0], expected, rtol=1e-4)
    assert logs["loss"][-1] < logs["loss"][0]


def test_token_classification_leaves_out_what_weighs_nothing():
    ours = heads.task("BertTokenClassifier", dropout=0.0)
    inputs = heads.batch(ours)
    labels = inputs["token_ids"] % 3
    real = inputs["padding_mask"].astype("float32")
    before = heads.outputs_of(ours, inputs)["output"]
    logs = fit(ours, inputs, labels, sample_weight=real)
    terms = -np.take_along_axis(tiny.log_softmax(before), labels[..., None], -1)
    np.testing.assert_allclose(
        logs["loss"][0], terms[..., 0][real > 0].mean(), rtol=1e-4
    )
    right = (before.argmax(-1) == labels)[real > 0].mean()
    np.testing.assert_allclose(
        logs["sparse_categorical_accuracy"][0], right, rtol=1e-5
    )


def test_masked_words_of_text():
    preprocessor = models.BertMaskedLMPreprocessor(
        keras_hub.models.BertTokenizer(tiny.WORDS, lowercase=True),
        sequence_length=9,
        mask_selection_rate=1.0,
        mask_selection_length=6,
        mask_token_rate=1.0,
        random_token_rate=0.0,
    )
    x, y, weight = preprocessor(x=(["the cat"], ["sat"]))
    words = [tiny.WORDS[i] for i in np.array(y)[0]]
    assert words == ["the", "cat", "sat", "[PAD]", "[PAD]", "[PAD]"]
    np.testing.assert_array_equal(weight, [[1, 1, 1, 0, 0, 0]])
    np.testing.assert_array_equal(
        np.array(x["mask_positions"])[:, :3], [[1, 2, 4]]
    )
    pytest.importorskip("tensorflow", reason="KerasHub fits on text with it")
    ours = heads.task("BertPreTraining", preprocessor=preprocessor)
    ours.compile(run_eagerly=True)
    text = (["the cat"] * 4, ["sat", "ran"] * 2)
    logs = ours.fit(
        text, np.array([0, 1, 0, 1]), shuffle=False, verbose=0
    ).history
    assert {"masked_lm_loss", "next_sentence_loss"} < set(logs)


@pytest.mark.parametrize("family", ["Bert", "DistilBert"])
def test_the_text_is_cut_and_the_question_is_not(family):
    tokenizer = getattr(keras_hub.models, f"{family}Tokenizer")(tiny.WORDS)
    cls = getattr(models, f"{family}QuestionAnsweringPreprocessor")
    x = cls(tokenizer, sequence_length=9)(
        x=(["the big dog ran"], ["a cat sat good bad red"])
    )
    words = [tiny.WORDS[i] for i in np.array(x["token_ids"])[0]]
    question = "[CLS] the big dog ran [SEP] a cat [SEP]"
    assert words == question.split()


@pytest.mark.parametrize(
    ("family", "kind", "argument"),
    [
        ("Bert", "MaskedLM", {"mask_selection_rate": 0.5}),
        ("Bert", "QuestionAnswering", {"truncate": "round_robin"}),
        ("DistilBert", "QuestionAnswering", {"truncate": "round_robin"}),
        ("Bert", "TokenClassifier", {"truncate": "waterfall"}),
        ("DistilBert", "TokenClassifier", {"truncate": "waterfall"}),
    ],
)
def test_a_preset_with_its_preprocessor(tmp_path, family, kind, argument):
    cls = getattr(models, f"{family}{kind}")
    tokenizer = getattr(keras_hub.models, f"{family}Tokenizer")(tiny.WORDS)
    given = {"sequence_length": 7, **argument}
    preprocessor = cls.preprocessor_cls(tokenizer, **given)
    ours = heads.task(f"{family}{kind}", preprocessor=preprocessor)
    ours.save_to_preset(tmp_path)
    again = cls.from_preset(tmp_path).preprocessor
    assert type(again) is cls.preprocessor_cls
    assert again.get_config() == preprocessor.get_config()
    assert given.items() <= again.get_config().items()
    assert again.tokenizer.get_vocabulary() == tiny.WORDS


def test_one_task_s_encoder_for_another(tmp_path):
    ours = heads.task("BertMaskedLM", preprocessor=tiny.preprocessor())
    ours.save_to_preset(tmp_path)
    with pytest.warns(
        models.NewHeadWarning, match="no head of BertQuestionAnswering"
    ):
        other = models.BertQuestionAnswering.from_preset(tmp_path)
    tiny.assert_same_weights(
        tiny.weights_of(ours.backbone), tiny.weights_of(other.backbone)
    )
    with pytest.raises(ValueError, match="pass `num_classes`"):
        models.BertTokenClassifier.from_preset(tmp_path)


def test_embeddings_wider_than_the_hidden_states():
    backbone = heads.BACKBONES["MobileBert"](embedding_dim=9)
    with pytest.raises(ValueError, match="`embedding_dim` that is at most"):
        models.MobileBertMaskedLM(backbone)


def test_a_copy_has_one_table_too():
    ours = heads.shared("MobileBertMaskedLM")
    # Keras copies layer by layer: the copy would score words by another table
    # than it reads them by.
    with pytest.raises(NotImplementedError, match="copy the whole task"):
        keras.models.clone_model(ours)
    again = type(ours).from_config(ours.get_config())
    again.set_weights(ours.get_weights())
    inputs = heads.batch(ours)
    np.testing.assert_array_equal(again(inputs), ours(inputs))


@every_head
def test_an_encoder_of_another_family(case):
    family, kind, arguments = heads.CASES[case]
    other = "DistilBert" if family in ("Bert", "TinyBert") else "Bert"
    cls = getattr(models, f"{family}{kind}")
    encoder = heads.shared(f"{other}MaskedLM").backbone
    with pytest.raises(ValueError, match=f"but `backbone` is a .*{other}Back"):
        cls(encoder, **arguments)


def test_a_head_that_there_is_not():
    encoder = heads.shared("DistilBertMaskedLM").backbone
    with pytest.raises(ValueError, match="no head for next sentences"):
        models.DistilBertMaskedLM(encoder, next_sentence=True)

import encoders
import folders
import google_folders
import numpy as np
import pytest
import tiny

from tf_distill import models
from tf_distill.checkpoints import GoogleCheckpoint, HuggingFaceFolder
from tf_distill.export import hugging_face
from tf_distill.models import (
    BertBackbone,
    BertTextClassifier,
    MobileBertBackbone,
    MobileBertTextClassifier,
    TinyBertTextClassifier,
)

LABELS = ["LABEL_0", "LABEL_1", "LABEL_2"]
INPUTS = tiny.batch((1, 7, 4, 9), width=11)


def write_bert(folder, tensors=None, **config):
    tensors = tensors or tiny.hugging_face_tensors()
    values = google_folders.variables(tensors, google_folders.bert_names())
    config = {**google_folders.BERT_CONFIG, **config}
    return google_folders.write(folder, values, config)


def mobile(no_norm):
    """Sizes, config and name map of a MobileBERT, or of an IB-BERT."""
    if no_norm:
        sizes = {}
        config = google_folders.MOBILE_BERT_CONFIG
        names = google_folders.mobile_bert_names()
    else:
        sizes = {
            "bottleneck": 12,
            "inner": 24,
            "num_feed_forward": 1,
            "attention_input": "hidden_states",
        }
        config = google_folders.IB_BERT_CONFIG
        names = google_folders.mobile_bert_names("LayerNorm", 1)
    return encoders.mobile_tensors(**sizes), config, names


@pytest.mark.parametrize("by_prefix", [False, True])
def test_bert_s_outputs(tmp_path, by_prefix):
    tensors = tiny.hugging_face_tensors()
    folder = write_bert(tmp_path / "google", tensors)
    # Google's GELU is the tanh approximation.
    folders.write(tmp_path / "theirs", tensors, hidden_act="gelu_new")
    preset = folder / "bert_model.ckpt" if by_prefix else folder
    ours = BertBackbone.from_preset(preset)
    expected = BertBackbone.from_preset(tmp_path / "theirs")
    for name, value in expected(INPUTS).items():
        np.testing.assert_array_equal(ours(INPUTS)[name], value)
    tiny.assert_same_weights(tiny.weights_of(expected), tiny.weights_of(ours))


def test_a_fine_tuned_classifier(tmp_path):
    tensors = tiny.hugging_face_tensors(num_classes=3)
    write_bert(tmp_path, tensors)
    ours = BertTextClassifier.from_preset(tmp_path)
    assert ours.label_names == LABELS
    pooled = BertBackbone.from_preset(tmp_path)(INPUTS)["pooled_output"]
    expected = pooled.numpy() @ tensors["classifier.weight"].T
    expected += tensors["classifier.bias"]
    np.testing.assert_allclose(ours(INPUTS), expected, atol=1e-5)
    assert ours.preprocessor(["The CAT"])["token_ids"][0, 1] == 5  # the
    with pytest.raises(ValueError, match="no classification head of this"):
        TinyBertTextClassifier.from_preset(tmp_path)


@pytest.mark.parametrize("no_norm", [True, False], ids=["mobile", "ib"])
def test_mobile_bert_s_and_ib_bert_s_outputs(tmp_path, no_norm):
    tensors, config, names = mobile(no_norm)
    values = google_folders.variables(tensors, names)
    google_folders.write(tmp_path, values, config, "mobilebert_variables.ckpt")
    ours = MobileBertBackbone.from_preset(tmp_path)
    expected = encoders.numpy_mobile_bert(
        tensors,
        INPUTS,
        layer_norm=not no_norm,
        activation=None if no_norm else gelu_approximate,
    )
    np.testing.assert_allclose(
        ours(INPUTS)[INPUTS["padding_mask"] > 0],
        expected["hidden_states/1"][INPUTS["padding_mask"] > 0],
        atol=5e-5,
    )


def gelu_approximate(x):
    return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))


def test_ib_bert_s_pooler_is_its_classifier_s(tmp_path):
    tensors, config, names = mobile(no_norm=False)
    generator = np.random.default_rng(1)
    for name, shape in (("pooler.dense", (8, 8)), ("classifier", (3, 8))):
        value = generator.normal(size=shape).astype("float32")
        tensors[f"{name}.weight"] = value
        tensors[f"{name}.bias"] = value[:, 0]
    values = google_folders.variables(tensors, names)
    google_folders.write(tmp_path, values, config)
    ours = MobileBertTextClassifier.from_preset(tmp_path)
    assert ours.label_names == LABELS
    first = ours.backbone(INPUTS)[:, 0].numpy()
    pooled = np.tanh(
        first @ tensors["pooler.dense.weight"].T + tensors["pooler.dense.bias"]
    )
    expected = pooled @ tensors["classifier.weight"].T
    expected += tensors["classifier.bias"]
    np.testing.assert_allclose(ours(INPUTS), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("family", "kind", "arguments"),
    [
        ("Bert", "MaskedLM", {"next_sentence": True}),
        ("Bert", "QuestionAnswering", {}),
        ("MobileBert", "MaskedLM", {"next_sentence": True}),
    ],
)
def test_heads(tmp_path, family, kind, arguments):
    # Google's MobileBERT has more in its vocabulary's matrix.
    mobile = family == "MobileBert"
    encoder = (
        encoders.mobile_bert()
        if mobile
        else tiny.backbone(activation="gelu_approximate")
    )
    cls = getattr(models, f"{family}{kind}")
    expected = tiny.randomize(cls(encoder, **arguments))
    theirs = HuggingFaceFolder(hugging_face(expected, tmp_path / "theirs"))
    tensors = {
        name.removeprefix(f"{family.lower()}."): value
        for name, value in theirs.tensors().items()
    }
    names = (
        google_folders.mobile_bert_names()
        if mobile
        else google_folders.bert_names()
    )
    config = google_folders.BERT_CONFIG
    if mobile:
        config = google_folders.MOBILE_BERT_CONFIG
    google_folders.write(
        tmp_path / "google", google_folders.variables(tensors, names), config
    )
    ours = cls.from_preset(tmp_path / "google", **arguments)
    tiny.assert_same_weights(tiny.weights_of(expected), tiny.weights_of(ours))


@pytest.mark.parametrize("no_norm", [True, False], ids=["mobile", "ib"])
def test_norms_of_the_other_kind(tmp_path, no_norm):
    # They have the same shapes: only the names tell.
    tensors, config, names = mobile(no_norm)
    values = google_folders.variables(tensors, names)
    kind = "layer_norm" if no_norm else "no_norm"
    google_folders.write(
        tmp_path, values, {**config, "normalization_type": kind}
    )
    found = "FakeLayerNorm" if no_norm else "LayerNorm"
    with pytest.raises(ValueError) as error:
        MobileBertBackbone.from_preset(tmp_path)
    assert f"bert/embeddings/{found}/gamma: left over" in str(error.value)
    assert "embeddings.LayerNorm.weight: missing" in str(error.value)


def test_what_belongs_to_training_is_left_unread(tmp_path):
    tensors = tiny.hugging_face_tensors(num_classes=3)
    values = google_folders.variables(tensors, google_folders.bert_names())
    for name, value in dict(values).items():
        values[f"{name}/adam_m"] = values[f"{name}/adam_v"] = 0 * value
        values[f"teacher/{name}"] = 0 * value
    values["global_step"] = np.int64(7)
    google_folders.write(tmp_path, values, google_folders.BERT_CONFIG)
    found = GoogleCheckpoint(tmp_path).tensors()
    assert found.keys() == tensors.keys()
    for name, value in tensors.items():
        np.testing.assert_array_equal(found[name], value)


def test_every_variable_of_pre_training_has_a_name(tmp_path):
    for names in (
        google_folders.bert_names(),
        google_folders.mobile_bert_names(),
    ):
        values = {n: np.full((2, 3), i, "f") for i, n in enumerate(names)}
        google_folders.write(
            tmp_path,
            values,
            google_folders.MOBILE_BERT_CONFIG
            if "cls/predictions/extra_output_weights" in names
            else google_folders.BERT_CONFIG,
        )
        found = GoogleCheckpoint(tmp_path).tensors()
        assert found.keys() == set(names.values())
        for number, (name, theirs) in enumerate(names.items()):
            assert (found[theirs] == number).all()
            swapped = name.endswith(("/kernel", "extra_output_weights"))
            assert found[theirs].shape == ((3, 2) if swapped else (2, 3))


def test_all_problems_at_once(tmp_path):
    tensors = tiny.hugging_face_tensors()
    values = google_folders.variables(tensors, google_folders.bert_names())
    del values["bert/encoder/layer_1/output/dense/bias"]
    values["bert/encoder/layer_0/attention/self/key/kernel"] = np.ones((8, 4))
    values["bert/encoder/layer_2/output/dense/bias"] = np.ones(8)
    values["bert/nowhere"] = np.ones(8)
    values["bert/pooler/dense/bias"] = np.arange(8)
    google_folders.write(tmp_path, values, google_folders.BERT_CONFIG)
    with pytest.raises(ValueError) as error:
        BertBackbone.from_preset(tmp_path)
    message = str(error.value)
    for problem in (
        "bert_model.ckpt",
        "encoder.layer.1.output.dense.bias: missing",
        "encoder.layer.0.attention.self.key.weight: shape",
        "encoder.layer.2.output.dense.bias: left over",
        "bert/nowhere: left over",
        "pooler.dense.bias: of int64",
    ):
        assert problem in message
    assert message.count("\n  ") == 5


def test_problems_of_the_head_and_the_encoder_at_once(tmp_path):
    tensors = tiny.hugging_face_tensors(num_classes=3)
    values = google_folders.variables(tensors, google_folders.bert_names())
    del values["output_bias"], values["bert/pooler/dense/bias"]
    google_folders.write(tmp_path, values, google_folders.BERT_CONFIG)
    with pytest.raises(ValueError) as error:
        BertTextClassifier.from_preset(tmp_path)
    assert "  classifier.bias: missing" in str(error.value)
    assert "  pooler.dense.bias: missing" in str(error.value)
    assert str(error.value).count("\n  ") == 2


@pytest.mark.parametrize(
    ("dtype", "read"),
    [
        ("float16", True),
        ("bfloat16", True),
        ("float64", True),
        ("int8", False),
        ("uint16", False),
        ("bool", False),
        ("complex64", False),
        ("S", False),
    ],
)
def test_dtypes(tmp_path, dtype, read):
    import ml_dtypes

    tensors = tiny.hugging_face_tensors()
    name = "encoder.layer.1.output.dense.weight"
    dtype = getattr(ml_dtypes, dtype, None) or np.dtype(dtype)
    tensors[name] = tensors[name].astype(dtype)
    write_bert(tmp_path, tensors)
    if not read:
        with pytest.raises(ValueError, match=rf"\n  {name}: of ") as error:
            BertBackbone.from_preset(tmp_path)
        assert "bert_model.ckpt" in str(error.value)
        assert str(error.value).count("\n  ") == 1
        return
    kernel = BertBackbone.from_preset(tmp_path).blocks[1].get_layer("output")
    expected = tensors[name].astype("float32").T
    np.testing.assert_array_equal(kernel.kernel, expected)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite(tmp_path, value):
    tensors = tiny.hugging_face_tensors()
    tensors["pooler.dense.bias"][3] = value
    write_bert(tmp_path, tensors)
    with pytest.raises(ValueError, match="pooler.dense.bias: holds NaN or"):
        BertBackbone.from_preset(tmp_path)


@pytest.mark.parametrize(
    ("words", "lowercase"),
    [(tiny.WORDS, True), ([*tiny.WORDS[:-1], "The"], False)],
)
def test_a_capital_among_the_words_says_that_they_are_cased(
    tmp_path, words, lowercase
):
    values = google_folders.variables(
        tiny.hugging_face_tensors(), google_folders.bert_names()
    )
    google_folders.write(
        tmp_path, values, google_folders.BERT_CONFIG, words=words
    )
    checkpoint = GoogleCheckpoint(tmp_path)
    assert checkpoint.lowercase() is checkpoint.strip_accents() is lowercase
    assert checkpoint.vocabulary() == words


def test_configs_that_are_not_read(tmp_path):
    write_bert(tmp_path, hidden_act="tanh")
    with pytest.raises(ValueError, match="bert_config.json: hidden_act is 'ta"):
        BertBackbone.from_preset(tmp_path)
    write_bert(tmp_path, num_attention_heads=3)
    with pytest.raises(ValueError, match="bert_config.json: .*attention_heads"):
        BertBackbone.from_preset(tmp_path)
    write_bert(tmp_path)
    with pytest.raises(ValueError, match="is a 'bert', but only 'mobilebert'"):
        MobileBertBackbone.from_preset(tmp_path)
    # What Google's code would assume.
    config = dict(google_folders.BERT_CONFIG)
    del config["type_vocab_size"]
    (tmp_path / "bert_config.json").write_text(str(config).replace("'", '"'))
    with pytest.raises(ValueError, match="token_type_embeddings.*shape"):
        BertBackbone.from_preset(tmp_path)


def test_which_checkpoint(tmp_path):
    write_bert(tmp_path)
    (tmp_path / "other.ckpt.index").touch()
    with pytest.raises(ValueError, match="bert_model.ckpt, other.ckpt. Pass"):
        BertBackbone.from_preset(tmp_path)
    BertBackbone.from_preset(tmp_path / "bert_model.ckpt")
    for file in tmp_path.glob("*.index"):
        file.unlink()
    with pytest.raises(ValueError, match="not one checkpoint.*none"):
        BertBackbone.from_preset(tmp_path)
    with pytest.raises(ValueError, match="There is no folder"):
        BertBackbone.from_preset(tmp_path / "bert_model.ckpt")


def test_a_checkpoint_without_its_config(tmp_path):
    write_bert(tmp_path)
    (tmp_path / "bert_config.json").unlink()
    with pytest.raises(ValueError, match="has no bert_config.json"):
        BertBackbone.from_preset(tmp_path / "bert_model.ckpt")


@pytest.mark.parametrize("ending", ["index", "data-00000-of-00001"])
def test_broken_files(tmp_path, ending):
    write_bert(tmp_path)
    file = tmp_path / f"bert_model.ckpt.{ending}"
    content = file.read_bytes()
    generator = np.random.default_rng(0)
    for _ in range(20):
        place = int(generator.integers(len(content)))
        flipped = bytearray(content)
        flipped[place] ^= 1 << int(generator.integers(8))
        for broken in (flipped, content[:place]):
            file.write_bytes(broken)
            with pytest.raises(ValueError, match=r"bert_model\.ckpt is not a"):
                BertBackbone.from_preset(tmp_path)
    file.unlink()
    with pytest.raises(ValueError, match="bert_config.json, but not one|not a"):
        BertBackbone.from_preset(tmp_path)

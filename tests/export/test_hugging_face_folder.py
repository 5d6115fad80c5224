import json
import resource
import struct
import warnings

import encoders
import keras_hub
import numpy as np
import pytest
import tiny
import tokenizers

from tf_distill import Distiller, LogitMatch, losses, models
from tf_distill.export import hugging_face, model_card

# transformers' epsilon is another, which is warned of.
pytestmark = pytest.mark.filterwarnings("ignore:.*with an epsilon of 1e-5")
ENCODERS = {
    "bert": lambda: tiny.backbone(activation="gelu_approximate"),
    "distil_bert": lambda: encoders.distil_bert(dropout=0.2),
    "mobile_bert": encoders.mobile_bert,
    "mobile_bert_tiny": lambda: encoders.mobile_bert(
        attention_input="bottleneck", num_feed_forward=2
    ),
    # All but its inverted bottleneck, which transformers does not have.
    "ib_bert": lambda: encoders.mobile_bert(
        **{**encoders.IB_BERT, "bottleneck_dim": 8}
    ),
}
BERT, DISTIL, MOBILE = ("bert", "distil_bert", "mobile_bert")
TASKS = {
    "bert_classifier": (BERT, "BertTextClassifier", {"num_classes": 3}),
    "bert_labels": (
        BERT,
        "BertTextClassifier",
        {
            "num_classes": 2,
            "task": "multilabel",
            "label_names": ["né", "日本"],
            "dropout": 0.3,
        },
    ),
    "bert_masked_lm": (BERT, "BertMaskedLM", {}),
    "bert_pretraining": (BERT, "BertMaskedLM", {"next_sentence": True}),
    "distil_bert_score": (
        DISTIL,
        "DistilBertTextClassifier",
        {"num_classes": 1, "dropout": 0.3},
    ),
    "distil_bert_masked_lm": (DISTIL, "DistilBertMaskedLM", {}),
    "distil_bert_answers": (
        DISTIL,
        "DistilBertQuestionAnswering",
        {"dropout": 0.3},
    ),
    "bert_tokens": (
        BERT,
        "BertTokenClassifier",
        {"num_classes": 2, "label_names": ["O", "B-né"], "dropout": 0.3},
    ),
    "mobile_bert_answers": (MOBILE, "MobileBertQuestionAnswering", {}),
    "mobile_bert_classifier": (
        MOBILE,
        "MobileBertTextClassifier",
        {"num_classes": 3, "dropout": 0.3},
    ),
    "ib_bert_classifier": (
        "ib_bert",
        "MobileBertTextClassifier",
        {"num_classes": 3, "classifier_activation": True},
    ),
    "mobile_bert_masked_lm": (MOBILE, "MobileBertMaskedLM", {}),
    "ib_bert_pretraining": (
        "ib_bert",
        "MobileBertMaskedLM",
        {"next_sentence": True, "classifier_activation": True},
    ),
}


def task_of(name, **options):
    encoder, cls, arguments = TASKS[name]
    arguments = {**arguments, **options}
    return tiny.randomize(
        getattr(models, cls)(ENCODERS[encoder](), **arguments)
    )


def config_of(folder):
    return json.loads((folder / "config.json").read_text())


def header_of(folder):
    """The JSON that a safetensors file begins with."""
    with open(folder / "model.safetensors", "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        return json.loads(file.read(length))


@pytest.mark.parametrize("encoder", ENCODERS)
def test_an_encoder_there_and_back(tmp_path, encoder):
    ours = ENCODERS[encoder]()
    folder = hugging_face(ours, tmp_path / "theirs")
    again = type(ours).from_preset(folder)
    tiny.assert_same_weights(tiny.weights_of(ours), tiny.weights_of(again))
    given, found = ours.get_config(), again.get_config()
    given.pop("name"), found.pop("name")
    assert found == given


@pytest.mark.parametrize("name", TASKS)
def test_a_task_there_and_back(tmp_path, name):
    preprocessor = tiny.preprocessor() if "class" in name else None
    ours = task_of(name, preprocessor=preprocessor)
    # Without a preprocessor there are no words to write, but some to read.
    folder = hugging_face(
        ours, tmp_path / "theirs", tokenizer=tiny.preprocessor().tokenizer
    )
    further = {}
    if getattr(ours, "next_sentence", False):
        further["next_sentence"] = True
    again = type(ours).from_preset(folder, **further)
    tiny.assert_same_weights(tiny.weights_of(ours), tiny.weights_of(again))
    for option in ("task", "dropout", "num_classes", "classifier_activation"):
        assert getattr(again, option, None) == getattr(ours, option, None)
    if getattr(ours, "label_names", None):
        assert again.label_names == ours.label_names


def test_what_a_bert_s_files_hold(tmp_path):
    ours = tiny.classifier(
        label_names=["bad", "so-so", "good"], preprocessor=tiny.preprocessor()
    )
    folder = hugging_face(ours, tmp_path)
    header = header_of(folder)
    assert header.pop("__metadata__") == {"format": "pt"}
    expected = {
        name if name.startswith("classifier.") else f"bert.{name}": value
        for name, value in tiny.hugging_face_tensors(num_classes=3).items()
    }
    assert {name: tuple(entry["shape"]) for name, entry in header.items()} == {
        name: value.shape for name, value in expected.items()
    }
    assert {entry["dtype"] for entry in header.values()} == {"F32"}
    # A kernel's bytes lie as PyTorch has them: outputs first.
    entry = header["bert.encoder.layer.1.intermediate.dense.weight"]
    with open(folder / "model.safetensors", "rb") as file:
        content = file.read()
    start = 8 + struct.unpack("<Q", content[:8])[0]
    first, last = entry["data_offsets"]
    found = np.frombuffer(content[start + first : start + last], "<f4")
    kernel = ours.backbone.blocks[1].get_layer("intermediate").kernel.numpy()
    np.testing.assert_array_equal(found.reshape(16, 8)[:, 3], kernel[3])
    config = config_of(folder)
    for key, value in {
        "architectures": ["BertForSequenceClassification"],
        "model_type": "bert",
        "vocab_size": 20,
        "hidden_size": 8,
        "intermediate_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "hidden_act": "gelu",
        "max_position_embeddings": 12,
        "type_vocab_size": 2,
        "problem_type": "single_label_classification",
        "id2label": {"0": "bad", "1": "so-so", "2": "good"},
        "label2id": {"bad": 0, "so-so": 1, "good": 2},
    }.items():
        assert config[key] == value, key
    assert sorted(path.name for path in folder.iterdir()) == [
        "config.json",
        "model.safetensors",
        "special_tokens_map.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "vocab.txt",
    ]


@pytest.mark.parametrize(
    ("name", "class_name", "problem_type"),
    [
        (
            "bert_labels",
            "BertForSequenceClassification",
            "multi_label_classification",
        ),
        (
            "distil_bert_score",
            "DistilBertForSequenceClassification",
            "regression",
        ),
        ("bert_pretraining", "BertForPreTraining", None),
        ("distil_bert_masked_lm", "DistilBertForMaskedLM", None),
        ("mobile_bert_answers", "MobileBertForQuestionAnswering", None),
    ],
)
def test_what_the_config_says_of_a_head(
    tmp_path, name, class_name, problem_type
):
    config = config_of(hugging_face(task_of(name), tmp_path))
    assert config["architectures"] == [class_name]
    assert config.get("problem_type") == problem_type
    assert ("id2label" in config) == (problem_type is not None)


def test_an_epsilon_that_is_not_theirs_is_said(tmp_path):
    # `transformers` gives NORM2FN's layer normalization no epsilon there.
    ours = encoders.mobile_bert(normalization="layer_norm")
    message = "epsilon of 1e-5, this package.* 1e-12: outputs differ"
    with pytest.warns(UserWarning, match=message) as record:
        folder = hugging_face(ours, tmp_path / "theirs")
    assert [entry.filename for entry in record] == [__file__]
    with pytest.warns(UserWarning, match=message) as record:
        models.MobileBertBackbone.from_preset(folder)
    assert [entry.filename for entry in record] == [__file__]
    with pytest.warns(UserWarning, match=message) as record:
        models.MobileBertTextClassifier.from_preset(
            folder, num_classes=2, preprocessor=None
        )
    assert [entry.filename for entry in record] == [__file__]
    # NoNorm has none, and there is nothing to say: warnings are errors.
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        hugging_face(encoders.mobile_bert(), tmp_path / "no_norm")
        models.MobileBertBackbone.from_preset(tmp_path / "no_norm")


def test_labels_of_one_name_are_refused(tmp_path):
    for cls in (models.BertTextClassifier, models.BertTokenClassifier):
        # Two names here, and one as JSON's keys are.
        ours = cls(tiny.backbone(), 3, label_names=["1", "yes", 1])
        with pytest.raises(ValueError, match="cannot tell apart: 1. Build"):
            hugging_face(ours, tmp_path / "theirs")
        assert not (tmp_path / "theirs").exists()


@pytest.mark.parametrize("lowercase", [True, False])
def test_the_tokenizer_gives_the_same_ids(tmp_path, lowercase):
    words = [*tiny.WORDS[:-1], "é", "The", "日"]
    tokenizer = keras_hub.models.BertTokenizer(
        words, lowercase=lowercase, strip_accents=False
    )
    preprocessor = keras_hub.models.BertTextClassifierPreprocessor(
        tokenizer, sequence_length=12
    )
    backbone = tiny.backbone(vocabulary_size=len(words))
    folder = hugging_face(backbone, tmp_path, tokenizer=tokenizer)
    theirs = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    texts = ["The big CAT", "a 日red é dog ran!", ""]
    others = ["two dogs", "sat", "the"]
    expected = preprocessor(x=(texts, others))
    for i, pair in enumerate(zip(texts, others, strict=True)):
        found = theirs.encode(*pair)
        length = len(found.ids)
        assert found.ids == list(expected["token_ids"][i][:length])
        assert found.type_ids == list(expected["segment_ids"][i][:length])
        assert not any(expected["padding_mask"][i][length:])
    assert (folder / "vocab.txt").read_text().splitlines() == words
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    assert settings["do_lower_case"] is lowercase
    assert settings["strip_accents"] is False
    assert settings["model_max_length"] == 12


def test_a_model_card(tmp_path):
    card = model_card(
        tmp_path / "card.md",
        name="tiny",
        summary="Café.",
        rows=[{"name": "tiny", "accuracy": 0.5}],
        config={},
        licence="mit",
        data="None.",
        limits="All.",
    ).read_text()
    folder = hugging_face(tiny.backbone(), tmp_path / "theirs", card=card)
    assert (folder / "README.md").read_text() == card


def test_half_precision_is_written_as_float32(tmp_path):
    ours = encoders.distil_bert(dtype="bfloat16")
    folder = hugging_face(ours, tmp_path)
    header = header_of(folder)
    del header["__metadata__"]
    assert {entry["dtype"] for entry in header.values()} == {"F32"}
    again = models.DistilBertBackbone.from_preset(folder)
    for before, after in zip(ours.weights, again.weights, strict=True):
        np.testing.assert_array_equal(
            before.numpy().astype("float32"), after.numpy()
        )


def test_a_tiny_bert_s_head_is_refused(tmp_path):
    ours = tiny.classifier(cls=models.TinyBertTextClassifier)
    with pytest.raises(ValueError, match="no class that computes.*backbone"):
        hugging_face(ours, tmp_path / "theirs")
    assert not (tmp_path / "theirs").exists()
    folder = hugging_face(ours.backbone, tmp_path / "theirs")
    again = models.TinyBertTextClassifier.from_preset(
        folder, num_classes=3, preprocessor=None
    )
    tiny.assert_same_weights(
        tiny.weights_of(ours.backbone), tiny.weights_of(again.backbone)
    )


def test_other_models_are_refused(tmp_path):
    theirs = keras_hub.models.BertBackbone(**{**tiny.SIZES, "num_layers": 1})
    student = tiny.classifier()
    distiller = Distiller(
        student=student,
        teacher=tiny.classifier(),
        losses=[LogitMatch(losses.SoftCrossEntropy())],
    )
    unknown = tiny.backbone(activation="tanh")
    replacing = encoders.mobile_bert(mask_rule="replace", mask_value=-6.0)
    inverted = encoders.mobile_bert(**encoders.IB_BERT)
    quantized = tiny.backbone(num_layers=1)
    quantized.blocks[0].get_layer("query").quantize("int8")
    for model, message in (
        (quantized, "quantized by Keras .* export the model as it was before"),
        (inverted, "bottleneck's width, 12, and could not load it"),
        (theirs, "not a BertBackbone. KerasHub's"),
        (distiller, "pass `distiller.student`"),
        (unknown, "'tanh' has no name in Hugging Face's"),
        (replacing, "mask_rule='replace', but"),
    ):
        with pytest.raises(ValueError, match=message):
            hugging_face(model, tmp_path / "theirs")
    assert not any(tmp_path.iterdir())


def test_tokenizers_that_do_not_fit(tmp_path):
    def tokenizer(words, **options):
        return keras_hub.tokenizers.WordPieceTokenizer(words, **options)

    for given, message in (
        (tokenizer([*tiny.WORDS, "more"]), "knows 21 words but .* for 20"),
        (tokenizer(tiny.WORDS, split_on_cjk=False), "splits words otherwise"),
        (tokenizer(tiny.WORDS[1:]), r"missing \['\[PAD\]'\]"),
    ):
        with pytest.raises(ValueError, match=message):
            hugging_face(tiny.backbone(), tmp_path / "theirs", tokenizer=given)
    assert not any(tmp_path.iterdir())


def test_a_folder_that_holds_something_is_left_alone(tmp_path):
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(ValueError, match="holds something already"):
        hugging_face(tiny.backbone(), tmp_path)
    with pytest.raises(ValueError, match="cannot write to .*mine"):
        hugging_face(tiny.backbone(), tmp_path / "mine")
    with pytest.raises(ValueError, match="cannot write to"):
        hugging_face(tiny.backbone(), tmp_path / "mine" / "below")
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    assert (tmp_path / "mine").read_text() == "mine"


def test_whole_or_not_at_all(tmp_path, monkeypatch):
    import safetensors.numpy

    def interrupted(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(safetensors.numpy, "save", interrupted)
        with pytest.raises(KeyboardInterrupt):
            hugging_face(tiny.backbone(), tmp_path / "theirs")
    assert not any(tmp_path.iterdir())
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        with pytest.raises(ValueError, match="theirs'.*make room"):
            hugging_face(tiny.backbone(), tmp_path / "theirs")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not any(tmp_path.iterdir())
    hugging_face(tiny.backbone(), tmp_path / "theirs")
    assert [path.name for path in tmp_path.iterdir()] == ["theirs"]

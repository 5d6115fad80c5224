import json

import encoders
import folders
import numpy as np
import pytest
import safetensors.numpy
import tiny

from tf_distill.checkpoints import HuggingFaceFolder
from tf_distill.models import (
    BertBackbone,
    BertTextClassifier,
    DistilBertBackbone,
)


def old_names(name):
    return name.replace("LayerNorm.weight", "LayerNorm.gamma").replace(
        "LayerNorm.bias", "LayerNorm.beta"
    )


@pytest.mark.parametrize(
    "rename",
    [str, "bert.{}".format, old_names, lambda n: "bert." + old_names(n)],
    ids=["bare", "prefixed", "gamma", "prefixed_gamma"],
)
def test_the_encoder_computes_what_its_weights_say(tmp_path, rename):
    tensors = tiny.hugging_face_tensors()
    folders.write(tmp_path, {rename(k): v for k, v in tensors.items()})
    ours = BertBackbone.from_preset(tmp_path)
    inputs = tiny.batch((1, 7, 4, 9), width=11)
    expected = tiny.numpy_bert(tensors, inputs)
    found = ours(inputs)
    real = inputs["padding_mask"] > 0
    for name in found:
        part = real if name == "sequence_output" else slice(None)
        np.testing.assert_allclose(
            found[name].numpy()[part], expected[name][part], atol=2e-5
        )


def test_the_config_is_read(tmp_path):
    tensors = tiny.hugging_face_tensors()
    folders.write(
        tmp_path,
        tensors,
        hidden_act="gelu_new",
        hidden_dropout_prob=0.3,
        attention_probs_dropout_prob=0.3,
    )
    ours = BertBackbone.from_preset(tmp_path)
    assert ours.activation == "gelu_approximate"
    assert ours.dropout == 0.3
    assert ours.max_sequence_length == 12
    assert BertBackbone.from_preset(tmp_path, dropout=0.0).dropout == 0.0


@pytest.mark.parametrize(
    ("cls", "tensors", "config", "message"),
    [
        (
            BertBackbone,
            tiny.hugging_face_tensors,
            {"hidden_dropout_prob": 0.3, "attention_probs_dropout_prob": 0.0},
            r"attention_probs_dropout_prob 0.0, .* one dropout for all: 0\.3",
        ),
        (
            DistilBertBackbone,
            encoders.distil_tensors,
            {**encoders.DISTIL_CONFIG, "attention_dropout": 0.2},
            r"attention_dropout 0.2, .* one dropout for all: 0\.1",
        ),
    ],
)
def test_a_dropout_that_is_not_read_as_it_was(
    tmp_path, cls, tensors, config, message
):
    folders.write(tmp_path, tensors(), **config)
    with pytest.warns(UserWarning, match=message) as record:
        cls.from_preset(tmp_path)
    assert [entry.filename for entry in record] == [__file__]
    assert str(tmp_path / "config.json") in str(record[0].message)


def test_weights_in_several_files(tmp_path):
    tensors = tiny.hugging_face_tensors()
    folders.write(tmp_path, {})
    (tmp_path / "model.safetensors").unlink()
    names = sorted(tensors)
    weight_map = {}
    for number, part in enumerate((names[:20], names[20:])):
        file = f"model-0000{number + 1}-of-00002.safetensors"
        safetensors.numpy.save_file(
            {name: tensors[name] for name in part}, tmp_path / file
        )
        weight_map |= dict.fromkeys(part, file)
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": weight_map}))
    found = HuggingFaceFolder(tmp_path).tensors()
    assert set(found) == set(tensors)
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(found[name], tensor)
    (tmp_path / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(ValueError, match="has no model-00002-of-00002"):
        HuggingFaceFolder(tmp_path).tensors()


def test_one_file_is_read_before_an_index_beside_it(tmp_path):
    # As `transformers` does: shards of an earlier save may still be there.
    tensors = tiny.hugging_face_tensors()
    folders.write(tmp_path, tensors)
    shard = "model-00001-of-00001.safetensors"
    old = {name: np.zeros_like(value) for name, value in tensors.items()}
    safetensors.numpy.save_file(old, tmp_path / shard)
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": dict.fromkeys(tensors, shard)}))
    found = HuggingFaceFolder(tmp_path).tensors()
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(found[name], tensor)


def test_truncated_weights(tmp_path):
    folders.write(tmp_path, tiny.hugging_face_tensors())
    file = tmp_path / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(
        ValueError, match=r"model\.safetensors is not a whole.*Fetch it again"
    ):
        BertBackbone.from_preset(tmp_path)


@pytest.mark.parametrize(
    "name", ["pytorch_model.bin", "pytorch_model-00001-of-00002.bin"]
)
def test_pickled_weights_are_refused(tmp_path, name):
    folders.write(tmp_path, {})
    (tmp_path / "model.safetensors").rename(tmp_path / name)
    with pytest.raises(ValueError, match="refused") as error:
        BertBackbone.from_preset(tmp_path)
    message = str(error.value)
    assert f"run this in {tmp_path}: python -c" in message
    # What it says to run must at least be Python; it is run in tests/parity.
    *_, line, nothing = message.split('"')
    assert nothing == ""
    compile(line, "line", "exec")


def test_a_folder_without_weights(tmp_path):
    folders.write(tmp_path, {})
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(ValueError, match="has no model.safetensors"):
        BertBackbone.from_preset(tmp_path)


def test_json_that_is_broken_is_named(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": ')
    with pytest.raises(ValueError, match=r"config\.json is not valid JSON"):
        BertBackbone.from_preset(tmp_path)
    with pytest.raises(ValueError, match="has no config.json"):
        HuggingFaceFolder(tmp_path / "nowhere")


def test_words_in_order_of_their_ids(tmp_path):
    folders.write(tmp_path, {})
    assert HuggingFaceFolder(tmp_path).vocabulary() == tiny.WORDS
    (tmp_path / "vocab.txt").unlink()
    shuffled = sorted(enumerate(tiny.WORDS), key=lambda pair: pair[1])
    model = {"type": "WordPiece", "vocab": {w: i for i, w in shuffled}}
    tokenizer = tmp_path / "tokenizer.json"
    tokenizer.write_text(json.dumps({"model": model}))
    assert HuggingFaceFolder(tmp_path).vocabulary() == tiny.WORDS
    tokenizer.write_text('{"model": {"type": "BPE"}}')
    with pytest.raises(ValueError, match="'BPE' tokenizer"):
        HuggingFaceFolder(tmp_path).vocabulary()


def test_a_word_may_be_a_line_separator(tmp_path):
    # Only \n ends a word; `str.splitlines` knows ten more ends, some of which
    # are words in multilingual vocabularies, and would shift all later ids.
    folders.write(tmp_path, {}, vocab_size=24)
    words = [*tiny.WORDS, "\u2028", "\x85", "a\u2029b", "last"]
    text = "\n".join(words) + "\n"
    (tmp_path / "vocab.txt").write_bytes(text.encode())
    assert HuggingFaceFolder(tmp_path).vocabulary() == words
    (tmp_path / "vocab.txt").write_bytes(text.replace("\n", "\r\n").encode())
    assert HuggingFaceFolder(tmp_path).vocabulary() == words


@pytest.mark.parametrize(
    ("tokenizer_config", "tokenizer", "lowercase"),
    [
        ({"do_lower_case": False}, {"normalizer": {"lowercase": True}}, False),
        ({}, {"normalizer": {"lowercase": False}}, False),
        ({}, {"normalizer": None}, True),
        (None, None, True),
    ],
)
def test_case(tmp_path, tokenizer_config, tokenizer, lowercase):
    folders.write(tmp_path, {})
    (tmp_path / "tokenizer_config.json").unlink()
    if tokenizer_config is not None:
        (tmp_path / "tokenizer_config.json").write_text(
            json.dumps(tokenizer_config)
        )
        (tmp_path / "tokenizer.json").write_text(json.dumps(tokenizer))
    assert HuggingFaceFolder(tmp_path).lowercase() is lowercase


@pytest.mark.parametrize(
    ("tokenizer_config", "normalizer", "strip_accents"),
    [
        ({"strip_accents": True}, {"strip_accents": False}, True),
        ({"strip_accents": False}, {"strip_accents": True}, False),
        ({"strip_accents": None}, {"strip_accents": False}, True),
        ({"strip_accents": None, "do_lower_case": False}, {}, False),
        ({"strip_accents": True, "do_lower_case": False}, {}, True),
        ({}, {"strip_accents": False, "lowercase": True}, False),
        ({}, {"strip_accents": True, "lowercase": False}, True),
        ({}, {"strip_accents": None, "lowercase": False}, False),
        ({}, None, True),
    ],
)
def test_accents(tmp_path, tokenizer_config, normalizer, strip_accents):
    folders.write(tmp_path, {})
    (tmp_path / "tokenizer_config.json").write_text(
        json.dumps(tokenizer_config)
    )
    (tmp_path / "tokenizer.json").write_text(
        json.dumps({"normalizer": normalizer})
    )
    assert HuggingFaceFolder(tmp_path).strip_accents() is strip_accents


def test_labels_in_order_of_the_logits(tmp_path):
    folders.write(tmp_path, {})
    assert HuggingFaceFolder(tmp_path).label_names() is None
    labels = [f"label {i}" for i in range(12)]  # "10" sorts before "2"
    folders.write_classifier(tmp_path, {}, labels)
    assert HuggingFaceFolder(tmp_path).label_names() == labels


@pytest.mark.parametrize("names", [{}, None])
def test_labels_that_have_a_number_and_no_names(tmp_path, names):
    # Old configs; `transformers` makes up these names.
    tensors = tiny.hugging_face_tensors(num_classes=3)
    folders.write_classifier(tmp_path, tensors, ["a", "b", "c"])
    config = json.loads((tmp_path / "config.json").read_text())
    config |= {"id2label": names, "num_labels": 3}
    (tmp_path / "config.json").write_text(json.dumps(config))
    ours = BertTextClassifier.from_preset(tmp_path)
    assert ours.label_names == ["LABEL_0", "LABEL_1", "LABEL_2"]
    np.testing.assert_array_equal(
        ours.head.kernel, tensors["classifier.weight"].T
    )
    for wrong in (0, "3", 10**12):
        config["num_labels"] = wrong
        (tmp_path / "config.json").write_text(json.dumps(config))
        with pytest.raises(ValueError, match=r"config\.json: num_labels is "):
            BertTextClassifier.from_preset(tmp_path)
    del config["num_labels"]
    (tmp_path / "config.json").write_text(json.dumps(config))
    found = HuggingFaceFolder(tmp_path).label_names()
    assert found == ["LABEL_0", "LABEL_1"]


def test_two_labels_of_one_name(tmp_path):
    tensors = tiny.hugging_face_tensors(num_classes=3)
    folders.write_classifier(tmp_path, tensors, ["a", "b", "b"])
    with pytest.raises(ValueError, match=r"config\.json: id2label .*one name"):
        BertTextClassifier.from_preset(tmp_path)
    BertTextClassifier.from_preset(tmp_path, num_classes=3)

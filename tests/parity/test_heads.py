"""The heads' numbers as `transformers` has them, from the folders it saves.

Skipped without PyTorch. To run: pip install torch transformers.
"""

import numpy as np
import pytest
import tiny

from tf_distill import models

REASON = "compares with PyTorch: pip install torch transformers"
pytest.importorskip("torch", reason=REASON)
pytest.importorskip("transformers", reason=REASON)

import test_transformers as reference  # noqa: E402

# transformers' epsilon is another, which is warned of.
pytestmark = pytest.mark.filterwarnings("ignore:.*with an epsilon of 1e-5")
LENGTHS = (1, 7, 4, 11)
every_case = pytest.mark.parametrize("case", reference.CASES)


def saved(folder, ending, case, **config):
    """A model of theirs, saved, and the name of its family."""
    family, sizes = reference.CASES[case]
    model = reference.theirs(ending, family, {**sizes, **config})
    model.save_pretrained(folder)
    (folder / "vocab.txt").write_text("\n".join(tiny.WORDS) + "\n")
    return model, family


def everywhere(inputs):
    """The same batch with every position asked of a masked LM."""
    shape = inputs["token_ids"].shape
    positions = np.broadcast_to(np.arange(shape[1], dtype="int32"), shape)
    return {**inputs, "mask_positions": positions}


@every_case
def test_masked_lm(tmp_path, case):
    model, family = saved(tmp_path, "ForMaskedLM", case)
    ours = getattr(models, f"{family}MaskedLM").from_preset(tmp_path)
    inputs = everywhere(tiny.batch(LENGTHS))
    expected = reference.run(model, inputs).logits
    assert expected.shape == (4, 11, 20)
    found = ours(reference.needed(ours, inputs))
    reference.assert_close(found, expected)
    # A few positions only have the same logits as among all.
    inputs["mask_positions"] = np.array([[0, 0], [6, 2], [3, 1], [10, 5]])
    picked = ours(reference.needed(ours, inputs)).numpy()
    rows = np.arange(4)[:, None]
    np.testing.assert_allclose(
        picked,
        found.numpy()[rows, inputs["mask_positions"]],
        rtol=1e-5,
        atol=1e-5,
    )


@pytest.mark.parametrize(
    "case", [c for c in reference.CASES if not c.startswith("distil")]
)
def test_pre_training(tmp_path, case):
    model, family = saved(tmp_path, "ForPreTraining", case)
    cls = getattr(models, f"{family}MaskedLM")
    inputs = everywhere(tiny.batch(LENGTHS))
    expected = reference.run(model, inputs)
    ours = cls.from_preset(tmp_path, next_sentence=True)
    found = ours(reference.needed(ours, inputs))
    reference.assert_close(found["masked_lm"], expected.prediction_logits)
    reference.assert_close(
        found["next_sentence"], expected.seq_relationship_logits
    )
    alone = cls.from_preset(tmp_path)
    reference.assert_close(
        alone(reference.needed(alone, inputs)), expected.prediction_logits
    )


@every_case
def test_question_answering(tmp_path, case):
    model, family = saved(tmp_path, "ForQuestionAnswering", case, num_labels=2)
    ours = getattr(models, f"{family}QuestionAnswering").from_preset(tmp_path)
    inputs = tiny.batch(LENGTHS)
    expected = reference.run(model, inputs)
    found = ours(reference.needed(ours, inputs))
    real = inputs["padding_mask"] > 0
    for name in ("start", "end"):
        logits = found[name].numpy()
        reference.assert_close(logits[real], expected[f"{name}_logits"][real])
        np.testing.assert_array_equal(logits[~real], -10000.0)


@every_case
def test_token_classification(tmp_path, case):
    model, family = saved(tmp_path, "ForTokenClassification", case)
    ours = getattr(models, f"{family}TokenClassifier").from_preset(tmp_path)
    inputs = tiny.batch(LENGTHS)
    expected = reference.run(model, inputs).logits
    assert expected.shape == (4, 11, 3)
    reference.assert_close(ours(reference.needed(ours, inputs)), expected)
    assert ours.label_names == ["LABEL_0", "LABEL_1", "LABEL_2"]

"""The NumPy BERT that the quickstart compares its teacher with."""

import sys
from pathlib import Path

import glue_recipes_data as tiny_glue
import pytest
import tiny

import tf_distill as td

sys.path.append(str(Path(__file__).parents[1] / "checkpoints"))
import folders  # noqa: E402


def folder(path, seed):
    tensors = tiny.hugging_face_tensors(seed, max_sequence_length=16)
    return folders.write(path, tensors, max_position_embeddings=16)


def test_weights_that_are_read_wrongly_are_found(monkeypatch, tmp_path):
    recipe = tiny_glue.recipe("numpy_bert")
    monkeypatch.setattr(recipe, "HEADS", 2)
    right, wrong = folder(tmp_path / "a", 0), folder(tmp_path / "b", 1)
    preprocessor = td.models.BertTextClassifier.from_preset(
        right, num_classes=2
    ).preprocessor
    preprocessor.sequence_length = 16
    assert recipe.parity(right, preprocessor.tokenizer) < 1e-5
    read = td.models.BertBackbone.from_preset
    monkeypatch.setattr(
        td.models.BertBackbone,
        "from_preset",
        lambda _, **options: read(wrong, **options),
    )
    with pytest.raises(ValueError, match="the weights were read wrongly"):
        recipe.parity(right, preprocessor.tokenizer)

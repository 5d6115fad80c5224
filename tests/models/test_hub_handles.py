"""Handles of Hugging Face's hub, from a hub that is a folder."""

import shutil
import sys
from pathlib import Path

import heads
import huggingface_hub
import keras_hub
import numpy as np
import pytest
import tiny
from huggingface_hub.utils import filter_repo_objects

from tf_distill import models

sys.path.append(str(Path(__file__).parents[1] / "checkpoints"))
import folders  # noqa: E402

HANDLE = "hf://someone/student"


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A repository's folder, of which a copy is what is downloaded."""
    repository, cache = tmp_path / "repository", tmp_path / "cache"

    def snapshot_download(name, **patterns):
        assert name == "someone/student"
        files = [
            str(file.relative_to(repository))
            for file in repository.rglob("*")
            if file.is_file()
        ]
        for file in filter_repo_objects(files, **patterns):
            (cache / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(repository / file, cache / file)
        return str(cache)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    return repository


def test_hugging_face_s_format(hub):
    tensors = tiny.hugging_face_tensors()
    folders.write(hub, tensors)
    others = ["tf_model.h5", "onnx/config.json", "step-9/model.safetensors"]
    for name in others:
        (hub / name).parent.mkdir(exist_ok=True)
        (hub / name).write_text("not to be downloaded")
    ours = models.BertBackbone.from_preset(HANDLE)
    np.testing.assert_array_equal(
        ours.token_embedding.embeddings,
        tensors["embeddings.word_embeddings.weight"],
    )
    for name in others:
        assert not (hub.parent / "cache" / name).exists()


def test_a_hub_that_does_not_answer(monkeypatch):
    def snapshot_download(name, **patterns):
        raise ConnectionError("Name or service not known")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    with pytest.raises(ValueError, match="hf://someone/student could not be"):
        models.BertBackbone.from_preset(HANDLE)


def test_pickled_weights_are_refused_unseen(hub):
    folders.write(hub, {})
    (hub / "model.safetensors").rename(hub / "pytorch_model.bin")
    with pytest.raises(ValueError, match="has no model.safetensors") as error:
        models.BertBackbone.from_preset(HANDLE)
    message = str(error.value)
    assert "hf download someone/student --local-dir student" in message
    assert "run this in the folder student" in message


def test_a_task_as_keras_saved_it(hub):
    ours = heads.task("BertTokenClassifier", preprocessor=tiny.preprocessor())
    ours.save_to_preset(hub)
    again = models.BertTokenClassifier.from_preset(HANDLE)
    tiny.assert_same_weights(tiny.weights_of(ours), tiny.weights_of(again))
    assert again.preprocessor.tokenizer.get_vocabulary() == tiny.WORDS
    encoder = models.BertBackbone.from_preset(HANDLE)
    tiny.assert_same_weights(
        tiny.weights_of(ours.backbone), tiny.weights_of(encoder)
    )


def test_a_preset_of_keras_hub_s(hub):
    theirs = keras_hub.models.BertBackbone(**tiny.SIZES)
    theirs.save_to_preset(hub)
    ours = models.BertBackbone.from_preset(HANDLE)
    np.testing.assert_array_equal(
        ours.token_embedding.embeddings, theirs.token_embedding.embeddings
    )

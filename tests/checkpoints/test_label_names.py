import json

import huggingface_hub
import pytest

from tf_distill.checkpoints import read_label_names


def write(folder, **files):
    for name, content in files.items():
        (folder / f"{name}.json").write_text(json.dumps(content))
    return folder


def test_keras_presets(tmp_path):
    assert read_label_names(write(tmp_path, metadata={})) is None
    task = {"config": {"num_classes": 2, "label_names": None}}
    write(tmp_path, task=task)
    assert read_label_names(tmp_path) == ["LABEL_0", "LABEL_1"]
    task["config"]["label_names"] = ["up", "down"]
    write(tmp_path, task=task)
    assert read_label_names(tmp_path) == ["up", "down"]


def test_keras_presets_on_the_hub(tmp_path, monkeypatch):
    monkeypatch.setattr(
        huggingface_hub, "snapshot_download", lambda name, **_: str(tmp_path)
    )
    task = {"config": {"num_classes": 2, "label_names": ["up", "down"]}}
    write(tmp_path, config={}, metadata={}, task=task)
    assert read_label_names("hf://someone/student") == ["up", "down"]
    (tmp_path / "task.json").unlink()
    assert read_label_names("hf://someone/student") is None


def test_checkpoints_without_a_head(tmp_path):
    config = {"architectures": ["BertModel"], "model_type": "bert"}
    (tmp_path / "hugging_face").mkdir()
    write(tmp_path / "hugging_face", config=config)
    assert read_label_names(tmp_path / "hugging_face") is None
    (tmp_path / "google").mkdir()
    write(tmp_path / "google", bert_config={})
    assert read_label_names(tmp_path / "google") is None
    assert read_label_names("bert_tiny_en_uncased") is None


def test_what_is_no_checkpoint(tmp_path):
    with pytest.raises(ValueError, match=r"has no config\.json"):
        read_label_names(tmp_path)
    (tmp_path / "metadata.json").write_text("{}")
    (tmp_path / "task.json").write_text("{")
    with pytest.raises(ValueError, match=r"task\.json is not valid JSON"):
        read_label_names(tmp_path)

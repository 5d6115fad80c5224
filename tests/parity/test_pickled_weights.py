"""The line that converts pickled weights, run on a TinyBERT's as published.

Skipped without PyTorch. To run: pip install -e ".[parity]".
"""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tiny

from tf_distill import models

REASON = 'compares with PyTorch: pip install -e ".[parity]"'
torch = pytest.importorskip("torch", reason=REASON)
transformers = pytest.importorskip("transformers", reason=REASON)

sys.path.append(str(Path(__file__).parents[1] / "checkpoints"))
import folders  # noqa: E402

LABELS = ["bad", "so-so", "good"]


def write(folder, parts=1):
    """A pytorch_model.bin as TinyBERT's code writes it; its tensors."""
    tensors = tiny.hugging_face_tensors(num_classes=3)
    folders.write_classifier(folder, tensors, LABELS)
    config = json.loads((folder / "config.json").read_text())
    config["architectures"] = ["TinyBertForSequenceClassification"]
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "model.safetensors").unlink()
    stored = {}
    for name, value in tensors.items():
        name = name if name.startswith("classifier") else f"bert.{name}"
        # Names as of TensorFlow, which old files have.
        name = name.replace("LayerNorm.weight", "LayerNorm.gamma")
        name = name.replace("LayerNorm.bias", "LayerNorm.beta")
        stored[name] = torch.tensor(value)
    stored["bert.embeddings.position_ids"] = torch.arange(12)[None]
    stored["fit_dense.weight"] = torch.ones(768, 8)
    # One of a tensor's two names, and one that does not lie as it is read.
    stored["fit_denses.0.weight"] = stored["fit_dense.weight"]
    stored["fit_denses.1.weight"] = torch.ones(8, 768).T
    names = sorted(stored)
    for part in range(parts):
        name = f"pytorch_model-{part + 1:05}-of-{parts:05}.bin"
        torch.save(
            {key: stored[key] for key in names[part::parts]},
            folder / (name if parts > 1 else "pytorch_model.bin"),
        )
    return tensors


def run_printed_line(folder):
    with pytest.raises(ValueError, match="refused") as error:
        models.BertBackbone.from_preset(folder)
    message = str(error.value)
    line = message[message.index("python -c") :]
    program, *arguments = shlex.split(line)
    assert program == "python"
    subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        check=True,
        env=dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path)),
    )


@pytest.mark.parametrize("parts", [1, 2])
def test_the_line_keeps_a_tiny_bert_s_head(tmp_path, parts):
    tensors = write(tmp_path, parts)
    run_printed_line(tmp_path)
    inputs = tiny.batch((1, 7, 4, 9), width=11)
    pooled = tiny.numpy_bert(tensors, inputs)["pooled_output"]
    expected = np.maximum(pooled, 0) @ tensors["classifier.weight"].T
    expected += tensors["classifier.bias"]
    with pytest.warns(UserWarning, match="fit_dense.*left unread"):
        ours = models.TinyBertTextClassifier.from_preset(tmp_path)
    assert ours.label_names == LABELS
    np.testing.assert_allclose(ours(inputs), expected, atol=2e-5)
    with (
        pytest.warns(UserWarning, match="fit_dense.*left unread"),
        pytest.raises(ValueError, match="no classification head of this"),
    ):
        models.BertTextClassifier.from_preset(tmp_path)
    theirs = transformers.AutoModel.from_pretrained(tmp_path)
    np.testing.assert_array_equal(
        theirs.embeddings.word_embeddings.weight.detach().numpy(),
        tensors["embeddings.word_embeddings.weight"],
    )

"""The names of a fine-tuned checkpoint's classes, from its JSON files."""

import pathlib

from tf_distill.checkpoints.google import is_google_checkpoint
from tf_distill.checkpoints.hugging_face import HuggingFaceFolder
from tf_distill.checkpoints.json_file import read_json


def read_label_names(preset):
    """The names of a text classifier's outputs, without loading it.

    So that classes that are not a file's are told before Keras is loaded.

    Args:
        preset: a folder (Hugging Face's or Keras' format) or an `hf://` handle.

    Returns:
        list of names in the order of the logits, "LABEL_0" and so on where a
        Keras preset has none; `None` for a checkpoint without such a head, as
        Google's are, and for what is neither a folder nor such a handle.

    Raises:
        ValueError: the folder holds no checkpoint, or a damaged one.

    Example:
        >>> import json, pathlib, tempfile
        >>> folder = pathlib.Path(tempfile.mkdtemp())
        >>> config = {"architectures": ["BertForSequenceClassification"],
        ...           "id2label": {"0": "no", "1": "yes"}}
        >>> _ = (folder / "config.json").write_text(json.dumps(config))
        >>> read_label_names(folder)
        ['no', 'yes']
    """
    folder = pathlib.Path(preset)
    remote = str(preset).startswith("hf://")
    if not remote and (not folder.is_dir() or is_google_checkpoint(folder)):
        return None
    if remote:
        folder = HuggingFaceFolder(preset).path  # what it was downloaded to
    if not (folder / "metadata.json").exists():
        return HuggingFaceFolder(folder).label_names()
    if not (folder / "task.json").exists():
        return None
    task = read_json(folder / "task.json").get("config", {})
    unnamed = [f"LABEL_{i}" for i in range(task.get("num_classes") or 0)]
    return task.get("label_names") or unnamed or None

"""Reads google-research's TensorFlow 1 checkpoints of BERT and MobileBERT."""

import pathlib
import re

from tf_distill.checkpoints.hugging_face import HuggingFaceFolder
from tf_distill.checkpoints.json_file import read_json
from tf_distill.checkpoints.read_tokenizer import read_words
from tf_distill.checkpoints.settings import choice, flag

# What Google's code assumes where `bert_config.json` says nothing: not what
# Hugging Face's does.
_BERT_DEFAULTS = {"type_vocab_size": 16}
_MOBILE_BERT_DEFAULTS = {
    **_BERT_DEFAULTS,
    "hidden_act": "gelu",
    "hidden_dropout_prob": 0.1,
    "trigram_input": False,
    "use_bottleneck": False,
    "use_bottleneck_attention": False,
    "key_query_shared_bottleneck": False,
    "num_feedforward_networks": 1,
    "normalization_type": "layer_norm",
    "classifier_activation": True,
}
# Google's names of heads, and Hugging Face's, in whose layout they are.
_HEADS = {
    "output_weights": "classifier.weight",
    "output_bias": "classifier.bias",
    "cls/squad/output_weights": "qa_outputs.weight",
    "cls/squad/output_bias": "qa_outputs.bias",
    "cls/seq_relationship/output_weights": "cls.seq_relationship.weight",
    "cls/seq_relationship/output_bias": "cls.seq_relationship.bias",
    "cls/predictions/output_bias": "cls.predictions.bias",
}
_EXTRA = "cls/predictions/extra_output_weights"
_ENDINGS = {
    "kernel": "weight",
    "gamma": "weight",
    "beta": "bias",
    "bias": "bias",
}
_OF_TRAINING = ("/adam_m", "/adam_v")


def is_google_checkpoint(preset):
    """Whether a path is a checkpoint of Google's, or a folder with one.

    Args:
        preset: a folder with a `bert_config.json`, or a checkpoint's path as
            TensorFlow has it, such as `folder/bert_model.ckpt`.
    """
    path = pathlib.Path(preset)
    if path.is_dir():
        named = (path / "config.json").exists()
        return not named and (path / "bert_config.json").exists()
    return pathlib.Path(f"{preset}.index").exists()


def open_checkpoint(preset):
    """What reads a Hugging Face folder or handle, or a checkpoint of Google's.

    Args:
        preset: as for `HuggingFaceFolder` or `GoogleCheckpoint`.

    Returns:
        One of these.
    """
    if is_google_checkpoint(preset):
        return GoogleCheckpoint(preset)
    return HuggingFaceFolder(preset)


def hugging_face_name(name, no_norm=False):
    """Hugging Face's name of a variable of Google's, itself if unknown.

    Args:
        name: the variable's name.
        no_norm: bool, whether the model has NoNorm, whose variables have
            another name than a layer normalization's.

    Example:
        >>> from tf_distill.checkpoints.google import hugging_face_name
        >>> hugging_face_name("bert/encoder/layer_3/output/dense/kernel")
        'encoder.layer.3.output.dense.weight'
    """
    if name in _HEADS:
        return _HEADS[name]
    if name == _EXTRA:
        return "cls.predictions.dense.weight"
    *scopes, last = re.sub(
        "(layer|ffn)(?:_layer)?_([0-9]+)/", r"\1/\2/", name
    ).split("/")
    if scopes[:1] not in (["bert"], ["cls"]):
        return name
    if scopes[0] == "bert":
        scopes = scopes[1:]
        norm = "FakeLayerNorm" if no_norm else "LayerNorm"
        if scopes and scopes[-1].endswith("LayerNorm"):
            if scopes[-1] != norm:
                return name
            scopes[-1] = "LayerNorm"
    if last.endswith("_embeddings"):
        return ".".join([*scopes, last, "weight"])
    if last not in _ENDINGS:
        return name
    return ".".join([*scopes, _ENDINGS[last]])


class GoogleCheckpoint(HuggingFaceFolder):
    """A BERT or MobileBERT as google-research's code saves it.

    It reads like a Hugging Face folder: config, weights and messages have
    Hugging Face's names and layout. Google's GELU is the tanh approximation,
    as `gelu_new` is there. Whether the words are cased is not saved: they are
    if any of them has a capital. Left unread are what belongs to training
    (Adam's and LAMB's moments, the step) and, in MobileBERT's training, the
    teacher beside the student. A changed bit is found: there are checksums.

    Args:
        preset: a folder with `bert_config.json`, `vocab.txt` and one
            checkpoint, or a checkpoint's path beside them, such as
            `folder/bert_model.ckpt`.

    Raises:
        ValueError: a file is missing or not whole.

    Example:
        ```python
        checkpoint = GoogleCheckpoint("uncased_L-12_H-768_A-12")
        checkpoint.config["hidden_size"]  # 768
        ```
    """

    def __init__(self, preset):
        path = pathlib.Path(preset)
        folder = path if path.is_dir() else path.parent
        self.config_file = folder / "bert_config.json"
        self.words_folder = folder
        self.path = self._only_checkpoint(path) if path.is_dir() else path
        self._reader = None
        self.config = read_json(self.config_file)
        self.config = self.arguments(_translated)
        self.config |= self._heads()

    def tensors(self):
        """All weights, as a dict of NumPy arrays by Hugging Face's name."""
        no_norm = self.config.get("normalization_type") == "no_norm"
        tensors = {}
        for name in self._shapes():
            if name.endswith(_OF_TRAINING) or name == "global_step":
                continue
            if name.startswith("teacher/"):
                continue
            value = self._read(lambda r, name=name: r.get_tensor(name))
            if name.endswith("/kernel") or name == _EXTRA:
                value = value.T
            tensors[hugging_face_name(name, no_norm)] = value
        return tensors

    def lowercase(self):
        """Whether the tokenizer lowers case."""
        _, words = read_words(self.words_folder)
        return not any(
            word != word.lower() for word in words if not word.startswith("[")
        )

    def strip_accents(self):
        """Whether the tokenizer strips accents."""
        return self.lowercase()

    def _heads(self):
        """What a Hugging Face config says of heads."""
        mobile = self.config["model_type"] == "mobilebert"
        model = "MobileBert" if mobile else "Bert"
        shapes = self._shapes()
        if "output_weights" in shapes:
            count = shapes["output_weights"][0]
            return {
                "architectures": [f"{model}ForSequenceClassification"],
                "id2label": {str(i): f"LABEL_{i}" for i in range(count)},
            }
        if "cls/squad/output_weights" in shapes:
            return {"architectures": [f"{model}ForQuestionAnswering"]}
        if "cls/predictions/output_bias" in shapes:
            return {"architectures": [f"{model}ForPreTraining"]}
        return {"architectures": [f"{model}Model"]}

    def _shapes(self):
        return self._read(lambda reader: reader.get_variable_to_shape_map())

    def _read(self, read):
        import tensorflow as tf

        try:
            if self._reader is None:
                self._reader = tf.train.load_checkpoint(str(self.path))
            return read(self._reader)
        except Exception as error:
            raise ValueError(
                f"{self.path} is not a whole TensorFlow checkpoint ({error}). "
                "Fetch it again."
            ) from error

    @staticmethod
    def _only_checkpoint(folder):
        found = sorted(folder.glob("*.index"))
        if len(found) != 1:
            names = ", ".join(file.stem for file in found) or "none"
            raise ValueError(
                f"{folder} has a bert_config.json, but not one checkpoint "
                f"(<name>.index and <name>.data-*): {names}. Pass one's path, "
                f"such as {folder / 'bert_model.ckpt'}."
            )
        return found[0].with_suffix("")


def _translated(config):
    """A config of Google's as Hugging Face has it, but for its heads."""
    mobile = flag(config, "use_bottleneck", False)
    mobile |= flag(config, "trigram_input", False)
    if mobile:
        width = config.get("hidden_size")
        config = {
            **_MOBILE_BERT_DEFAULTS,
            "embedding_size": width,
            "intra_bottleneck_size": width,
            **config,
        }
    else:
        config = {**_BERT_DEFAULTS, **config}
    activation = choice(config, "hidden_act", "gelu", ["gelu", "relu"])
    return {
        **config,
        "model_type": "mobilebert" if mobile else "bert",
        "hidden_act": {"gelu": "gelu_new"}.get(activation, activation),
    }

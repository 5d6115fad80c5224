"""Reads a Hugging Face model folder: config, safetensors, vocabulary."""

import json
import pathlib

_FILES = (
    "config.json",
    "*.safetensors",
    "model.safetensors.index.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.txt",
)


class HuggingFaceFolder:
    """A model as `transformers` saves it, read without `transformers`.

    Args:
        preset: a folder, or an `hf://user/model` handle, which is downloaded
            to Hugging Face's cache.

    Raises:
        ValueError: the folder lacks a file that is needed, or holds pickled
            weights only; the message says how to mend it.

    Example:
        ```python
        folder = HuggingFaceFolder("hf://google-bert/bert-base-uncased")
        folder.config["hidden_size"]  # 768
        tensors = folder.tensors()
        ```
    """

    def __init__(self, preset):
        if str(preset).startswith("hf://"):
            import huggingface_hub

            preset = huggingface_hub.snapshot_download(
                str(preset).removeprefix("hf://"), allow_patterns=_FILES
            )
        self.path = pathlib.Path(preset)
        self.config = self._json("config.json")

    def tensors(self):
        """All weights, as a dict of NumPy arrays by name.

        TF1-style names of old checkpoints (`LayerNorm.gamma`) come back
        under today's (`LayerNorm.weight`).
        """
        import safetensors.numpy

        index = self.path / "model.safetensors.index.json"
        if index.exists():
            files = sorted(set(self._json(index.name)["weight_map"].values()))
        else:
            files = ["model.safetensors"]
        tensors = {}
        for name in files:
            file = self.path / name
            if not file.exists():
                raise ValueError(self._no_safetensors(name))
            try:
                tensors.update(safetensors.numpy.load_file(file))
            except Exception as error:
                raise ValueError(
                    f"{file} is not a whole safetensors file ({error}). "
                    "Fetch it again."
                ) from error
        return {
            name.replace("LayerNorm.gamma", "LayerNorm.weight").replace(
                "LayerNorm.beta", "LayerNorm.bias"
            ): value
            for name, value in tensors.items()
        }

    def vocabulary(self):
        """The word pieces, in order of their ids."""
        plain = self.path / "vocab.txt"
        if plain.exists():
            # Not `splitlines`: a word may be a line separator such as U+2028.
            text = plain.read_text(encoding="utf-8")
            return text.removesuffix("\n").split("\n")
        model = self._json("tokenizer.json")["model"]
        if model.get("type") != "WordPiece":
            raise ValueError(
                f"{self.path / 'tokenizer.json'} is a {model.get('type')!r} "
                "tokenizer, but BERT's is 'WordPiece'."
            )
        return sorted(model["vocab"], key=model["vocab"].get)

    def lowercase(self):
        """Whether the tokenizer lowers case."""
        return bool(self._normalization("do_lower_case", "lowercase", True))

    def strip_accents(self):
        """Whether the tokenizer strips accents: if not said, as `lowercase`.

        With both, `keras_hub.models.BertTokenizer` gives the token ids that
        `tokenizers` gives, but for what few texts hold: control and format
        characters end a word, where `tokenizers` drops them; spaces beyond
        ASCII do not end one; and lowering case is Unicode's case folding,
        which also rewrites compatibility characters (`²` as `2`, `ß` as `ss`,
        `…` as three dots that are one unknown word) and composes what is
        apart: Hangul, and accents that are not stripped.
        """
        strip = self._normalization("strip_accents", "strip_accents", None)
        return self.lowercase() if strip is None else bool(strip)

    def _normalization(self, name, normalizer_name, default):
        """A setting of tokenizer_config.json, or else of tokenizer.json."""
        if (self.path / "tokenizer_config.json").exists():
            config = self._json("tokenizer_config.json")
            if name in config:
                return config[name]
        if (self.path / "tokenizer.json").exists():
            normalizer = self._json("tokenizer.json").get("normalizer") or {}
            return normalizer.get(normalizer_name, default)
        return default

    def label_names(self):
        """Class names in order of the logits, or None without a classifier."""
        heads = self.config.get("architectures") or [""]
        if not heads[0].endswith("ForSequenceClassification"):
            return None
        names = self.config.get("id2label") or {"0": "0", "1": "1"}
        return [names[key] for key in sorted(names, key=int)]

    def _json(self, name):
        file = self.path / name
        if not file.exists():
            raise ValueError(
                f"{self.path} has no {name}: it is not a Hugging Face model "
                "folder, or it was copied in part."
            )
        try:
            return json.loads(file.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"{file} is not valid JSON: {error}.") from error

    def _no_safetensors(self, name):
        if (self.path / "pytorch_model.bin").exists():
            # By its own class: AutoModel would leave a head behind.
            model = (self.config.get("architectures") or ["AutoModel"])[0]
            return (
                f"{self.path} has pickled weights only (pytorch_model.bin), "
                "which can run any code when read and are refused. Convert "
                "them once, where you trust them: python -c 'from transformers "
                f"import {model}; m = {model}.from_pretrained("
                f'"{self.path}"); m.save_pretrained("{self.path}")\''
            )
        return f"{self.path} has no {name}."

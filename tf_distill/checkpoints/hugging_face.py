"""Reads a Hugging Face model folder: config, safetensors, vocabulary."""

import pathlib

from tf_distill.checkpoints.json_file import read_json
from tf_distill.checkpoints.read_tokenizer import (
    check_tokenizer_class,
    read_normalization,
    read_words,
    warn_of_added_words,
)
from tf_distill.checkpoints.safetensors_files import (
    read_safetensors,
    read_shards,
)
from tf_distill.checkpoints.settings import size
from tf_distill.checkpoints.tokenizer_files import SPECIAL_WORDS

# Of both formats, Hugging Face's and Keras'.
_FILES = [
    "*.json",
    "*.safetensors",
    "vocab.txt",
    "*.weights.h5",
    "assets/*",
]
# A star above matches folders, too: those of checkpoints and of other formats.
_NO_FILES = ["*/*.json", "*/*.safetensors", "*/*.weights.h5"]
# Every tensor as it is, a head of whatever class too. Tensors that share memory
# are copied: safetensors takes none. `transformers` reads no file without "pt".
_CONVERSION = (
    'python -c "import glob, torch, safetensors.torch as s; s.save_file({n: '
    "t.clone().contiguous() for f in sorted(glob.glob('pytorch_model*.bin')) "
    "for n, t in torch.load(f, map_location='cpu', weights_only=True).items()},"
    " 'model.safetensors', {'format': 'pt'})\""
)


class HuggingFaceFolder:
    """A model as `transformers` saves it, read without `transformers`.

    What can be known to be wrong with a file is an error that names it. A bit
    that changed inside of a weight cannot be, for the files hold no checksum;
    a weight that is NaN or infinity is refused.

    Args:
        preset: a folder, or an `hf://user/model` handle, which is downloaded
            to Hugging Face's cache: all but what would be left unread.

    Raises:
        ValueError: the folder lacks a file that is needed, or holds pickled
            weights only, or the handle cannot be downloaded; the message says
            how to mend it.

    Example:
        ```python
        folder = HuggingFaceFolder("hf://google-bert/bert-base-uncased")
        folder.config["hidden_size"]  # 768
        tensors = folder.tensors()
        ```
    """

    def __init__(self, preset):
        self._repository = None
        if str(preset).startswith("hf://"):
            import huggingface_hub

            self._repository = str(preset).removeprefix("hf://")
            try:
                preset = huggingface_hub.snapshot_download(
                    self._repository,
                    allow_patterns=_FILES,
                    ignore_patterns=_NO_FILES,
                )
            except Exception as error:  # the hub's, or of the network beneath
                raise ValueError(
                    f"{preset} could not be downloaded: {error}. Check the "
                    "name, whether it is public or you are logged in, and the "
                    "network; or pass a folder that holds it."
                ) from error
        self.path = self.words_folder = pathlib.Path(preset)
        self.config_file = self.path / "config.json"
        self.config = read_json(self.config_file)

    def arguments(self, read):
        """What a function of the config returns.

        Args:
            read: such as `Family.arguments`.

        Raises:
            ValueError: what the function raises, with the file's name.
        """
        try:
            return read(self.config)
        except ValueError as error:
            raise ValueError(f"{self.config_file}: {error}") from error

    def tensors(self):
        """All weights, as a dict of NumPy arrays by name.

        TF1-style names of old checkpoints (`LayerNorm.gamma`) come back
        under today's (`LayerNorm.weight`).
        """
        index = self.path / "model.safetensors.index.json"
        file = self.path / "model.safetensors"
        # With both, `transformers` reads the one: the shards are older.
        if file.exists():
            stored = read_safetensors(file)
        elif index.exists():
            stored = read_shards(index, self._no_safetensors)
        else:
            raise ValueError(self._no_safetensors(file.name))
        tensors = {}
        for name, value in stored.items():
            name = name.replace("LayerNorm.gamma", "LayerNorm.weight")
            name = name.replace("LayerNorm.beta", "LayerNorm.bias")
            if name in tensors:
                raise ValueError(
                    f"The weights in {self.path} hold {name} twice: also under "
                    "its name of old, with gamma or beta."
                )
            tensors[name] = value
        return tensors

    def vocabulary(self):
        """The word pieces, in order of their ids.

        Raises:
            ValueError: they are not BERT's, or another tokenizer's than BERT's.
        """
        check_tokenizer_class(self.words_folder)
        file, words = read_words(self.words_folder)
        missing = sorted(set(SPECIAL_WORDS.values()) - set(words))
        if missing:
            raise ValueError(
                f"{file} has no {', '.join(missing)}: these are not BERT's "
                "words."
            )
        rows = self.config.get("vocab_size")
        if type(rows) is int and len(words) > rows:
            raise ValueError(
                f"{file} has {len(words)} words, but {self.config_file} has "
                f"vocab_size {rows}: they do not belong together."
            )
        warn_of_added_words(self.words_folder, words)
        return words

    def lowercase(self):
        """Whether the tokenizer lowers case."""
        return read_normalization(self.path, "do_lower_case", "lowercase", True)

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
        name = "strip_accents"
        strip = read_normalization(self.path, name, name, None)
        return self.lowercase() if strip is None else strip

    def split_on_cjk(self):
        """Whether each Chinese character is a word of its own."""
        return read_normalization(
            self.path, "tokenize_chinese_chars", "handle_chinese_chars", True
        )

    def has_head(self, head):
        """Whether the weights are, as the config says, a task's.

        Args:
            head: what Hugging Face's class of the task ends with, such as
                `"ForSequenceClassification"`.
        """
        return self._class_name().endswith(head)

    def label_names(self, head="ForSequenceClassification"):
        """Class names in order of the logits, or None without such a head.

        Args:
            head: as for `has_head`.

        Raises:
            ValueError: the config's id2label is not one name an id from 0,
                each another, or its num_labels no such number.
        """
        if not self.has_head(head):
            return None
        names = self.config.get("id2label")
        if not names:
            return self.arguments(_unnamed_labels)
        keys = []
        if isinstance(names, dict):
            keys = [str(number) for number in range(len(names))]
        if not keys or names.keys() != set(keys):
            raise ValueError(
                f"{self.config_file}: id2label must have a name for each id "
                f"from 0, but it is {names!r}."
            )
        labels = [str(names[key]) for key in keys]
        if len(set(labels)) < len(labels):
            raise ValueError(
                f"{self.config_file}: id2label is {names!r}, in which two ids "
                "have one name: give each a name of its own there, or pass "
                "`num_classes` for a new head."
            )
        return labels

    def _class_name(self):
        names = self.config.get("architectures") or [""]
        if not isinstance(names, list) or not isinstance(names[0], str):
            raise ValueError(
                f"{self.config_file}: architectures is {names!r}, but must be "
                "a list of names."
            )
        return names[0]

    def _no_safetensors(self, name):
        if self._repository:
            # Pickles are not downloaded, so that there is nothing to look for.
            folder = self._repository.split("/")[-1]
            found = (
                f"hf://{self._repository} has no {name}; if it has pickled "
                "weights"
            )
            where = (
                f"download it (hf download {self._repository} --local-dir "
                f"{folder}), run this in the folder {folder}, and load that"
            )
        elif any(self.path.glob("pytorch_model*.bin")):
            found = f"{self.path} has pickled weights only"
            where = f"run this in {self.path}"
        else:
            return f"{self.path} has no {name}."
        return (
            f"{found} (pytorch_model.bin), these can run any code when read "
            "and are refused. Convert them once, where you trust them (with "
            f"PyTorch and safetensors): {where}: {_CONVERSION}"
        )


def _unnamed_labels(config):
    """As `transformers` names labels that have no names; by default two."""
    count = size(config, "num_labels", 2)
    if count > 1_000_000:  # a list of which might not fit into memory
        raise ValueError(f"num_labels is {count}, which no head has.")
    return [f"LABEL_{index}" for index in range(count)]

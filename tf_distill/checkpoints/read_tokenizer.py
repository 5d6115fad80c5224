"""Reads a WordPiece tokenizer from Hugging Face's files."""

import warnings

from tf_distill.checkpoints.json_file import read_json

# Whose word pieces are BERT's; all may end with "Fast".
_TOKENIZER_CLASSES = (
    "BertTokenizer",
    "DistilBertTokenizer",
    "ElectraTokenizer",
    "MobileBertTokenizer",
    "PreTrainedTokenizer",
    "TokenizersBackend",
)


def check_tokenizer_class(folder):
    """Refuses words that belong to another tokenizer than BERT's.

    Japanese BERT's, for one, stand in a `vocab.txt` too.

    Args:
        folder: `pathlib.Path`.

    Raises:
        ValueError: `tokenizer_config.json` names another class.
    """
    file = folder / "tokenizer_config.json"
    name = None
    if file.exists():
        name = read_json(file).get("tokenizer_class")
    if name is not None and str(name).removesuffix("Fast") not in (
        _TOKENIZER_CLASSES
    ):
        raise ValueError(
            f"{file} names a {name}, which may split text otherwise than "
            "BERT's tokenizer does. Pass `preprocessor=None`, encode text with "
            "that tokenizer, and give the model its token ids."
        )


def warn_of_added_words(folder, words):
    """Warns of words beside the vocabulary that are not split in text.

    Args:
        folder: `pathlib.Path`.
        words: list of str, the vocabulary.
    """
    added = []
    if (folder / "added_tokens.json").exists():
        added += read_json(folder / "added_tokens.json")
    if (folder / "tokenizer.json").exists():
        listed = read_json(folder / "tokenizer.json").get("added_tokens")
        listed = listed if isinstance(listed, list) else []
        added += [x.get("content") for x in listed if isinstance(x, dict)]
    added = sorted({str(word) for word in added} - set(words))
    if added:
        warnings.warn(
            f"The tokenizer in {folder} has words beside its vocabulary "
            f"({', '.join(added)}), which are read as any text is here, and "
            "not as one token each: a text that holds them gets other ids.",
            stacklevel=7,
        )


def read_words(folder):
    """The word pieces of a folder, in order of their ids.

    Args:
        folder: `pathlib.Path`, with `vocab.txt` or `tokenizer.json`.

    Returns:
        The file and the list of words.

    Raises:
        ValueError: neither is there, or it is no word-piece tokenizer.
    """
    file = folder / "vocab.txt"
    if file.exists():
        try:
            text = file.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise ValueError(f"{file} is not UTF-8: {error}.") from error
        # Not `splitlines`: a word may be a line separator such as U+2028.
        return file, text.removesuffix("\n").split("\n")
    file = folder / "tokenizer.json"
    model = read_json(file).get("model")
    kind = model.get("type") if isinstance(model, dict) else None
    if kind != "WordPiece":
        raise ValueError(
            f"{file} is a {kind!r} tokenizer, but BERT's is 'WordPiece'."
        )
    ids = model.get("vocab")
    if not isinstance(ids, dict) or not all(
        type(number) is int for number in ids.values()
    ):
        raise ValueError(f"{file} has no vocab from words to whole ids.")
    words = sorted(ids, key=ids.get)
    if [ids[word] for word in words] != list(range(len(words))):
        raise ValueError(
            f"The ids of the {len(words)} words in {file} are not the numbers "
            "from 0, each once."
        )
    return file, words


def read_normalization(folder, name, normalizer_name, default):
    """A setting of `tokenizer_config.json`, or else of `tokenizer.json`.

    Args:
        folder: `pathlib.Path`.
        name: the setting's in the former file.
        normalizer_name: its name in the latter's normalizer.
        default: what holds where neither says anything.

    Returns:
        bool, or the default.

    Raises:
        ValueError: it is neither true nor false, or the normalizer is not
            BERT's.
    """
    file = folder / "tokenizer_config.json"
    settings = read_json(file) if file.exists() else {}
    if name not in settings:
        file, name = folder / "tokenizer.json", normalizer_name
        settings = read_json(file).get("normalizer") if file.exists() else {}
        if settings is None:
            settings = {}
        kind = None
        if isinstance(settings, dict):
            kind = settings.get("type", "BertNormalizer")
        if kind != "BertNormalizer":
            raise ValueError(
                f"{file} has a {kind!r} normalizer, but BERT's is "
                "'BertNormalizer'."
            )
    value = settings.get(name, default)
    if value is not default and type(value) is not bool:
        raise ValueError(
            f"{name} in {file} is {value!r}, but must be true or false."
        )
    return value

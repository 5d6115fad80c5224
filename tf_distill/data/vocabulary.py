"""A word-piece vocabulary of one's own text."""

import collections
import pathlib

from tf_distill.data.sentences import clean_text
from tf_distill.extras import needs_extra
from tf_distill.whole_file import write_whole

SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_LARGEST_ALPHABET = 1000  # characters; `tokenizers`' BERT default


def train_vocabulary(read, path, *, vocabulary_size, lowercase=True):
    """Trains a word-piece vocabulary and writes it as `vocab.txt`.

    The `tokenizers` library trains it. That numbers the letters in an order
    that changes from run to run, and with it which of two equally frequent
    pieces is made first; here the letters are counted and numbered beforehand,
    so that the same text gives the same file.

    Make its tokenizer with `keras_hub.models.BertTokenizer(path,
    lowercase=True, strip_accents=True)`, or neither if `lowercase` is False.

    Args:
        read: function without arguments that returns an iterator of texts or
            of `Document`, such as `lambda: read_documents(path, "line")`; it
            is called twice.
        path: of the file to write.
        vocabulary_size: int, at most so many words, the special ones among
            them; fewer if the text has no more.
        lowercase: bool, whether to make letters small and take accents away.

    Returns:
        The vocabulary, a list of strings.

    Raises:
        ModuleNotFoundError: `tokenizers` is not installed (extra `data`).
        ValueError: there is no text, or `vocabulary_size` has no room for its
            letters.

    Example:
        >>> import pathlib, tempfile
        >>> path = pathlib.Path(tempfile.mkdtemp(), "vocab.txt")
        >>> words = train_vocabulary(
        ...     lambda: ["Low, lower, lowest."], path, vocabulary_size=40)
        >>> words[:5], "low" in words, words == path.read_text().split()
        (['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'], True, True)

    Reference: Schuster & Nakajima 2012; Devlin et al. 2019, section 3.
    """
    with needs_extra("data"):
        import tokenizers

    normalizer = tokenizers.normalizers.BertNormalizer(
        lowercase=lowercase, strip_accents=lowercase
    )
    words = tokenizers.pre_tokenizers.BertPreTokenizer()
    letters = _letters(_lines(read), normalizer)
    if not letters:
        raise ValueError("There is no text to train a vocabulary on.")
    # Punctuation and ideographs are words of their own, and continue none.
    continuing = [
        f"##{letter}"
        for letter in letters
        if len(words.pre_tokenize_str(normalizer.normalize_str(f"a{letter}")))
        == 1
    ]
    fixed = [*SPECIAL_TOKENS, *continuing]
    if vocabulary_size < len(fixed) + len(letters):
        raise ValueError(
            f"vocabulary_size={vocabulary_size}: the text has {len(letters)} "
            f"letters, so expected at least {len(fixed) + len(letters)}, for "
            "these, for them within a word, and for the special tokens."
        )
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordPiece())
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = words
    trainer = tokenizers.trainers.WordPieceTrainer(
        vocab_size=vocabulary_size,
        # What is given as special has the numbers of this order.
        special_tokens=fixed,
        initial_alphabet=letters,
        limit_alphabet=len(letters),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_lines(read), trainer)
    found = tokenizer.get_vocab()
    vocabulary = sorted(found, key=found.get)
    # BERT's order: letters, letters within words, words.
    vocabulary = [
        *SPECIAL_TOKENS,
        *letters,
        *continuing,
        *vocabulary[len(fixed) + len(letters) :],
    ]
    text = "".join(f"{word}\n" for word in vocabulary)
    write_whole(pathlib.Path(path), text.encode())
    return vocabulary


def _lines(read):
    """The cleaned lines of all texts, one at a time."""
    for found in read():
        text = found if isinstance(found, str) else found.text
        yield from clean_text(text).split("\n")


def _letters(lines, normalizer):
    """The most frequent characters, sorted."""
    raw = collections.Counter()
    for line in lines:
        raw.update(line)
    counts = collections.Counter()
    for character, count in raw.items():
        for letter in normalizer.normalize_str(character):
            if not letter.isspace():
                counts[letter] += count
    frequent = sorted(counts, key=lambda letter: (-counts[letter], letter))
    return sorted(frequent[:_LARGEST_ALPHABET])

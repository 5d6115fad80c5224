"""Folders of prepare_corpus's, for the recipes that pre-train.

Copy this file and what it imports along with the recipe that you copy.

Letters in shapes: `V` words.
"""

import pathlib

SMOKE_EXAMPLES = 256


def is_prepared(folder):
    """Whether prepare_corpus has written to a folder, to its end or not.

    Its vocab.txt, which is the first thing there, would be read as text.
    """
    folder = pathlib.Path(folder)
    own = ("config.json", "corpus.json", "shard-*.safetensors")
    return any(any(folder.glob(name)) for name in own)


def open_prepared(config, tokenizer):
    """A prepared corpus, if it is what the options say; for --smoke a little.

    Raises:
        ValueError: it is of another vocabulary or length, or not all of it is
            asked for.
    """
    import tf_distill as td

    corpus = td.data.PreparedCorpus(config.corpus)
    corpus.check_tokenizer(tokenizer)
    if corpus.max_length != config.max_length:
        raise ValueError(
            f"--corpus {config.corpus} was prepared with --max-length "
            f"{corpus.max_length}: pass --max-length {corpus.max_length}, or "
            f"prepare it anew with --max-length {config.max_length}."
        )
    if config.smoke:
        return FirstExamples(corpus, SMOKE_EXAMPLES)
    if config.documents is not None:
        raise ValueError(
            f"--documents {config.documents}: {config.corpus} is prepared, and "
            "has no documents any more. Leave it out, or give the text."
        )
    return corpus


class FirstExamples:
    """The first examples of a prepared corpus, in its place.

    Args:
        corpus: `PreparedCorpus`.
        most: int, how many.
    """

    def __init__(self, corpus, most):
        self.lengths = corpus.lengths[:most]
        self.max_length, self.pad = corpus.max_length, corpus.pad
        self.checksum, self.settings = corpus.checksum, corpus.settings
        labels = corpus.next_sentence_labels
        self.next_sentence_labels = None if labels is None else labels[:most]

    def __len__(self):
        return len(self.lengths)

    def token_counts(self):
        """How often each word is in them, int64 `(V,)`."""
        import numpy as np

        inputs = self.pad(range(len(self)), self.max_length)
        ids = inputs["token_ids"][inputs["padding_mask"] > 0]
        return np.bincount(ids, minlength=self.settings["vocabulary_size"])

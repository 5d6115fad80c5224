"""Hugging Face's `tokenizers`, and masks as its collator draws them.

Letters: B batch, T tokens.
"""

REQUIRES = ["tokenizers", "numpy"]
INSTALL = "pip install tokenizers"


class Side:
    """Tokenizes texts, then masks and pads them in order, all once a step.

    Args:
        job: see `tf_distill_data.Side`.

    Attributes:
        facts: dict of `tokens`, how many there are, and `texts`.
    """

    def __init__(self, job):
        import pathlib

        import numpy as np
        from tokenizers import BertWordPieceTokenizer

        self.job = job
        text = pathlib.Path(job["corpus"]).read_text(encoding="utf-8")
        self.texts = text.splitlines()
        self.tokenizer = BertWordPieceTokenizer(
            job["vocabulary"], lowercase=True
        )
        self.tokenizer.enable_truncation(job["length"])
        self.generator = np.random.default_rng(0)
        self.run(1)
        self.facts = {
            "tokens": sum(len(x.ids) for x in self.encoded),
            "texts": len(self.texts),
        }

    def run(self, steps):
        """Goes through the corpus."""
        size = self.job["batch"]
        for _ in range(steps):
            self.encoded = self.tokenizer.encode_batch(self.texts)
            for start in range(0, len(self.encoded), size):
                self._masked(self.encoded[start : start + size])

    def _masked(self, rows):
        """A batch padded to its longest, with labels of -100, `(B, T)`."""
        import numpy as np

        draw = self.generator.random
        shape = (len(rows), max(len(row.ids) for row in rows))
        ids = np.zeros(shape, "int64")
        special = np.ones(shape, bool)
        for index, row in enumerate(rows):
            ids[index, : len(row.ids)] = row.ids
            special[index, : len(row.ids)] = row.special_tokens_mask
        chosen = (draw(shape) < 0.15) & ~special
        labels = np.where(chosen, ids, -100)
        masked = chosen & (draw(shape) < 0.8)
        ids[masked] = self.tokenizer.token_to_id("[MASK]")
        other = chosen & ~masked & (draw(shape) < 0.5)
        words = self.tokenizer.get_vocab_size()
        ids[other] = self.generator.integers(0, words, int(other.sum()))
        return ids, ~special, labels

"""The rows that a teacher cache is made for, as its teacher reads them.

Letters: B batch, N rows.
"""

import numpy as np

from tf_distill.distillation.plain_values import hash_of


class CacheSource:
    """A dataset's rows, in whatever batches a cache wants them.

    Args:
        batches: `BucketedBatches`, `MaskedBatches`, or a dataset with their
            attributes: `encoded` and `batch_size`; `masking`, `inputs` and
            `num_predictions`, if words are masked.
    """

    def __init__(self, batches):
        self._batches = batches
        self.encoded = batches.encoded
        self.masking = getattr(batches, "masking", None)
        self.batch_size = batches.batch_size
        self._num_tokens = self.encoded.lengths

    def lengths(self, rows=slice(None)):
        """How many tokens and masked words rows have, two int64 `(B,)`."""
        num_tokens = self._num_tokens[rows]
        if self.masking is None:
            return num_tokens, np.zeros_like(num_tokens)
        return num_tokens, self._batches.num_predictions(num_tokens)

    def inputs(self, rows, epoch):
        """A model's inputs for some rows, padded alike to a multiple of 8."""
        longest = self._num_tokens[rows].max()
        length = min(-(-longest // 8) * 8, self.encoded.max_length)
        if self.masking is None:
            return self.encoded.pad(rows, length)
        return self._batches.inputs(rows, length, epoch)

    def fingerprint(self):
        """Hashes of all rows, whatever their order and batches."""
        encoded = self.encoded
        data = getattr(encoded, "fingerprint", None)  # a prepared corpus's own
        if data is None:
            data = hash_of(
                (encoded.token_ids, encoded.segment_ids, encoded.offsets)
            )
        return {
            "rows": len(encoded),
            "data": data,
            "masking": self.masking,
        }

"""Batches that carry the teacher's signals with them.

Letters: B batch.
"""

import numpy as np

from tf_distill.data.wrapped_batches import WrappedBatches
from tf_distill.distillation.batch import TEACHER
from tf_distill.distillation.cache_fingerprint import teacher_fingerprint


class CachedBatches(WrappedBatches):
    """The batches of a dataset with a teacher cache's signals among the inputs.

    Made by `TeacherCache.over`. Order, shapes, labels and weights are the
    dataset's.

    Args:
        batches: as for `TeacherCache.over`.
        contents: dict of what the cache is made from: its dtype, its top k,
            and hashes of its teachers.
        read: function from the batches' epoch, `B` row numbers and the pair of
            lengths that they are padded to, to a dict of signals.
    """

    def __init__(self, batches, contents, read):
        super().__init__(batches)
        self.cache_contents = contents
        self._read = read
        self._lengths = batches.encoded.lengths

    @property
    def settings(self):
        """The dataset's, and how the signals were rounded, if they were."""
        rounding = {n: self.cache_contents[n] for n in ("dtype", "top_k")}
        if rounding == {"dtype": "float32", "top_k": None}:
            return self.batches.settings
        return {**self.batches.settings, "teacher_cache": rounding}

    def __getitem__(self, index):
        rows = self.batches.rows(index)
        inputs, *rest = self.batches[index]
        mask = inputs["padding_mask"]
        if not np.array_equal(mask.sum(-1), self._lengths[rows]):
            raise RuntimeError(
                f"Batch {index} has rows of other lengths than those that it "
                "was said to have: somebody else asks for batches of the same "
                "dataset. Give each training its own."
            )
        positions = inputs.get("mask_positions")
        padded = mask.shape[1], 0 if positions is None else positions.shape[1]
        signals = self._read(self.batches.epoch, rows, padded)
        return ({**inputs, TEACHER: signals}, *rest)


def check_same_teacher(data, teachers):
    """Raises where batches carry the signals of other teachers.

    Args:
        data: what `fit` is given; a `CachedBatches`, one wrapped, or anything
            else, which carries none.
        teachers: the Distiller's `Teachers`.

    Raises:
        ValueError: their weights or layers are not those of the cache.
    """
    then = getattr(data, "cache_contents", None)
    if then is None:
        return
    for name, model in teachers.models.items():
        now = teacher_fingerprint(model, name)
        different = [
            f"{what} was {then.get(what, 'not there')} and is {now[what]}"
            for what in now
            if then.get(what) != now[what]
        ]
        if different:
            raise ValueError(
                "The batches carry the signals of another teacher than the "
                f"Distiller's: {'; '.join(different)}. Build a cache of "
                "`distiller.teacher`, or give the Distiller the cache's."
            )

"""Runs a teacher over rows, for a teacher cache.

Letters: N rows.
"""

import keras
import numpy as np
from keras import ops

from tf_distill.distillation.batch import needed
from tf_distill.distillation.cache_rows import RowLayout, row_shapes
from tf_distill.distillation.teachers import Teachers


class SignalRows:
    """A teacher's signals for rows, as bytes.

    Args:
        teacher, signals, dtype, top_k: as for `TeacherCache`.

    Attributes:
        shapes: dict of the signals' row shapes, see `row_shapes`.
        layout: the `RowLayout` of a row's bytes.

    Raises:
        ValueError: the teacher has no dict of inputs, or no such signal.
    """

    def __init__(self, teacher, signals, dtype, top_k):
        self._network = Teachers(teacher).network(signals)
        if not isinstance(self._network.input, dict):
            raise ValueError(
                f"{self._network.name!r} has no dict of inputs, by whose names "
                "the inputs of a batch and the teacher's signals are told "
                "apart: build it with one."
            )
        if keras.config.backend() == "tensorflow":
            self._network.jit_compile = False
        self.shapes = row_shapes(self._network, signals)
        self.layout = RowLayout(self.shapes, dtype, top_k)
        self._begun = False

    def packed(self, source, epoch, rows):
        """The bytes of rows that are of like lengths.

        Args:
            source: `CacheSource`.
            epoch: int or None, that the rows are of.
            rows: numbers of rows, `(N,)`.

        Returns:
            list of N lists of uint8 arrays, which lie end to end.

        Raises:
            ValueError: a signal is NaN.
        """
        if not self._begun and keras.config.backend() == "tensorflow":
            self._forget_shapes(source, epoch)
        self._begun = True
        packed = []
        for start in range(0, len(rows), source.batch_size):
            chunk = rows[start : start + source.batch_size]
            # A single row is given twice, see `_forget_shapes`.
            signals = self._run(
                source, epoch, np.resize(chunk, max(2, len(chunk)))
            )
            packed += self.layout.pack(signals, chunk, *source.lengths(chunk))
        return packed

    def _forget_shapes(self, source, epoch):
        """Makes TensorFlow trace the teacher for batches of any size.

        As `fit` does: of a graph whose batch size is known, TensorFlow fuses
        other operations, which round otherwise. Keras lets a graph forget an
        axis when it changes, but keeps the graphs of the first shapes; so
        these are of single rows, which are never asked for again.
        """
        order = np.argsort(source.lengths()[0], kind="stable")
        for rows in (order[:1], order[-1:], np.resize(order[-2:], 2)):
            self._run(source, epoch, rows)

    def _run(self, source, epoch, rows):
        """The teacher's signals, a dict of arrays."""
        inputs = needed(self._network, source.inputs(rows, epoch))
        found = self._network.predict_on_batch(inputs)
        return {name: ops.convert_to_numpy(found[name]) for name in self.shapes}

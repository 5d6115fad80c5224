"""A teacher's signals for a dataset, computed once and kept on the disk.

Letters: B batch, N rows.
"""

import pathlib
import time

from tf_distill.distillation.cache_fingerprint import (
    check_contents,
    key_of,
    teacher_fingerprint,
    write_contents,
)
from tf_distill.distillation.cache_shards import Shards, amount, check_room
from tf_distill.distillation.cache_signals import SignalRows
from tf_distill.distillation.cache_source import CacheSource
from tf_distill.distillation.cached_batches import CachedBatches
from tf_distill.distillation.teachers import Teachers
from tf_distill.whole_file import delete_unfinished

_CONTENTS = "cache.json"  # what a folder's shards are made from


class TeacherCache:
    """A teacher's signals for every row of a dataset, in files of a folder.

    `build` runs the teacher over the rows, `over` gives the dataset's batches
    with the signals in them, which a `Distiller` uses instead of its teacher.
    Rows are stored without padding. Where words are masked anew every epoch
    (`tf_distill.data.MaskedBatches`), each epoch has a folder of its own.

    In float32 on TensorFlow on a processor, compiled with `jit_compile=False`,
    a student is trained to the very weights that it would get beside the
    living teacher, if batches are padded to multiples of 8 (`max_length` must
    be one, too): there a row's signals do not depend on the rows beside it nor
    on how far it is padded, save that a batch of a single row may differ in
    the last bits. Elsewhere (XLA, JAX, a GPU, `run_eagerly`, batches of a fixed
    size) the signals agree to rounding; of MobileBERT, whose trigrams see
    whether padding follows a row, but for that.

    Args:
        folder: where the cache is, or is to be.
        teacher: functional `keras.Model` with a dict of inputs, or a dict of
            them by name.
        signals: names as `tf_distill.distillation.tapped` has them, and
            `"output"`; of several teachers after the teacher's name and a
            colon. `distiller.teacher_signals` are those that it needs.
        dtype: `"float32"`, or `"float16"` or `"bfloat16"` for half the size
            and rounded signals; they are given back as float32.
        top_k: int, how many of the largest logits to keep of an output with
            more; or None for all. The other classes then share evenly the
            probability that they had together.
        shard_bytes: int, size of a file; what is lost if building is killed.

    Raises:
        ValueError: no signals, or one that the teacher has not.

    Example:
        >>> import keras, numpy as np, tempfile, tf_distill as td
        >>> def classifier(num_layers):
        ...     return td.models.BertTextClassifier.from_preset(
        ...         "bert_tiny_2l_128d", load_weights=False, num_classes=2,
        ...         num_layers=num_layers, vocabulary_size=10)
        >>> distiller = td.Distiller(
        ...     student=classifier(1), teacher=classifier(2),
        ...     losses=[td.LogitMatch(td.losses.SoftCrossEntropy())])
        >>> ids = np.array([2, 5, 3, 2, 6, 7, 3], "int32")
        >>> encoded = td.data.Encoded(ids, 0 * ids, np.array([0, 3, 7]), 8)
        >>> train = td.data.BucketedBatches(encoded, batch_size=2)
        >>> folder = tempfile.mkdtemp()
        >>> cache = td.distillation.TeacherCache(
        ...     folder, distiller.teacher, distiller.teacher_signals)
        >>> cache.build(train)
        Teacher cache ...: 2 rows, 80 bytes; 1 of 1 shards to compute.
        >>> distiller.compile("adam", jit_compile=False)
        >>> _ = distiller.fit(cache.over(train), shuffle=False, verbose=0)
    """

    def __init__(
        self,
        folder,
        teacher,
        signals,
        *,
        dtype="float32",
        top_k=None,
        shard_bytes=2**27,
    ):
        signals = sorted(set(signals))
        if not signals or shard_bytes < 1:
            raise ValueError(
                f"Got signals={signals} and shard_bytes={shard_bytes}: "
                "expected at least one signal, and one byte."
            )
        self.folder = pathlib.Path(folder)
        self._signals = SignalRows(teacher, signals, dtype, top_k)
        self._teachers = Teachers(teacher)
        self._shard_bytes = shard_bytes
        self._settings = {
            "signals": self._signals.shapes,
            "top_k": top_k,
            "dtype": dtype,
            "shard_bytes": shard_bytes,
        }

    def size(self, batches):
        """How many bytes the files are, of one epoch if words are masked.

        Args:
            batches: as for `build`.
        """
        source = CacheSource(batches)
        epochs = self._epochs(source, batches.epoch)
        return sum(shards.size() for shards, _ in self._parts(source, epochs))

    def build(self, batches, *, epochs=1):
        """Computes what is missing; says how much that is before it begins.

        Killed and called again, it goes on at the next file. Files that are
        there are read through, and those that are damaged computed anew.

        Args:
            batches: `BucketedBatches`, `MaskedBatches`, or a dataset with
                their attributes `encoded`, `batch_size`, `epoch`, `rows` and,
                if words are masked, `masking`, `inputs`, `num_predictions`.
            epochs: int, if words are masked anew every epoch: how many, from
                the batches' own on. A cache without masks serves all epochs.

        Raises:
            ValueError: the folder's cache was made from something else (says
                what), or a signal of the teacher's is NaN.
            OSError: the disk is too small (before anything is computed), or
                full; whatever was whole stays.
        """
        source = CacheSource(batches)
        epochs = self._epochs(source, batches.epoch, epochs)
        parts = self._parts(source, epochs)
        # All are checked before a file is written.
        found = [check_contents(s.folder / _CONTENTS, c) for s, c in parts]
        for (shards, contents), is_there in zip(parts, found, strict=True):
            shards.folder.mkdir(parents=True, exist_ok=True)
            delete_unfinished(shards.folder)
            if not is_there:
                write_contents(shards.folder / _CONTENTS, contents)
        missing = [(shards, shards.damaged()) for shards, _ in parts]
        count = sum(len(numbers) for _, numbers in missing)
        total = sum(shards.size() for shards, _ in parts)
        print(
            f"Teacher cache {self.folder}: {len(source.encoded)} rows, "
            f"{amount(total)}; {count} of {sum(len(s) for s, _ in parts)} "
            "shards to compute.",
            flush=True,
        )
        check_room(self.folder, sum(s.size(numbers) for s, numbers in missing))
        done, told = 0, time.monotonic()
        for epoch, (shards, numbers) in zip(epochs, missing, strict=True):
            for number in numbers:
                rows = shards.rows(number)
                packed = self._signals.packed(source, epoch, rows)
                shards.write(number, packed)
                done += 1
                if time.monotonic() - told > 60:
                    told = time.monotonic()
                    print(f"Computed {done} of {count} shards.", flush=True)

    def over(self, batches):
        """The batches with the teacher's signals in them.

        Args:
            batches: as for `build`; the same rows, in batches of any size and
                order.

        Returns:
            A dataset for `fit` and `evaluate`, with the attributes of
            `batches`.

        Raises:
            ValueError: the cache was made from something else (says what), or
                is not complete; of an epoch after the first, in `fit`.
        """
        source = CacheSource(batches)
        (epoch,) = self._epochs(source, batches.epoch)
        shards, contents = self._complete(source, epoch)
        opened = {epoch: shards}

        def read(epoch, rows, padded):
            (epoch,) = self._epochs(source, epoch)
            shards = opened.get(epoch)
            if shards is None:
                shards, _ = self._complete(source, epoch)
                opened.clear()
                opened[epoch] = shards
            records = [shards.read(row) for row in rows]
            return self._signals.layout.unpack(
                records, *source.lengths(rows), padded
            )

        return CachedBatches(batches, contents, read)

    def _epochs(self, source, first, count=1):
        """The epochs that have signals of their own; [None] if none has."""
        if source.masking is None:
            return [None]
        return list(range(first, first + count))

    def _parts(self, source, epochs):
        """Of each epoch, the shards and a dict of what they are made from."""
        contents = {**source.fingerprint(), **self._settings}
        for name, model in self._teachers.models.items():
            contents |= teacher_fingerprint(model, name)
        nbytes = self._signals.layout.nbytes(*source.lengths())
        parts = []
        for epoch in epochs:
            folder = self.folder
            if epoch is not None:
                contents = {**contents, "epoch": epoch}
                folder = folder / f"epoch-{epoch:04d}"
            key = key_of(contents)
            shards = Shards(folder, key, nbytes, self._shard_bytes)
            parts.append((shards, contents))
        return parts

    def _complete(self, source, epoch):
        """The shards of an epoch, all there, and what they are made from.

        Raises:
            ValueError: they are not, or were made from something else.
        """
        ((shards, contents),) = self._parts(source, [epoch])
        is_there = check_contents(shards.folder / _CONTENTS, contents)
        missing = len(shards.missing()) if is_there else len(shards)
        if missing:
            raise ValueError(
                f"{shards.folder} lacks {missing} of {len(shards)} shards: "
                "call `build` with the same batches first"
                + (", and as many `epochs`." if epoch is not None else ".")
            )
        return shards, contents

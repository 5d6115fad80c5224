"""Has the batches of a dataset looked at on their way to a model."""

import contextlib
import sys
import types

import keras
import numpy as np

# Of inputs, under these names or with a prefix, as `teacher_token_ids`.
NAMES = ("token_ids", "segment_ids", "padding_mask", "mask_positions")


@contextlib.contextmanager
def checked(check, *data):
    """Checks data: in memory at once, a dataset batch by batch.

    A compiled step cannot look at what it computes, so a batch is looked at
    before: of a `tf.data.Dataset` in its pipeline, by a last `map` that
    changes nothing, of a `keras.utils.PyDataset` or a generator where Keras
    asks for it. What holds text passes by.

    Args:
        check: function that raises a ValueError about an element of `data`,
            or about a dict of a batch's token ids, segments, masks and
            positions, NumPy arrays.
        *data: what `fit` takes as `x` or as `validation_data`.

    Yields:
        A list of the same data, for use within the context.

    Raises:
        ValueError: of `check`, also where TensorFlow would hand on an
            `InvalidArgumentError` with the same words, as it does where a
            PyDataset checks in processes of its own (`use_multiprocessing`).

    Example:
        >>> import numpy as np
        >>> from tf_distill.models.checked_data import checked
        >>> def check(inputs):
        ...     if isinstance(inputs, dict) and inputs["token_ids"].max() > 9:
        ...         raise ValueError("`token_ids` has more than 9.")
        >>> batches = ({"token_ids": np.array([[n]])} for n in (9, 10))
        >>> with checked(check, batches) as (batches,):
        ...     for batch in batches:
        ...         print(batch["token_ids"].item())
        Traceback (most recent call last):
        ...
        ValueError: `token_ids` has more than 9.
    """
    found = []

    def check_batch(batch):
        try:
            check(_arrays(batch))
        except ValueError as error:
            found.append(error)
            raise

    for each in data:
        pair = isinstance(each, (tuple, list)) and len(each)
        check(each[0] if pair else each)
    with raised_again(found):
        yield [_checked(each, check_batch) for each in data]


@contextlib.contextmanager
def raised_again(found):
    """Raises an error itself where TensorFlow hands on its words in another.

    Args:
        found: list of errors, to which a function in a `tf.data` pipeline adds
            what it raises. Empty afterwards.
    """
    try:
        yield
    except Exception as error:
        for ours in found:
            if ours is not error and str(ours) in str(error):
                raise ours from None
        raise
    finally:
        found.clear()


def _checked(data, check):
    tf = sys.modules.get("tensorflow")  # who has a dataset of it, has it
    if tf is not None and isinstance(data, tf.data.Dataset):
        return _checked_dataset(tf, data, check)
    if isinstance(data, keras.utils.PyDataset):
        return _CheckedBatches(data, check)
    if isinstance(data, types.GeneratorType):
        return _checked_generator(data, check)
    return data


def _checked_dataset(tf, dataset, check):
    spec = dataset.element_spec
    names = [
        name
        for name, x in _inputs(spec).items()
        if isinstance(x, tf.TensorSpec)
    ]
    if not names:
        return dataset

    def look(*arrays):
        check(dict(zip(names, arrays, strict=True)))
        return ()

    @tf.autograph.experimental.do_not_convert
    def element(*parts):
        tf.numpy_function(look, [parts[0][name] for name in names], ())
        return parts if isinstance(spec, tuple) else parts[0]

    return dataset.map(element)


def _checked_generator(batches, check):
    for batch in batches:
        check(batch)
        yield batch


class _CheckedBatches(keras.utils.PyDataset):
    """A dataset's batches, each checked."""

    def __init__(self, batches, check):
        super().__init__(
            batches.workers, batches.use_multiprocessing, batches.max_queue_size
        )
        self._batches = batches
        self._check = check

    def __reduce__(self):
        # A process that is spawned gets no model, so it does not check.
        return _itself, (self._batches,)

    @property
    def num_batches(self):
        return self._batches.num_batches

    def __getitem__(self, index):
        batch = self._batches[index]
        self._check(batch)
        return batch

    def on_epoch_begin(self):
        self._batches.on_epoch_begin()

    def on_epoch_end(self):
        self._batches.on_epoch_end()


def _itself(batches):
    return batches


def _inputs(batch):
    """What is to be looked at of a batch, by name."""
    x = batch[0] if isinstance(batch, (tuple, list)) and len(batch) else batch
    if not isinstance(x, dict):
        return {}
    return {name: x[name] for name in x if str(name).endswith(NAMES)}


def _arrays(batch):
    return {
        name: keras.ops.convert_to_numpy(x)
        if keras.ops.is_tensor(x)
        else np.asarray(x)
        for name, x in _inputs(batch).items()
    }

"""How a teacher's signals of one row lie in a teacher cache.

Letters: B batch, k of the classes or words that are kept.
"""

import keras
import numpy as np

from tf_distill.distillation.cache_top_k import (
    INDICES,
    REST,
    VALUES,
    cut,
    keep_top,
    spread,
)
from tf_distill.distillation.tapped import OUTPUT
from tf_distill.distillation.teachers import role_of
from tf_distill.models.question_answering import NEVER

TOKENS, PREDICTIONS = "tokens", "predictions"
_PROBE = {TOKENS: 7, PREDICTIONS: 3}  # lengths to tell the axes apart by


def row_shapes(network, names):
    """The shape of one row of each signal, with names for unequal axes.

    Args:
        network: a tapped model, with a dict of inputs and outputs.
        names: the signals.

    Returns:
        dict of tuples: ints, `"tokens"` where an axis is as long as the row,
        `"predictions"` where it is as long as its `mask_positions`.

    Raises:
        ValueError: a signal is not one tensor, or an axis is of neither kind.

    Example:
        >>> from tf_distill.distillation import cache_rows, tapped
        >>> from tf_distill.models import BertBackbone
        >>> backbone = BertBackbone.from_preset(
        ...     "bert_tiny_2l_128d", load_weights=False)
        >>> network = tapped(backbone, ["attention_scores/1"])
        >>> cache_rows.row_shapes(network, ["attention_scores/1"])
        {'attention_scores/1': (2, 'tokens', 'tokens')}
    """
    inputs = {
        name: keras.Input(
            batch_shape=(2, *(d or _probe(name) for d in x.shape[1:])),
            dtype=x.dtype,
        )
        for name, x in network.input.items()
    }
    found, probed = network.output, network(inputs)
    return {name: _row_shape(name, found[name], probed[name]) for name in names}


def _probe(name):
    return _PROBE[PREDICTIONS if name == "mask_positions" else TOKENS]


def _row_shape(name, signal, probed):
    if not hasattr(signal, "shape"):
        raise ValueError(
            f"The signal {name!r} is {len(signal)} tensors, but a teacher "
            "cache holds single ones: tap a model with one output."
        )
    kinds = {length: kind for kind, length in _PROBE.items()}
    shape = [
        kinds.get(length) if axis is None else axis
        for axis, length in zip(signal.shape[1:], probed.shape[1:], strict=True)
    ]
    if None in shape:
        raise ValueError(
            f"The signal {name!r} has shape {tuple(signal.shape)}, of which an "
            "axis is neither as long as the tokens nor as `mask_positions`; "
            "a teacher cache cannot store its rows."
        )
    return tuple(shape)


class RowLayout:
    """Where each signal lies in the bytes of a row, and how it is coded.

    Args:
        shapes: dict of row shapes by signal, of `row_shapes`.
        dtype: `"float32"`, `"float16"` or `"bfloat16"`.
        top_k: k, how many of the largest values to keep of each output that
            has more, with their indices; or None for all. The others are then
            given back as equal, and with the mass that they had together
            under a softmax at a temperature of 1.

    Raises:
        ValueError: another `dtype`, or a `top_k` that does not fit.
    """

    def __init__(self, shapes, dtype="float32", top_k=None):
        if dtype not in ("float32", "float16", "bfloat16"):
            raise ValueError(
                f"dtype={dtype!r}: a teacher cache stores float32, float16 or "
                "bfloat16."
            )
        self._top_k = top_k
        self._num_classes = {} if top_k is None else cut(shapes, top_k)
        self._parts = []  # of a row in turn: name, shape, dtype
        dtype = _numpy_dtype(dtype)
        for name, shape in sorted(shapes.items()):
            if name in self._num_classes:
                top = (*shape[:-1], top_k)
                self._parts += [
                    (VALUES + name, top, dtype),
                    (INDICES + name, top, np.dtype("int32")),
                    (REST + name, shape[:-1], np.dtype("float32")),
                ]
            else:
                self._parts.append((name, shape, dtype))

    def nbytes(self, num_tokens, num_predictions):
        """How long each row is, in bytes, int64 `(N,)`.

        Args:
            num_tokens, num_predictions: int64, `(N,)`.
        """
        total = np.zeros(len(num_tokens), "int64")
        for _, shape, dtype in self._parts:
            size = np.full(len(num_tokens), dtype.itemsize, "int64")
            for axis in _lengths(shape, num_tokens, num_predictions):
                size *= axis
            total += size
        return total

    def pack(self, signals, numbers, num_tokens, num_predictions):
        """The bytes of each row of a batch, one after the other.

        Args:
            signals: dict of arrays, `(B, ...)`.
            numbers: of the rows, `(B,)`, for the error.
            num_tokens, num_predictions: int, `(B,)`.

        Returns:
            list of B lists of uint8 arrays, which lie end to end.

        Raises:
            ValueError: a signal is NaN.
        """
        for name in self._num_classes:
            signals = {**signals, **keep_top(name, signals[name], self._top_k)}
        rows = []
        for row, lengths in enumerate(
            zip(num_tokens, num_predictions, strict=True)
        ):
            pieces = []
            for name, shape, dtype in self._parts:
                part = tuple(slice(n) for n in _lengths(shape, *lengths))
                piece = np.ascontiguousarray(signals[name][(row, *part)], dtype)
                if dtype.kind != "i" and np.isnan(piece).any():
                    raise ValueError(
                        f"The teacher's {name!r} is NaN for row {numbers[row]}"
                        ": nothing can be learned from it. Check the teacher's "
                        "weights and dtype."
                    )
                pieces.append(piece.reshape(-1).view("uint8"))
            rows.append(pieces)
        return rows

    def unpack(self, rows, num_tokens, num_predictions, padded):
        """The signals of a batch, with zeros where a row is padded.

        Where an output has a logit a token, as an answer's start has, padding
        gets the one that `QuestionAnswering` gives it: no probability.

        Args:
            rows: list of B uint8 arrays.
            num_tokens, num_predictions: int, `(B,)`.
            padded: the pair of lengths that they are padded to.

        Returns:
            dict of float32 arrays, `(B, ...)`.
        """
        signals = {
            name: np.full(
                (len(rows), *_lengths(shape, *padded)),
                _padding(name, shape),
                dtype if dtype.kind == "i" else "float32",
            )
            for name, shape, dtype in self._parts
        }
        for index, row in enumerate(rows):
            start, own = 0, (num_tokens[index], num_predictions[index])
            for name, shape, dtype in self._parts:
                lengths = _lengths(shape, *own)
                count = int(np.prod(lengths))
                piece = np.frombuffer(row, dtype, count, start)
                part = tuple(slice(n) for n in lengths)
                signals[name][(index, *part)] = piece.reshape(lengths)
                start += count * dtype.itemsize
        for name, num_classes in self._num_classes.items():
            signals[name] = spread(name, signals, num_classes)
        return signals


def _lengths(shape, num_tokens, num_predictions):
    known = {TOKENS: num_tokens, PREDICTIONS: num_predictions}
    return [known.get(axis, axis) for axis in shape]


def _padding(name, shape):
    """What stands where a row is padded."""
    is_over_tokens = shape[-1:] == (TOKENS,) and role_of(name) == OUTPUT
    return NEVER if is_over_tokens else 0


def _numpy_dtype(name):
    if name == "bfloat16":  # NumPy has none; this comes with Keras
        import ml_dtypes

        return np.dtype(ml_dtypes.bfloat16)
    return np.dtype(name)

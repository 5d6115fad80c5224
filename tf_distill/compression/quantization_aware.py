"""A student that trains with the rounding of int8 in it.

Letters: B batch, T tokens.
"""

import keras
import keras_hub

from tf_distill.compression.calibration import calibration_inputs
from tf_distill.compression.fake_quantizer import FakeQuantizer
from tf_distill.compression.quantized_attention import (
    QuantizedAttention,
    QuantizedAttentionScores,
)
from tf_distill.compression.quantized_dense import QuantizedDense
from tf_distill.compression.quantized_embeddings import (
    QuantizedEmbedding,
    QuantizedPositionEmbedding,
    QuantizedReversibleEmbedding,
    QuantizedTiedLogits,
)
from tf_distill.layers import (
    AttentionScores,
    Dense,
    DotProductAttention,
    PositionEmbedding,
)
from tf_distill.models.encoder import Encoder
from tf_distill.models.masked_lm_head import TiedLogits

QUANTIZED = {
    keras.layers.Dense: QuantizedDense,
    Dense: QuantizedDense,
    keras.layers.Embedding: QuantizedEmbedding,
    keras.layers.ReversibleEmbedding: QuantizedReversibleEmbedding,
    PositionEmbedding: QuantizedPositionEmbedding,
    TiedLogits: QuantizedTiedLogits,
    AttentionScores: QuantizedAttentionScores,
    DotProductAttention: QuantizedAttention,
}
for _plain, _quantized in QUANTIZED.items():
    # Keras saves the layers of a model under the names of their classes: so
    # that a plain model can read the weights, and one with rounding a plain's.
    _quantized.__name__ = _plain.__name__
TABLES = (
    keras.layers.Embedding,
    keras.layers.ReversibleEmbedding,
    PositionEmbedding,
)


def quantization_aware(model, calibration, *, embeddings=True):
    """Puts int8's rounding into a student, which then trains as before.

    Every matrix product (dense layers, both of attention, the masked LM's by
    the embeddings) gets rounded operands and a rounded result, every embedding
    table rounded rows: what `tf_distill.export.litert(...,
    quantization="int8")` makes int8 of. Sums, normalizations (NoNorm too),
    softmax and activation functions stay float32: in int8 these are what costs
    a BERT its accuracy, and they are a small part of the time.

    The layers stay the model's own, with the same weights: whatever refers to
    the model or its layers, such as a `Distiller` made of it before or after,
    sees the rounding. Do it before `compile`. The ranges start at what the
    calibration batches show; in `fit` TFMOT's quantizers update them. They are
    saved with the weights (`save_weights`); a preset is read without them,
    as a plain model of the trained weights.

    Args:
        model: an encoder or a task of `tf_distill.models`, in float32.
        calibration: batches of what the model will see, a hundred texts or
            more: dicts of token ids, or what `fit` takes.
        embeddings: bool, whether the embedding tables are rounded too; they
            are most of a small student.

    Returns:
        The model.

    Raises:
        ValueError: the model has it already, is not one of this package or not
            in float32, Keras does not run on TensorFlow, or a batch does not
            fit the model.

    Example:
        >>> import numpy as np
        >>> from tf_distill.compression import quantization_aware
        >>> from tf_distill.models import BertBackbone
        >>> model = BertBackbone(
        ...     vocabulary_size=6, num_layers=1, num_heads=1, hidden_dim=2,
        ...     intermediate_dim=4)
        >>> ids = np.array([[2, 5, 3]])
        >>> batch = {"token_ids": ids, "segment_ids": 0 * ids,
        ...          "padding_mask": 0 * ids + 1}
        >>> is_quantization_aware(quantization_aware(model, [batch]))
        True

    Reference: Jacob et al. 2018, section 3; Zafrir et al. 2019, "Q8BERT".
    """
    check_can_be_quantized(model)
    batches = list(calibration_inputs(model, calibration))
    add_rounding(model, embeddings=embeddings)
    calibrate(model, batches)
    return model


def is_quantization_aware(model):
    """Whether a model has the rounding of int8 in it.

    Args:
        model: `keras.Model`.

    Returns:
        bool.
    """
    return any(isinstance(layer, FakeQuantizer) for layer in _layers(model))


def is_quantized_by_keras(model):
    """Whether Keras' own `quantize` has changed a model's layers.

    Args:
        model: `keras.Model`.

    Returns:
        bool.

    Example:
        >>> import keras
        >>> layers = [keras.Input((4,)), keras.layers.Dense(2)]
        >>> model = keras.Sequential(layers)
        >>> model.layers[0].quantize("int8")
        >>> is_quantized_by_keras(model)
        True
    """
    return any(
        getattr(layer, "quantization_mode", None) is not None
        for layer in _layers(model)
    )


def check_can_be_quantized(model):
    """Raises unless `quantization_aware` can work on a model."""
    if keras.config.backend() != "tensorflow":
        raise ValueError(
            f"Keras runs on {keras.config.backend()!r}, but the rounding is "
            "TensorFlow's: set KERAS_BACKEND=tensorflow."
        )
    if hasattr(model, "student"):
        raise ValueError(
            f"{type(model).__name__} holds a teacher and a student: pass "
            "`distiller.student`."
        )
    if is_quantization_aware(model):
        raise ValueError(
            f"{model.name} has the rounding of int8 in it already: train it, "
            "or begin with a plain model of its weights "
            "(`save_to_preset`, `from_preset`)."
        )
    if not isinstance(getattr(model, "backbone", model), Encoder):
        raise ValueError(
            f"{type(model).__name__} is not an encoder or a task of "
            "tf_distill.models. KerasHub's BERT and DistilBERT can be read "
            "into these: save it (`save_to_preset`) and give the folder to "
            "their `from_preset`."
        )
    if is_quantized_by_keras(model):
        raise ValueError(
            f"{model.name} was quantized by Keras (`quantize`), so that there "
            "are no float32 weights to train: begin with the model as it was "
            "before, such as a preset that was saved of it."
        )
    half = {
        layer.name
        for layer in _layers(model)
        if layer.compute_dtype in ("bfloat16", "float16")
    }
    if half:
        raise ValueError(
            f"{model.name} computes in half precision (in {len(half)} layers), "
            "but the rounding to eight bits is of float32: build it with "
            "dtype='float32', or pass `tf_distill.export.as_float32(model)`."
        )


def add_rounding(model, *, embeddings=True):
    """Turns a model's layers into their quantized forms; ranges are empty."""
    for layer in list(_layers(model)):
        cls = QUANTIZED.get(type(layer))
        if cls is None or (type(layer) in TABLES and not embeddings):
            continue
        # The graph of a functional model holds its layers, and nothing else
        # does what a layer does: it becomes another class, over its weights.
        layer._tracker.unlock()
        layer.__class__ = cls
        for name, quantizer in layer.quantizers().items():
            quantizer.build()
            setattr(layer, name, quantizer)
        layer._tracker.lock()
    observe_weights(model)


def observe_weights(model):
    """Fits the ranges of a model's weights to what these are now."""
    for layer in _layers(model):
        if hasattr(layer, "observe_weights"):
            layer.observe_weights()


def calibrate(model, batches):
    """Fits the ranges of activations to some batches.

    Args:
        model: with empty ranges.
        batches: iterable of dicts of int32 arrays.
    """
    quantizers = [
        layer
        for layer in _layers(model)
        if isinstance(layer, FakeQuantizer) and layer.kind == "activation"
    ]
    for quantizer in quantizers:
        quantizer.observing = True
    try:
        for inputs in batches:
            model(inputs, training=False)
    finally:
        for quantizer in quantizers:
            quantizer.observing = False


def plain_copy(model):
    """A model of the same class, configuration and weights.

    Args:
        model: an encoder or a task, without rounding.
    """
    config = model.get_config()
    if isinstance(model, keras_hub.models.Task):
        # The vocabulary is not part of the preprocessor's configuration.
        config["preprocessor"] = model.preprocessor
    copy = type(model).from_config(config)
    copy.set_weights(model.get_weights())
    return copy


def _layers(model):
    return model._flatten_layers(include_self=False)

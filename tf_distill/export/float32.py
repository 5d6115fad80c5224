"""The same model in float32, whatever precision it was trained in."""

import logging

HALF_POLICIES = ("bfloat16", "float16", "mixed_bfloat16", "mixed_float16")


def as_float32(model):
    """Rebuilds a model in float32 and copies its weights.

    A model trained under `mixed_bfloat16` is right for training only: LiteRT
    cannot convert it, and half precision costs a served model accuracy. That
    it was converted is logged.

    Args:
        model: a KerasHub task or backbone. It is left as it is.

    Returns:
        A new model of the same class, a task with the same preprocessor;
        `model` itself if it is in float32 already.

    Example:
        >>> import keras_hub
        >>> backbone = keras_hub.models.BertBackbone(
        ...     vocabulary_size=10, num_layers=1, num_heads=1, hidden_dim=2,
        ...     intermediate_dim=4, dtype="mixed_bfloat16")
        >>> task = keras_hub.models.BertTextClassifier(backbone, num_classes=2)
        >>> as_float32(task).backbone.compute_dtype
        'float32'
    """
    import keras
    import numpy as np

    given = model.get_config()
    given.pop("preprocessor", None)  # which computes ids, whatever its dtype
    config = _in_float32(given)
    if config == given:
        return model
    logging.getLogger(__name__).warning(
        "%s computes in %s; its copy for export is in float32.",
        model.name,
        getattr(model, "backbone", model).dtype_policy.name,
    )
    if hasattr(model, "preprocessor"):
        # The vocabulary is not part of the preprocessor's configuration.
        config["preprocessor"] = model.preprocessor
    policy = keras.config.dtype_policy()
    # Operations inside a model take the global policy where no dtype is given.
    keras.config.set_dtype_policy("float32")
    try:
        copy = type(model).from_config(config)
    finally:
        keras.config.set_dtype_policy(policy)
    copy.set_weights(
        [
            weight.astype("float32")
            if weight.dtype.name in HALF_POLICIES
            else weight
            for weight in map(np.asarray, model.get_weights())
        ]
    )
    return copy


def _in_float32(config):
    """A copy of a configuration with every half precision policy replaced."""
    if isinstance(config, dict):
        if config.get("class_name") == "DTypePolicy":
            name = config["config"]["name"]
            return "float32" if name in HALF_POLICIES else config
        return {
            key: "float32"
            if key == "dtype" and _is_half(value)
            else _in_float32(value)
            for key, value in config.items()
        }
    if isinstance(config, (list, tuple)):
        return type(config)(_in_float32(value) for value in config)
    return config


def _is_half(value):
    return isinstance(value, str) and value in HALF_POLICIES

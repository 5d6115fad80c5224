"""A model that also returns its inner tensors, over the same weights."""

import keras
from keras import tree

from tf_distill.layers import AttentionScores
from tf_distill.models.tap_points import tap_points

OUTPUT = "output"
EMBEDDINGS = "embeddings"
ROLES = ("hidden_states", "attention_scores", "queries", "keys", "values")


def tapped(model, signals):
    """Builds a network that returns a model's output and inner tensors.

    Layers and weights are the model's own; nested models (a task's encoder,
    an encoder's blocks) are unfolded, so one forward pass gives everything.
    What is quadratic in length is computed for the blocks asked for only.

    Args:
        model: functional `keras.Model`: an encoder or a task on one.
        signals: iterable of names: `"embeddings"`, or a role and a block
            counted from 0, such as `"hidden_states/3"`. Roles: hidden_states,
            attention_scores (before the softmax), queries, keys, values.

    Returns:
        `keras.Model` with the model's inputs and a dict of outputs:
        `"output"`, what the model returns, and the signals by name.

    Raises:
        ValueError: the model is not functional, or has no such signal; says
            which it has.

    Example:
        >>> from tf_distill.distillation import tapped
        >>> from tf_distill.models import BertBackbone
        >>> backbone = BertBackbone.from_preset(
        ...     "bert_tiny_2l_128d", load_weights=False)
        >>> network = tapped(backbone, ["hidden_states/1"])
        >>> network.output["hidden_states/1"].shape
        (None, None, 128)
    """
    if not hasattr(model, "_run_through_graph"):
        raise ValueError(
            f"{model.name!r} is a {type(model).__name__}, whose inner tensors "
            "cannot be reached: build it as a functional `keras.Model`."
        )
    points = tap_points(model)
    layers = {signal: _layer(signal, model, points) for signal in signals}
    return _tapped(model, layers)


def _tapped(model, layers):
    """`tapped`, given the layer of each signal; lacks those it has not."""
    inputs = tree.map_structure(
        lambda x: keras.Input(batch_shape=x.shape, dtype=x.dtype, name=x.name),
        model.input,
    )
    taps = {}

    def call(operation, *args, **kwargs):
        output = None
        if _is_nested(operation, kwargs):
            inner = _tapped(operation, layers)
            if len(inner.output) > 1:
                found = inner(_inputs(operation, args[0]))
                output = found.pop(OUTPUT)
                taps.update(found)
        if output is None:
            output = operation(*args, **kwargs)
        for signal, layer in layers.items():
            if layer is operation:
                taps[signal] = _tap(signal, layer, args, kwargs, output)
        return output

    # Keras has no public way to run a functional model's graph with a
    # function of one's own; `keras.models.clone_model` makes this same call.
    output = model._run_through_graph(inputs, call_fn=call)
    if isinstance(output, list) and len(output) == 1:
        output = output[0]
    return keras.Model(
        inputs, {OUTPUT: output, **taps}, name=f"tapped_{model.name}"
    )


def _is_nested(operation, kwargs):
    """Whether an operation is a functional model, called with inputs only."""
    # Called with a mask or frozen in one mode, it stays as it is.
    plain = all(value is None for value in tree.flatten(kwargs))
    return plain and hasattr(operation, "_run_through_graph")


def _inputs(model, inputs):
    """Of what a model is called with, what it reads."""
    if isinstance(model.input, dict):
        return {name: inputs[name] for name in model.input}
    return inputs


def _layer(signal, model, points):
    """The layer that a signal enters or leaves."""
    if points is None:
        raise ValueError(
            f"{model.name!r} has no encoder of a known kind, so it has no "
            f"{signal!r}; only its output can be matched."
        )
    if signal == EMBEDDINGS:
        return points.embeddings
    role, _, index = signal.partition("/")
    layers = points.blocks if role == "hidden_states" else points.attention
    if role not in ROLES or not index.isdigit() or not layers:
        known = [EMBEDDINGS, *(ROLES if points.attention else ROLES[:1])]
        raise ValueError(
            f"{model.name!r} has no signal {signal!r}. It has "
            f"{', '.join(known)}, each but embeddings with a block, as in "
            f"'hidden_states/0'."
        )
    if int(index) >= len(layers):
        raise ValueError(
            f"{model.name!r} has no {signal!r}: its blocks are 0 to "
            f"{len(layers) - 1}."
        )
    return layers[int(index)]


def _tap(signal, layer, args, kwargs, output):
    """A signal, from a layer's arguments and output."""
    role = signal.partition("/")[0]
    if role in (EMBEDDINGS, "hidden_states"):
        return output
    if role == "attention_scores":
        scores = AttentionScores(
            layer.num_heads,
            layer.mask_value,
            layer.mask_rule,
            dtype=layer.dtype_policy,
        )
        return scores(args[0], args[1], kwargs.get("padding_mask"))
    return args[ROLES.index(role) - ROLES.index("queries")]

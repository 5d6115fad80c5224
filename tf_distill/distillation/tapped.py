"""A model that also returns its inner tensors, over the same weights."""

import difflib

import keras
from keras import ops, tree

from tf_distill.layers import AttentionScores
from tf_distill.models.tap_points import tap_points

OUTPUT = "output"
EMBEDDINGS = "embeddings"
LAYER = "layer"
ROLES = (
    "hidden_states",
    "attention_scores",
    "attention_distributions",
    "queries",
    "keys",
    "values",
)


def tapped(model, signals):
    """Builds a network that returns a model's output and inner tensors.

    Layers and weights are the model's own; nested models (a task's encoder,
    an encoder's blocks) are unfolded, so one forward pass gives everything.
    What is quadratic in length is computed for the blocks asked for only.

    Args:
        model: functional `keras.Model`: an encoder, a task on one, or any.
        signals: iterable of names: `"embeddings"`; a role and a block counted
            from 0, such as `"hidden_states/3"`; `"layer/NAME"`, what the layer
            of that name, or path if several have it, returns; or
            `"output/NAME"`, one of several outputs. Roles: hidden_states,
            attention_scores (before the softmax), attention_distributions
            (after it, without dropout), queries, keys, values.

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
        >>> network = tapped(
        ...     backbone, ["hidden_states/1", "output/pooled_output"])
        >>> network.output["hidden_states/1"].shape
        (None, None, 128)
        >>> network.output["output/pooled_output"].shape
        (None, 128)
    """
    check_functional(model)
    signals, points = list(signals), tap_points(model)
    outputs = [s for s in signals if s.startswith(f"{OUTPUT}/")]
    layers = {s: _layer(s, model, points) for s in signals if s not in outputs}
    network = _tapped(model, layers, outputs)
    for signal, layer in layers.items():
        if not isinstance(network.output.get(signal), keras.KerasTensor):
            raise ValueError(
                f"{model.name!r} does not give {signal!r}: {layer.name!r} is "
                "called inside another layer that is not a functional model, "
                "or returns several tensors."
            )
    return network


def check_functional(model):
    """Raises where a model's inner tensors cannot be reached.

    Raises:
        ValueError: it is not functional.
    """
    if not hasattr(model, "_run_through_graph"):
        raise ValueError(
            f"{getattr(model, 'name', model)!r} is a {type(model).__name__}, "
            "whose inner tensors cannot be reached: build it as a functional "
            "`keras.Model`. Of a Sequential that begins with an Input, this is "
            "one, with its weights: `keras.Model(model.inputs[0], "
            "model.outputs[0])`."
        )


def _tapped(model, layers, outputs=()):
    """`tapped`, given the layer of each signal; lacks those it has not."""
    inputs = tree.map_structure(
        lambda x: keras.Input(batch_shape=x.shape, dtype=x.dtype, name=x.name),
        model.input,
    )
    taps = {}

    def call(operation, args, kwargs, nested):
        output = None
        if nested is not None:
            inner = _tapped(operation, layers)
            if len(inner.output) > 1:
                found = inner(nested)
                output = found.pop(OUTPUT)
                taps.update(found)
        if output is None:
            output = operation(*args, **kwargs)
        for signal, layer in layers.items():
            if layer is operation:
                taps[signal] = _tap(signal, layer, args, kwargs, output)
        return output

    output = walk(model, inputs, call)
    if isinstance(output, list) and len(output) == 1:
        output = output[0]
    for signal in outputs:
        taps[signal] = _named_output(signal, model, output)
    return keras.Model(
        inputs, {OUTPUT: output, **taps}, name=f"tapped_{model.name}"
    )


def walk(model, inputs, call):
    """Runs a functional model's graph, each of its layers by a function.

    Args:
        model: functional `keras.Model`.
        inputs: in the structure of `model.input`: tensors, or whatever else
            `call` takes for them.
        call: function that returns as many values as a layer has outputs, of
            the layer, its arguments, its keyword arguments and, where it is a
            functional model that can be walked in its turn, the inputs that
            this model reads, else None.

    Returns:
        What the model returns, of what `call` returned.

    Example:
        >>> import keras
        >>> from tf_distill.distillation.tapped import walk
        >>> x = keras.Input((2,))
        >>> y = keras.layers.Dense(3, name="one")(x)
        >>> model = keras.Model(x, keras.layers.Dense(1, name="two")(y))
        >>> def call(layer, args, kwargs, nested):
        ...     return f"{layer.name}({args[0]})"
        >>> walk(model, "x", call)
        'two(one(x))'
    """

    def call_one(operation, *args, **kwargs):
        # Called with a mask or frozen in one mode, a model stays as it is.
        plain = all(value is None for value in tree.flatten(kwargs))
        nested = None
        if plain and hasattr(operation, "_run_through_graph"):
            nested = args[0]
            if isinstance(operation.input, dict):
                nested = {name: nested[name] for name in operation.input}
        return call(operation, args, kwargs, nested)

    # Keras has no public way to run a functional model's graph with a
    # function of one's own; `keras.models.clone_model` makes this same call.
    return model._run_through_graph(inputs, call_fn=call_one)


def _named_output(signal, model, output):
    """One of a model's outputs."""
    _, _, name = signal.partition("/")
    named = output if isinstance(output, dict) else {}
    if not named:
        named = dict(zip(model.output_names, tree.flatten(output), strict=True))
    if name not in named:
        raise ValueError(
            f"{model.name!r} has no output {name!r}. It has {', '.join(named)}."
        )
    return named[name]


def _layer(signal, model, points):
    """The layer that a signal enters or leaves."""
    if signal.startswith(f"{LAYER}/"):
        return _named_layer(signal, model)
    if points is None:
        raise ValueError(
            f"{model.name!r} has no encoder of a known kind, so it has no "
            f"{signal!r}: name a layer, as in 'layer/NAME', or its output."
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


def _named_layer(signal, model):
    """The layer of a name or a path, however deep in nested models."""
    _, _, name = signal.partition("/")
    layers = dict(_layers_by_path(model))
    found = [p for p in layers if f"/{p}".endswith(f"/{name}")]
    if len({id(layers[p]) for p in found}) > 1:
        raise ValueError(
            f"{model.name!r} has {len(found)} layers {name!r}: say which by a "
            f"path, one of {', '.join(found)}."
        )
    if not found:
        near = difflib.get_close_matches(name, layers, 1, 0)
        raise ValueError(
            f"{model.name!r} has no layer {name!r}. It has "
            f"{', '.join(x.name for x in model.layers)}, and what these "
            f"contain; the nearest is {''.join(near)!r}."
        )
    return layers[found[0]]


def _layers_by_path(model):
    """Pairs of a path, `block_0/query`, and a layer, the outer ones first."""
    inner = list(model._flatten_layers(include_self=False, recursive=False))
    yield from ((layer.name, layer) for layer in inner)
    for layer in inner:
        for path, found in _layers_by_path(layer):
            yield f"{layer.name}/{path}", found


def _tap(signal, layer, args, kwargs, output):
    """A signal, from a layer's arguments and output."""
    role = signal.partition("/")[0]
    if role in (EMBEDDINGS, LAYER, "hidden_states"):
        return output
    if role.startswith("attention"):
        scores = AttentionScores(
            layer.num_heads,
            layer.mask_value,
            layer.mask_rule,
            dtype=layer.dtype_policy,
        )(args[0], args[1], kwargs.get("padding_mask"))
        return scores if role == "attention_scores" else ops.softmax(scores)
    return args[ROLES.index(role) - ROLES.index("queries")]

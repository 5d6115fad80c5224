"""Which variables a network's outputs depend on."""

import keras
from keras import tree

from tf_distill.distillation.tapped import walk


def reached(network, wanted):
    """Ids of the variables that some of a tapped network's outputs depend on.

    Args:
        network: a model, `tapped`.
        wanted: iterable of its outputs' names.

    Returns:
        frozenset of int.

    Example:
        >>> from tf_distill.distillation.tapped import tapped
        >>> from tf_distill.models import BertBackbone
        >>> backbone = BertBackbone.from_preset(
        ...     "bert_tiny_2l_128d", load_weights=False)
        >>> found = reached(tapped(backbone, ["embeddings"]), ["embeddings"])
        >>> [v.path for v in backbone.variables if id(v) in found][0]
        'token_embedding/embeddings'
    """

    def call(operation, args, kwargs, nested):
        """The variables that an operation's outputs depend on."""
        if nested is not None:
            return walk(operation, nested, call)
        found = {id(v) for v in getattr(operation, "variables", ())}
        for given in tree.flatten((args, kwargs)):
            if isinstance(given, frozenset):
                found |= given
            elif isinstance(given, keras.Variable):  # as in `ops.matmul`
                found.add(id(given))
        found = frozenset(found)
        return tree.map_structure(lambda _: found, operation.output)

    nothing = tree.map_structure(lambda _: frozenset(), network.input)
    outputs = walk(network, nothing, call)
    return frozenset().union(*tree.flatten([outputs[name] for name in wanted]))


def others(model, ids):
    """Ids of a model's variables but these, as a frozenset."""
    return frozenset(map(id, model.variables)) - ids

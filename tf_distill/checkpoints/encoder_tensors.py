"""Weights of a folder as its family's name maps know them."""

import warnings

from tf_distill.checkpoints.differences import warn_of_differences


def encoder_tensors(folder, model_type, arguments):
    """A folder's weights, without what stands before an encoder's names.

    What is not read as it was meant is said by warnings.

    Args:
        folder: `HuggingFaceFolder`.
        model_type: the family's; with a dot it stands before the names of an
            encoder beside a head.
        arguments: dict, the encoder's sizes as the folder's config has them.

    Returns:
        dict of NumPy arrays by name.

    Raises:
        ValueError: a name is there twice, or the config's sizes are far
            beyond the weights'.
    """
    stored = folder.tensors()
    prefix = f"{model_type}."
    tensors = {name.removeprefix(prefix): v for name, v in stored.items()}
    if len(tensors) < len(stored):
        twice = sorted(n for n in stored if f"{prefix}{n}" in stored)
        raise ValueError(
            f"The weights in {folder.path} hold these twice, with and without "
            f"{prefix!r} before them: {', '.join(twice)}."
        )
    _check_sizes(arguments, tensors, folder)
    warn_of_differences(folder, arguments, stacklevel=5)
    if is_tiny_bert(tensors):
        warnings.warn(
            f"{folder.path} has TinyBERT's projections for its training "
            "(fit_dense): they are left unread.",
            stacklevel=5,
        )
    return tensors


def is_tiny_bert(tensors):
    """Whether weights are of TinyBERT's published code.

    It saves its training's projections, `fit_dense`, beside the encoder; they
    have no place in a model for use. Its classification head reads the ReLU
    of the pooler, so that it is not BERT's.

    Args:
        tensors: dict by name.

    Example:
        >>> from tf_distill.checkpoints.encoder_tensors import is_tiny_bert
        >>> is_tiny_bert({"fit_denses.0.weight": None})
        True
    """
    return any(name.startswith("fit_dense") for name in tensors)


def _check_sizes(arguments, tensors, folder):
    """Refuses sizes with which a machine's memory would run out."""
    longest = max([0, *(side for t in tensors.values() for side in t.shape)])
    if not longest:
        return  # that they are missing is a better message
    problems = []
    for name, value in arguments.items():
        # A size that is a bit off is named with the weights that it fits not.
        limit = 10 * (len(tensors) if name == "num_layers" else longest)
        if type(value) is int and value > limit:
            problems.append(f"{name} {value}")
    if problems:
        raise ValueError(
            f"{folder.config_file} does not belong to the weights in "
            f"{folder.path}, the longest of whose {len(tensors)} has a side "
            f"of {longest}: it has {', '.join(problems)}."
        )

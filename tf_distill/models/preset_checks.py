"""Checks what `from_preset` is asked for, before anything is built."""

import inspect
import warnings

import keras

from tf_distill.checkpoints.json_file import read_json
from tf_distill.models.architectures import architecture

# With another of these each weight is still what and where it was.
FREE = {
    "activation",
    "attention_dropout",
    "dropout",
    "dtype",
    "mask_rule",
    "mask_value",
    "name",
    "trainable",
}
# Of a task's, these decide what weights its head has.
HEAD_ARGUMENTS = ("next_sentence", "classifier_activation")


def check_known(backbone_cls, arguments, head_names=()):
    """Refuses arguments that neither the backbone nor the head has."""
    # Keras itself ignores arguments that it does not know.
    signature = inspect.signature(backbone_cls.__init__)
    known = [n for n in signature.parameters if n not in ("self", "kwargs")]
    known += ["name", "trainable", *head_names]
    unknown = [name for name in arguments if name not in known]
    if unknown:
        raise ValueError(
            f"Unknown arguments: {', '.join(unknown)}. Known are "
            f"{', '.join(dict.fromkeys(known))}."
        )


def check_same(preset, saved, given):
    """Refuses arguments with which a checkpoint's weights mean another thing.

    Args:
        preset: the checkpoint, for messages.
        saved: dict, the arguments that its weights are of.
        given: dict, those that were passed to replace them.
    """
    # Keras would leave further weights unread, or read them into the layers
    # of others, and say nothing.
    different = [
        f"{name} is {saved[name]!r} there, but {value!r} was passed"
        for name, value in given.items()
        if name in saved and name not in FREE and value != saved[name]
    ]
    if different:
        raise ValueError(
            f"The weights in {preset} do not fit other arguments than their "
            f"own: {'; '.join(different)}. Leave them out, or pass "
            "`load_weights=False` for random weights."
        )


def read_keras_object(file, given=()):
    """The class that a JSON file of a Keras preset names, and its arguments.

    Args:
        file: `pathlib.Path` of a config.json or task.json.
        given: names of arguments that need not be there.

    Returns:
        The class and a dict.

    Raises:
        ValueError: the file is damaged, or nothing registered the class.
    """
    return _saved_object(file, read_json(file), given)


def _saved_object(file, content, given=()):
    name, config = content.get("registered_name"), content.get("config")
    known = isinstance(name, str)
    cls = keras.saving.get_registered_object(name) if known else None
    if cls is None:
        raise ValueError(
            f"{file} is of the class {name!r}, which Keras does not know: "
            "import the module that registers it first (with "
            "`keras.saving.register_keras_serializable`)."
        )
    missing = []
    if isinstance(config, dict):
        signature = inspect.signature(cls.__init__)
        missing = [
            argument.name
            for argument in list(signature.parameters.values())[1:]
            if argument.default is argument.empty
            and argument.kind is argument.POSITIONAL_OR_KEYWORD
            and argument.name not in {*config, *given}
        ]
    if missing or not isinstance(config, dict):
        raise ValueError(
            f"{file} lacks {', '.join(missing) or 'the config'} of "
            f"{cls.__name__}: it was damaged or written by hand. Fetch it "
            "again, or save the model again with `save_to_preset`."
        )
    if isinstance(config.get("backbone"), dict):
        _saved_object(file, config["backbone"])
    return cls, config


def check_architecture(cls, name, load_weights):
    """Refuses a name of another class's, and weights, which a name has not."""
    try:
        found = architecture(name)  # a misspelt name is the first thing to say
    except ValueError as error:
        if not load_weights:
            raise
        raise ValueError(
            f"{name!r} is neither a folder here nor a preset of KerasHub's; a "
            f"repository of Hugging Face's is hf://user/model. {error}"
        ) from None
    if found.backbone not in [base.__name__ for base in cls.__mro__]:
        raise ValueError(
            f"{name!r} is a {found.backbone}, not a {cls.__name__}: pass it "
            "to that class or its tasks."
        )
    if load_weights:
        raise ValueError(
            f"{name!r} names an architecture and has no weights. Pass "
            "`load_weights=False` for random ones, or name a checkpoint "
            "(a folder or an hf:// handle)."
        )


def has_classes(cls):
    """Whether a task has `num_classes`, so that a new head must be told it."""
    return "num_classes" in inspect.signature(cls.__init__).parameters


def no_head_without_classes(preset, head):
    """Refuses to make a new head without a number of classes."""
    if "num_classes" not in head:
        raise ValueError(
            f"{preset} has no classification head of this class: pass "
            "`num_classes` for a new one, or name a fine-tuned checkpoint."
        )


class NewHeadWarning(UserWarning):
    """A head is random where nobody asked for a new one.

    Example: no model whose answers would be noise.

    ```python
    with warnings.catch_warnings():
        warnings.simplefilter("error", td.models.NewHeadWarning)
        model = td.models.BertMaskedLM.from_preset(preset)
    ```
    """


def say_that_the_head_is_new(task, source):
    """Warns that a head is random where nobody asked for a new one."""
    warnings.warn(
        f"{source} has no head of {type(task).__name__}: the head begins with "
        "random weights.",
        NewHeadWarning,
        stacklevel=6,
    )

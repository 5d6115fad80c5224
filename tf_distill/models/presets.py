"""Finds what a preset is and builds an encoder or a task from it."""

import inspect
import pathlib

import keras
import keras_hub

from tf_distill.checkpoints.google import (
    is_google_checkpoint,
    open_checkpoint,
)
from tf_distill.checkpoints.hugging_face import HuggingFaceFolder
from tf_distill.checkpoints.json_file import read_json
from tf_distill.models import hugging_face_presets, keras_hub_presets
from tf_distill.models.architectures import architecture_arguments
from tf_distill.models.preset_checks import (
    FREE,
    HEAD_ARGUMENTS,
    check_architecture,
    check_known,
    check_same,
    has_classes,
    no_head_without_classes,
    read_keras_object,
    say_that_the_head_is_new,
)
from tf_distill.models.preset_weights import (
    read_encoder_weights,
    read_head_weights,
)


def load_backbone(cls, preset, load_weights=True, **kwargs):
    """What `Encoder.from_preset` does; see there."""
    kind, preset = _kind(cls, preset)
    check_known(cls, kwargs)
    if kind == "architecture":
        check_architecture(cls, preset, load_weights)
        return cls(**architecture_arguments(preset, **kwargs))
    _check_arguments(kind, cls, preset, load_weights, kwargs)
    if kind == "keras":
        kwargs = _with_dtype(preset, kwargs)
        load = keras_hub.models.Backbone.from_preset.__func__
        backbone = load(cls, str(preset), load_weights=False, **kwargs)
        if load_weights:
            read_encoder_weights(backbone, preset)
        return backbone
    if kind == "keras_hub":
        return keras_hub_presets.read_backbone(
            cls, preset, load_weights, **kwargs
        )
    return hugging_face_presets.read_backbone(
        cls, preset, load_weights, **kwargs
    )


def load_task(cls, preset, load_weights=True, **kwargs):
    """What `from_preset` of the tasks does; see `TextClassifier`'s."""
    kind, preset = _kind(cls.backbone_cls, preset)
    # What both have, such as a dropout, is the head's.
    signature = inspect.signature(cls.__init__)
    head_names = [*signature.parameters, "name"]
    head = {name: kwargs.pop(name) for name in head_names if name in kwargs}
    check_known(
        cls.backbone_cls,
        kwargs,
        [n for n in head_names if n not in ("self", "backbone", "kwargs")],
    )
    if kind != "architecture":
        _check_arguments(kind, cls.backbone_cls, preset, load_weights, kwargs)
    if kind == "keras":
        kwargs = _with_dtype(preset, kwargs)
        return _task_from_keras(cls, preset, load_weights, head, kwargs)
    if kind == "hugging_face":
        if load_weights:
            _check_hugging_face_head(cls, preset, head)
        return hugging_face_presets.read_task(
            cls, preset, load_weights, head, **kwargs
        )
    if kind == "keras_hub":
        return keras_hub_presets.read_task(
            cls, preset, load_weights, head, **kwargs
        )
    check_architecture(cls.backbone_cls, preset, load_weights)
    if has_classes(cls):
        no_head_without_classes(preset, head)
    backbone = load_backbone(cls.backbone_cls, preset, load_weights, **kwargs)
    return cls(backbone, **head)


def _kind(cls, preset):
    """`architecture`, `keras`, `keras_hub` or `hugging_face`; and the preset.

    What a handle of Keras' or KerasHub's format was downloaded to stands in
    its place.
    """
    if is_google_checkpoint(preset):
        return "hugging_face", preset
    remote = str(preset).startswith("hf://")
    folder = pathlib.Path(preset)
    if folder.is_dir() and not (folder / "config.json").exists():
        raise ValueError(
            f"The folder {preset} has no config.json: it is neither a "
            "Keras preset nor a Hugging Face model; nor has it a "
            "bert_config.json, as Google's checkpoints have."
        )
    if remote or folder.is_dir():
        found = HuggingFaceFolder(preset)
        name = found.config.get("registered_name")
        if name is None:
            return "hugging_face", preset
        for file in ("task.json", "preprocessor.json", "tokenizer.json"):
            if (found.path / file).exists():
                read_json(found.path / file)
        theirs = str(name).startswith("keras_hub>")
        return "keras_hub" if theirs else "keras", found.path
    preset = str(preset)
    theirs = cls.keras_hub_cls.presets if cls.keras_hub_cls else {}
    if preset in theirs or "://" in preset:
        return "keras_hub", preset
    if "/" in preset:
        raise ValueError(f"There is no folder {preset}.")
    return "architecture", preset


def _check_arguments(kind, cls, preset, load_weights, kwargs):
    """Refuses others' arguments for a checkpoint's weights."""
    if kind == "keras":
        _, saved = read_keras_object(preset / "config.json", kwargs)
    if not load_weights or not kwargs.keys() - FREE:
        return
    family = cls.hugging_face
    if kind == "hugging_face":
        saved = open_checkpoint(preset).arguments(family.arguments)
    if kind == "keras_hub":
        if cls.keras_hub_cls is None:
            return  # which has a better message
        theirs = cls.keras_hub_cls.from_preset(str(preset), load_weights=False)
        saved = family.keras_hub_arguments(theirs)
    check_same(preset, saved, kwargs)


def _with_dtype(folder, kwargs):
    """The arguments, with the dtype that KerasHub would not find out.

    A preset is read in Keras' default dtype, whatever it was saved in; of a
    mixed policy KerasHub looks for a number of that name, and fails.
    """
    saved = read_json(folder / "config.json")["config"].get("dtype")
    name = saved["config"].get("name") if isinstance(saved, dict) else None
    if not str(name).startswith("mixed_"):
        return kwargs
    return {"dtype": keras.config.dtype_policy(), **kwargs}


def _check_hugging_face_head(cls, preset, head):
    given = {name: head[name] for name in HEAD_ARGUMENTS if name in head}
    reads_it = has_classes(cls) or head.get("next_sentence")
    if given and reads_it and "num_classes" not in head:
        of_head = cls.backbone_cls.hugging_face.heads[cls.hugging_face_head]
        saved = open_checkpoint(preset).arguments(of_head.arguments)
        check_same(preset, saved, given)


def _saved_head(cls, preset, load_weights, head):
    """The config of a Keras preset's task, None if not of this class."""
    file = pathlib.Path(preset) / "task.json"
    if not file.exists():
        return None
    saved_cls, saved = read_keras_object(file, head)
    if not issubclass(saved_cls, cls):
        return None
    # A number of classes begins a new head.
    if load_weights and "num_classes" not in head:
        given = {name: head[name] for name in HEAD_ARGUMENTS if name in head}
        check_same(preset, saved, given)
    return saved


def _task_from_keras(cls, preset, load_weights, head, kwargs):
    saved = _saved_head(cls, preset, load_weights, head)
    if has_classes(cls):
        if saved is None:
            no_head_without_classes(preset, head)
        elif head.get("num_classes", saved.get("num_classes")) != saved.get(
            "num_classes"
        ):
            # Names and meaning of other classes.
            others = {n: None for n in ("label_names", "task") if n in saved}
            head = {**others, **head}
    # Of an encoder's preset KerasHub reads no weights into a given encoder.
    given = saved is None and "backbone" in head
    if kwargs.keys() - {"dtype"}:
        # KerasHub's task loader hands nothing but the dtype to the backbone.
        head["backbone"] = load_backbone(
            cls.backbone_cls, preset, load_weights=False, **kwargs
        )
        kwargs = {}
    load = keras_hub.models.Task.from_preset.__func__
    task = load(cls, str(preset), load_weights=False, **head, **kwargs)
    if load_weights and not given:
        read_encoder_weights(task.backbone, preset)
    if load_weights and saved is not None and "num_classes" not in head:
        read_head_weights(task, preset)
    if saved is None and load_weights and not has_classes(cls):
        say_that_the_head_is_new(task, preset)
    return task

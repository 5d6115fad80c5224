"""Finds what a preset is and builds an encoder or a task from it."""

import inspect
import json
import pathlib

import keras
import keras_hub

from tf_distill.checkpoints.google import is_google_checkpoint
from tf_distill.checkpoints.hugging_face import HuggingFaceFolder
from tf_distill.models import hugging_face_presets, keras_hub_presets
from tf_distill.models.architectures import architecture_arguments
from tf_distill.models.preset_checks import (
    check_architecture,
    check_depth,
    check_known,
    has_classes,
    no_head_without_classes,
    say_that_the_head_is_new,
)


def load_backbone(cls, preset, load_weights=True, **kwargs):
    """What `Encoder.from_preset` does; see there."""
    kind, preset = _kind(cls, preset)
    check_known(cls, kwargs)
    if kind == "architecture":
        check_architecture(cls, preset, load_weights)
        return cls(**architecture_arguments(preset, **kwargs))
    if kind == "keras":
        check_depth(preset, load_weights, kwargs)
        load = keras_hub.models.Backbone.from_preset.__func__
        return load(cls, str(preset), load_weights, **kwargs)
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
    if kind == "keras":
        return _task_from_keras(cls, preset, load_weights, head, kwargs)
    if kind == "hugging_face":
        return hugging_face_presets.read_task(
            cls, preset, load_weights, head, **kwargs
        )
    if kind == "keras_hub":
        return keras_hub_presets.read_task(
            cls, preset, load_weights, head, **kwargs
        )
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
        theirs = str(name).startswith("keras_hub>")
        return "keras_hub" if theirs else "keras", found.path
    preset = str(preset)
    theirs = cls.keras_hub_cls.presets if cls.keras_hub_cls else {}
    if preset in theirs or "://" in preset:
        return "keras_hub", preset
    if "/" in preset:
        raise ValueError(f"There is no folder {preset}.")
    return "architecture", preset


def _saved_head(cls, preset):
    """The config of a Keras preset's task, None if not of this class."""
    file = pathlib.Path(preset) / "task.json"
    if not file.exists():
        return None
    task = json.loads(file.read_text("utf-8"))
    saved_cls = keras.saving.get_registered_object(task["registered_name"])
    return task["config"] if issubclass(saved_cls, cls) else None


def _task_from_keras(cls, preset, load_weights, head, kwargs):
    saved = _saved_head(cls, preset)
    if has_classes(cls):
        if saved is None:
            no_head_without_classes(preset, head)
        elif (
            head.get("num_classes", saved["num_classes"])
            != saved["num_classes"]
        ):
            # Names and meaning of other classes.
            others = {n: None for n in ("label_names", "task") if n in saved}
            head = {**others, **head}
    if kwargs.keys() - {"dtype"}:
        # KerasHub's task loader hands nothing but the dtype to the backbone,
        # and reads the weights of a given one only if it reads a task's.
        check_depth(preset, load_weights, kwargs)
        read = load_weights and saved is None
        head["backbone"] = load_backbone(
            cls.backbone_cls, preset, read, **kwargs
        )
        kwargs = {}
    load = keras_hub.models.Task.from_preset.__func__
    task = load(cls, str(preset), load_weights, **head, **kwargs)
    if saved is None and load_weights and not has_classes(cls):
        say_that_the_head_is_new(task, preset)
    return task

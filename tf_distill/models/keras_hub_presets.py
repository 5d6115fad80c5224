"""Builds encoders and tasks from KerasHub's presets."""

import pathlib

from tf_distill.checkpoints.name_map import assign
from tf_distill.models.hugging_face_presets import assign_encoder
from tf_distill.models.preset_checks import (
    has_classes,
    no_head_without_classes,
    read_keras_object,
    say_that_the_head_is_new,
)
from tf_distill.models.preset_weights import (
    read_encoder_weights,
    read_head_weights,
)


def read_backbone(cls, preset, load_weights, **kwargs):
    """An encoder of a class from KerasHub's of the same family.

    Args:
        cls: an `Encoder`.
        preset: a folder, handle or name of KerasHub's.
        load_weights: bool, False gives random weights in the preset's sizes.
        **kwargs: constructor arguments that replace the preset's.
    """
    _check_known(cls, preset)
    folder = _folder(preset, load_weights)
    theirs = cls.keras_hub_cls.from_preset(
        str(preset), load_weights and folder is None
    )
    if folder is not None:
        read_encoder_weights(theirs, folder)
    return _backbone(cls, theirs, load_weights, **kwargs)


def read_task(cls, preset, load_weights, head, **kwargs):
    """A task of a class from KerasHub's preset of the same family.

    KerasHub's text classifiers bring their head. Others begin with a new one:
    it has no such task, or (masked LM) one with another epsilon and GELU.

    Args:
        cls: a task on an `Encoder`.
        preset: a folder, handle or name of KerasHub's.
        load_weights: bool, False gives random weights in the preset's sizes.
        head: dict of the task's arguments that replace the preset's.
        **kwargs: the backbone's arguments that replace the preset's.
    """
    if cls.keras_hub_cls is not None:
        return _read_text_classifier(cls, preset, load_weights, head, **kwargs)
    if has_classes(cls):
        no_head_without_classes(preset, head)
    backbone = read_backbone(cls.backbone_cls, preset, load_weights, **kwargs)
    if "preprocessor" not in head:
        tokenizer = cls.preprocessor_cls.tokenizer_cls.from_preset(str(preset))
        head["preprocessor"] = cls.preprocessor_cls(
            tokenizer, sequence_length=backbone.max_sequence_length
        )
    task = cls(backbone, **head)
    if load_weights and not has_classes(cls):
        say_that_the_head_is_new(task, preset)
    return task


def _read_text_classifier(cls, preset, load_weights, head, **kwargs):
    _check_known(cls, preset)
    if not cls.has_published_head:
        no_head_without_classes(preset, head)
    classes = {k: head[k] for k in ("num_classes",) if k in head}
    theirs = _their_task(cls.keras_hub_cls, preset, load_weights, classes)
    backbone = _backbone(
        cls.backbone_cls, theirs.backbone, load_weights, **kwargs
    )
    head = {
        "num_classes": theirs.num_classes,
        "preprocessor": theirs.preprocessor,
        **head,
    }
    classifier = cls(backbone, **head)
    if load_weights and not classes:
        family = backbone.hugging_face
        assign(
            classifier,
            family.keras_hub_head_tensors(theirs),
            family.heads[cls.hugging_face_head].names(classifier),
            source=theirs.name,
        )
    return classifier


def _folder(preset, load_weights):
    """Where weights are to be read from; None for a name.

    What a name stands for KerasHub fetches and reads itself.
    """
    folder = pathlib.Path(preset)
    return folder if load_weights and folder.is_dir() else None


def _their_task(cls, preset, load_weights, classes):
    folder = _folder(preset, load_weights)
    theirs = cls.from_preset(
        str(preset), load_weights and folder is None, **classes
    )
    if folder is None:
        return theirs
    read_encoder_weights(theirs.backbone, folder)
    file = folder / "task.json"
    if file.exists() and not classes:
        saved_cls, _ = read_keras_object(file)
        if issubclass(saved_cls, cls):
            read_head_weights(theirs, folder)
    return theirs


def _check_known(cls, preset):
    if cls.keras_hub_cls is None:
        raise ValueError(
            f"{preset} is a KerasHub preset, but KerasHub has no model that "
            f"computes what {cls.__name__} does."
        )


def _backbone(cls, theirs, load_weights, **kwargs):
    family = cls.hugging_face
    backbone = cls(**{**family.keras_hub_arguments(theirs), **kwargs})
    if load_weights:
        assign_encoder(backbone, family.keras_hub_tensors(theirs), theirs.name)
    return backbone

"""Builds encoders and tasks from Hugging Face's folders."""

import inspect
import warnings

import numpy as np

from tf_distill.checkpoints.encoder_tensors import (
    encoder_tensors,
    is_tiny_bert,
)
from tf_distill.checkpoints.google import open_checkpoint
from tf_distill.checkpoints.name_map import MisfitError, assign
from tf_distill.models.preset_checks import (
    has_classes,
    no_head_without_classes,
    say_that_the_head_is_new,
)


def read_backbone(cls, preset, load_weights, **kwargs):
    """An encoder of a class from a folder or an `hf://` handle.

    Args:
        cls: an `Encoder`.
        preset: folder or handle.
        load_weights: bool, False gives random weights in the folder's sizes.
        **kwargs: constructor arguments that replace the config's.
    """
    folder = open_checkpoint(preset)
    family = cls.hugging_face
    arguments = folder.arguments(family.arguments)
    tensors = {}
    if load_weights:
        tensors = encoder_tensors(folder, family.model_type, arguments)
    backbone = cls(**{**arguments, **kwargs})
    if load_weights:
        assign_encoder(backbone, tensors, folder.path)
    return backbone


def read_task(cls, preset, load_weights, head, **kwargs):
    """A task of a class from a folder or an `hf://` handle.

    Args:
        cls: a task on an `Encoder`.
        preset: folder or handle.
        load_weights: bool, False gives random weights in the folder's sizes.
        head: dict of the task's arguments that replace the config's; with
            `num_classes` the folder's own head is left unread.
        **kwargs: the backbone's arguments that replace the config's.
    """
    folder = open_checkpoint(preset)
    family = cls.backbone_cls.hugging_face
    arguments = folder.arguments(family.arguments)
    theirs = folder.arguments(family.heads[cls.hugging_face_head].arguments)
    known = inspect.signature(cls.__init__).parameters
    # TinyBERT's head has no dropout.
    theirs = {name: theirs[name] for name in theirs if name in known}
    tensors = {}
    if load_weights:
        tensors = encoder_tensors(folder, family.model_type, arguments)
    fine_tuned = (
        # TinyBERT's checkpoints have its head, all others another.
        cls.has_published_head is not is_tiny_bert(tensors)
        and folder.has_head(cls.hugging_face_head)
        and "num_classes" not in head
    )
    if has_classes(cls):
        if fine_tuned:
            names = folder.label_names(cls.hugging_face_head)
            theirs |= {"num_classes": len(names), "label_names": names}
        else:
            theirs.pop("task", None)
            no_head_without_classes(preset, head)
    backbone = cls.backbone_cls(**{**arguments, **kwargs})
    if "preprocessor" not in head:
        head["preprocessor"] = _preprocessor(cls, folder, backbone)
    task = cls(backbone, **{**theirs, **head})
    if load_weights:
        problems = []
        try:
            assign_encoder(backbone, tensors, folder.path, task.reads_pooler)
        except MisfitError as error:
            problems += error.problems
        try:
            _assign_head(task, tensors, folder.path, fine_tuned)
        except MisfitError as error:
            problems += error.problems
        if problems:
            raise MisfitError(task, folder.path, problems)
    return task


def assign_encoder(backbone, tensors, source, reads_pooler=True):
    """Assigns weights by Hugging Face's names to an encoder.

    Args:
        backbone: `Encoder`.
        tensors: dict of NumPy arrays by name, without the family's prefix.
        source: where they are from, for messages.
        reads_pooler: bool, whether it matters that there is no pooler.
    """
    family = backbone.hugging_face
    name_map = family.names(backbone)
    pooled = [name for name in name_map if name[1].startswith("pooler.")]
    if pooled and not any(name[1] in tensors for name in pooled):
        # Masked-LM checkpoints have no pooler; a task must then learn one.
        if reads_pooler:
            warnings.warn(
                f"{source} has no pooler: it keeps its random weights.",
                stacklevel=5,
            )
        name_map = [name for name in name_map if name not in pooled]
    assign(
        backbone,
        tensors,
        name_map,
        source=source,
        ignore=family.head_beginnings + family.ignored,
    )


def _assign_head(task, tensors, source, fine_tuned):
    """Assigns the head's weights; of a new head, those before its logits.

    What stands before the logits and is trained with the encoder, MobileBERT's
    pooler, comes along where there is one.
    """
    head = task.backbone.hugging_face.heads[task.hugging_face_head]
    name_map = head.names(task)
    if not has_classes(type(task)):
        # Encoders are published with this head whatever their config says.
        fine_tuned = fine_tuned or any(
            name in tensors and not name.startswith("pooler.")
            for _, name, _ in name_map
        )
        if not fine_tuned:
            say_that_the_head_is_new(task, source)
    if not fine_tuned:
        name_map = [
            name
            for name in name_map
            if name[1].startswith("pooler.") and name[1] in tensors
        ]
    beginnings = {name[1].partition(".")[0] + "." for name in name_map}
    assign(
        task,
        {
            name: value
            for name, value in _untied(tensors, head.tied, source).items()
            if name.startswith(tuple(beginnings))
        },
        name_map,
        source=source,
        ignore=head.ignored,
    )


def _untied(tensors, tied, source):
    """Leaves out what repeats another tensor; raises where it does not."""
    tensors = dict(tensors)
    for name, original in tied:
        if name not in tensors:
            continue
        value = tensors.pop(name)
        if not np.array_equal(tensors.setdefault(original, value), value):
            raise ValueError(
                f"{source} has a {name} of its own, but in this head it is "
                f"one tensor with {original}."
            )
    return tensors


def _preprocessor(cls, folder, backbone):
    tokenizer = cls.preprocessor_cls.tokenizer_cls(
        folder.vocabulary(),
        lowercase=folder.lowercase(),
        strip_accents=folder.strip_accents(),
        split_on_cjk=folder.split_on_cjk(),
    )
    return cls.preprocessor_cls(
        tokenizer, sequence_length=backbone.max_sequence_length
    )

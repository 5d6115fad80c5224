"""Finds what a preset is and builds a BERT from it."""

import json
import pathlib
import warnings

import keras
import keras_hub

from tf_distill.checkpoints import bert as names
from tf_distill.checkpoints.hugging_face import HuggingFaceFolder
from tf_distill.checkpoints.name_map import assign
from tf_distill.models.architectures import architecture_arguments
from tf_distill.models.preset_checks import (
    check_depth,
    check_known,
    no_head_without_classes,
    no_weights,
)

# What `from_preset` of a classifier keeps from the backbone.
_HEAD_ARGUMENTS = (
    "num_classes",
    "dropout",
    "label_names",
    "preprocessor",
    "name",
)


def load_backbone(cls, preset, load_weights=True, **kwargs):
    """What `BertBackbone.from_preset` does; see there."""
    kind = _kind(preset)
    check_known(cls, kwargs)
    if kind == "architecture":
        no_weights(preset, load_weights)
        return cls(**architecture_arguments(preset, **kwargs))
    if kind == "keras":
        check_depth(preset, load_weights, kwargs)
        load = keras_hub.models.Backbone.from_preset.__func__
        return load(cls, str(preset), load_weights, **kwargs)
    if kind == "keras_hub":
        theirs = keras_hub.models.BertBackbone.from_preset(
            str(preset), load_weights
        )
        return _from_keras_hub(cls, theirs, load_weights, **kwargs)
    folder = HuggingFaceFolder(preset)
    backbone = cls(**{**names.hugging_face_arguments(folder.config), **kwargs})
    if load_weights:
        _assign_encoder(backbone, _tensors(folder), folder.path)
    return backbone


def load_text_classifier(cls, preset, load_weights=True, **kwargs):
    """What `BertTextClassifier.from_preset` does; see there."""
    kind = _kind(preset)
    head = {
        name: kwargs.pop(name) for name in _HEAD_ARGUMENTS if name in kwargs
    }
    check_known(cls.backbone_cls, kwargs, head_names=_HEAD_ARGUMENTS)
    if kind == "keras":
        return _classifier_from_keras(cls, preset, load_weights, head, kwargs)
    if kind == "hugging_face":
        return _from_hugging_face(cls, preset, load_weights, head, **kwargs)
    if kind == "keras_hub":
        return _classifier_from_keras_hub(
            cls, preset, load_weights, head, **kwargs
        )
    no_head_without_classes(preset, head)
    backbone = load_backbone(cls.backbone_cls, preset, load_weights, **kwargs)
    return cls(backbone, **head)


def _kind(preset):
    """`architecture`, `keras`, `keras_hub` or `hugging_face`."""
    preset = str(preset)
    if preset.startswith("hf://"):
        return "hugging_face"
    folder = pathlib.Path(preset)
    if folder.is_dir():
        if not (folder / "config.json").exists():
            raise ValueError(
                f"The folder {preset} has no config.json: it is neither a "
                "Keras preset nor a Hugging Face model."
            )
        name = HuggingFaceFolder(folder).config.get("registered_name")
        if name is None:
            return "hugging_face"
        return "keras_hub" if name.startswith("keras_hub>") else "keras"
    if preset in keras_hub.models.BertBackbone.presets or "://" in preset:
        return "keras_hub"
    if "/" in preset:
        raise ValueError(f"There is no folder {preset}.")
    return "architecture"


def _saved_head(cls, preset):
    """The config of a Keras preset's task, None if not of this class."""
    file = pathlib.Path(preset) / "task.json"
    if not file.exists():
        return None
    task = json.loads(file.read_text("utf-8"))
    saved_cls = keras.saving.get_registered_object(task["registered_name"])
    return task["config"] if issubclass(saved_cls, cls) else None


def _classifier_from_keras(cls, preset, load_weights, head, kwargs):
    saved = _saved_head(cls, preset)
    if saved is None:
        no_head_without_classes(preset, head)
    elif head.get("num_classes", saved["num_classes"]) != saved["num_classes"]:
        # Names of other classes.
        head = {"label_names": None, **head}
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
    return load(cls, str(preset), load_weights, **head, **kwargs)


def _tensors(folder):
    # Checkpoints with a head put the encoder under `bert.`.
    return {
        name.removeprefix("bert."): value
        for name, value in folder.tensors().items()
    }


def _assign_encoder(backbone, tensors, source):
    name_map = names.hugging_face_names(backbone.num_layers)
    pooled = [name for name in name_map if name[1].startswith("pooler.")]
    if not any(name[1] in tensors for name in pooled):
        # Masked-LM checkpoints have no pooler; a task must then learn one.
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
        ignore=names.HUGGING_FACE_HEADS + names.HUGGING_FACE_IGNORED,
    )


def _from_hugging_face(cls, preset, load_weights, head, **kwargs):
    folder = HuggingFaceFolder(preset)
    label_names = folder.label_names()
    fine_tuned = (
        cls.has_bert_head
        and label_names is not None
        and "num_classes" not in head
    )
    if fine_tuned:
        head = {
            "num_classes": len(label_names),
            "label_names": label_names,
            **head,
        }
    no_head_without_classes(preset, head)
    arguments = names.hugging_face_arguments(folder.config)
    backbone = cls.backbone_cls(**{**arguments, **kwargs})
    if "preprocessor" not in head:
        head["preprocessor"] = cls.preprocessor_cls(
            keras_hub.models.BertTokenizer(
                folder.vocabulary(),
                lowercase=folder.lowercase(),
                strip_accents=folder.strip_accents(),
            ),
            sequence_length=backbone.max_sequence_length,
        )
    classifier = cls(backbone, **head)
    if load_weights:
        tensors = _tensors(folder)
        _assign_encoder(backbone, tensors, folder.path)
        if fine_tuned:
            head_tensors = {
                name: value
                for name, value in tensors.items()
                if name.startswith("classifier.")
            }
            assign(
                classifier,
                head_tensors,
                names.HUGGING_FACE_CLASSIFIER,
                source=folder.path,
            )
    return classifier


def _from_keras_hub(cls, theirs, load_weights, **kwargs):
    shared = (
        "vocabulary_size",
        "num_layers",
        "num_heads",
        "hidden_dim",
        "intermediate_dim",
        "dropout",
        "max_sequence_length",
        "num_segments",
    )
    arguments = {name: getattr(theirs, name) for name in shared}
    backbone = cls(**{**arguments, "activation": "gelu_approximate", **kwargs})
    if load_weights:
        _assign_encoder(backbone, names.keras_hub_tensors(theirs), theirs.name)
    return backbone


def _classifier_from_keras_hub(cls, preset, load_weights, head, **kwargs):
    if not cls.has_bert_head:
        no_head_without_classes(preset, head)
    classes = {k: head[k] for k in ("num_classes",) if k in head}
    theirs = keras_hub.models.BertTextClassifier.from_preset(
        str(preset), load_weights, **classes
    )
    backbone = _from_keras_hub(
        cls.backbone_cls, theirs.backbone, load_weights, **kwargs
    )
    head = {
        "num_classes": theirs.num_classes,
        "preprocessor": theirs.preprocessor,
        **head,
    }
    classifier = cls(backbone, **head)
    if load_weights and not classes:
        classifier.head.kernel.assign(theirs.output_dense.kernel)
        classifier.head.bias.assign(theirs.output_dense.bias)
    return classifier

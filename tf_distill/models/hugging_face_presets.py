"""Builds encoders and classifiers from Hugging Face's folders."""

import warnings

from tf_distill.checkpoints.hugging_face import HuggingFaceFolder
from tf_distill.checkpoints.name_map import assign
from tf_distill.models.preset_checks import no_head_without_classes


def read_backbone(cls, preset, load_weights, **kwargs):
    """An encoder of a class from a folder or an `hf://` handle.

    Args:
        cls: an `Encoder`.
        preset: folder or handle.
        load_weights: bool, False gives random weights in the folder's sizes.
        **kwargs: constructor arguments that replace the config's.
    """
    folder = HuggingFaceFolder(preset)
    arguments = cls.hugging_face.arguments(folder.config)
    backbone = cls(**{**arguments, **kwargs})
    if load_weights:
        assign_encoder(backbone, _tensors(folder, cls), folder.path)
    return backbone


def read_text_classifier(cls, preset, load_weights, head, **kwargs):
    """A classifier of a class from a folder or an `hf://` handle.

    Args:
        cls: a `TextClassifier`.
        preset: folder or handle.
        load_weights: bool, False gives random weights in the folder's sizes.
        head: dict of the classifier's arguments that replace the config's;
            with `num_classes` the folder's own head is left unread.
        **kwargs: the backbone's arguments that replace the config's.
    """
    folder = HuggingFaceFolder(preset)
    family = cls.backbone_cls.hugging_face
    arguments = family.arguments(folder.config)
    label_names = folder.label_names()
    fine_tuned = (
        cls.has_published_head
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
    backbone = cls.backbone_cls(**{**arguments, **kwargs})
    if "preprocessor" not in head:
        head["preprocessor"] = _preprocessor(cls, folder, backbone)
    classifier = cls(
        backbone, **{**family.classifier_arguments(folder.config), **head}
    )
    if load_weights:
        tensors = _tensors(folder, cls.backbone_cls)
        assign_encoder(backbone, tensors, folder.path)
        _assign_head(classifier, tensors, folder.path, fine_tuned)
    return classifier


def assign_encoder(backbone, tensors, source):
    """Assigns weights by Hugging Face's names to an encoder.

    Args:
        backbone: `Encoder`.
        tensors: dict of NumPy arrays by name, without the family's prefix.
        source: where they are from, for messages.
    """
    family = backbone.hugging_face
    name_map = family.names(backbone)
    pooled = [name for name in name_map if name[1].startswith("pooler.")]
    if pooled and not any(name[1] in tensors for name in pooled):
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
        ignore=family.heads + family.ignored,
    )


def _assign_head(classifier, tensors, source, fine_tuned):
    """Assigns the head's weights; of a new head, those before its logits.

    What stands before the logits and is trained with the encoder, MobileBERT's
    pooler, comes along where there is one.
    """
    family = classifier.backbone.hugging_face
    name_map = family.classifier_names(classifier)
    if not fine_tuned:
        name_map = [
            name
            for name in name_map
            if name[1].startswith("pooler.") and name[1] in tensors
        ]
    beginnings = {name[1].partition(".")[0] + "." for name in name_map}
    assign(
        classifier,
        {
            name: value
            for name, value in tensors.items()
            if name.startswith(tuple(beginnings))
        },
        name_map,
        source=source,
    )


def _tensors(folder, backbone_cls):
    # Checkpoints with a head put the encoder under `bert.` or the like.
    prefix = f"{backbone_cls.hugging_face.model_type}."
    return {
        name.removeprefix(prefix): value
        for name, value in folder.tensors().items()
    }


def _preprocessor(cls, folder, backbone):
    tokenizer = cls.preprocessor_cls.tokenizer_cls(
        folder.vocabulary(),
        lowercase=folder.lowercase(),
        strip_accents=folder.strip_accents(),
    )
    return cls.preprocessor_cls(
        tokenizer, sequence_length=backbone.max_sequence_length
    )

"""Builds encoders and classifiers from KerasHub's presets."""

from tf_distill.checkpoints.name_map import assign
from tf_distill.models.hugging_face_presets import assign_encoder
from tf_distill.models.preset_checks import no_head_without_classes


def read_backbone(cls, preset, load_weights, **kwargs):
    """An encoder of a class from KerasHub's of the same family.

    Args:
        cls: an `Encoder`.
        preset: a folder, handle or name of KerasHub's.
        load_weights: bool, False gives random weights in the preset's sizes.
        **kwargs: constructor arguments that replace the preset's.
    """
    _check_known(cls, preset)
    theirs = cls.keras_hub_cls.from_preset(str(preset), load_weights)
    return _backbone(cls, theirs, load_weights, **kwargs)


def read_text_classifier(cls, preset, load_weights, head, **kwargs):
    """A classifier of a class from KerasHub's of the same family.

    Args:
        cls: a `TextClassifier`.
        preset: a folder, handle or name of KerasHub's.
        load_weights: bool, False gives random weights in the preset's sizes.
        head: dict of the classifier's arguments that replace the preset's.
        **kwargs: the backbone's arguments that replace the preset's.
    """
    _check_known(cls, preset)
    if not cls.has_published_head:
        no_head_without_classes(preset, head)
    classes = {k: head[k] for k in ("num_classes",) if k in head}
    theirs = cls.keras_hub_cls.from_preset(str(preset), load_weights, **classes)
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
            family.classifier_names(classifier),
            source=theirs.name,
        )
    return classifier


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

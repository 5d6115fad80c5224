"""An encoder or a task as a folder that `transformers` loads."""

import json
import warnings

from tf_distill.export.publish import publish_folder
from tf_distill.export.task import check_not_quantized


def hugging_face(model, folder, *, tokenizer=None, card=None):
    """Writes what `transformers.AutoModel….from_pretrained` loads.

    The same weights to the last bit under the names that `from_preset` of
    such a folder reads, `config.json`, and, where there is a tokenizer, its
    files, so that `transformers.AutoTokenizer` gives the same ids. The folder
    appears whole or not at all. Weights in half precision are written as
    float32.

    Of a MobileBERT with `"layer_norm"`, `transformers` normalizes the
    embeddings, and what the last feed-forward network of each block returns,
    with an epsilon of 1e-5 where Google and this package have 1e-12, so that
    its outputs differ a little: a warning says so. With NoNorm there is no
    difference. It cannot hold IB-BERT, nor the MobileBERT of the paper's
    table 1.

    Args:
        model: an encoder or a task of `tf_distill.models`.
        folder: where to write; made if it is not there, and empty if it is.
        tokenizer: `keras_hub.models.BertTokenizer` or DistilBERT's; by
            default the task's own, if it has a preprocessor.
        card: str, the content of its README.md, such as `model_card` writes.

    Returns:
        The folder's path.

    Raises:
        ValueError: a model that `transformers` has no class for, labels of
            one name, a tokenizer that does not fit it, or a folder that cannot
            be written to or already holds something.

    Example:
        >>> import tempfile
        >>> from tf_distill.models import BertBackbone
        >>> encoder = BertBackbone(
        ...     vocabulary_size=6, num_layers=1, num_heads=1, hidden_dim=2,
        ...     intermediate_dim=4)
        >>> path = hugging_face(encoder, tempfile.mkdtemp())
        >>> sorted(file.name for file in path.iterdir())
        ['config.json', 'model.safetensors']
    """
    backbone = _backbone(model)
    files = {} if card is None else {"README.md": card}
    tokenizer = tokenizer or _own_tokenizer(model)
    if tokenizer is not None:
        files |= _tokenizer_files(tokenizer, backbone)
    config = {
        "architectures": [_class_name(model, backbone)],
        "model_type": backbone.hugging_face.model_type,
        **backbone.hugging_face.config(backbone),
        **_head_config(model, backbone),
    }
    if config.get("normalization_type") == "layer_norm":
        from tf_distill.checkpoints.differences import EPSILON

        warnings.warn(f"{backbone.name}: {EPSILON}", stacklevel=2)
    files["config.json"] = json.dumps(config, indent=2, ensure_ascii=False)
    tensors = _tensors(model, backbone)

    def write(path):
        import safetensors.numpy

        for name, content in files.items():
            (path / name).write_bytes(content.encode())
        # `transformers` reads no file that does not say "pt". Written here: of
        # a full disk the library tells by an error of its own class.
        content = safetensors.numpy.save(tensors, {"format": "pt"})
        (path / "model.safetensors").write_bytes(content)

    return publish_folder(folder, write)


def _backbone(model):
    from tf_distill.models.encoder import Encoder

    if hasattr(model, "student"):
        raise ValueError(
            f"{type(model).__name__} holds a teacher and a student; write the "
            "student alone: pass `distiller.student`."
        )
    check_not_quantized(model)
    backbone = getattr(model, "backbone", model)
    if not isinstance(backbone, Encoder):
        raise ValueError(
            f"Only an encoder or a task of tf_distill.models can be written, "
            f"not a {type(model).__name__}. KerasHub's BERT and DistilBERT "
            "can be read into these: save it (`save_to_preset`) and give the "
            "folder to their `from_preset`."
        )
    if model is not backbone and not _has_published_head(model):
        raise ValueError(
            f"transformers has no class that computes what the head of "
            f"{type(model).__name__} does, so that it would compute something "
            "else on the same weights. Write the encoder alone "
            "(`model.backbone`), or train the student with another head."
        )
    return backbone


def _has_published_head(task):
    known = getattr(task, "hugging_face_head", None)
    return known is not None and task.has_published_head


def _class_name(model, backbone):
    family = backbone.hugging_face
    if model is backbone:
        return f"{family.class_name}Model"
    if getattr(model, "next_sentence", False):
        return f"{family.class_name}ForPreTraining"
    return f"{family.class_name}{model.hugging_face_head}"


def _head_config(model, backbone):
    """What the config says of a task's head and its labels."""
    from tf_distill.checkpoints.family import PROBLEM_TYPES

    if model is backbone:
        return {}
    head = backbone.hugging_face.heads[model.hugging_face_head]
    config = head.config(model)
    if hasattr(model, "num_classes"):
        names = getattr(model, "label_names", None) or [
            f"LABEL_{index}" for index in range(model.num_classes)
        ]
        names = [str(name) for name in names]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ValueError(
                f"{model.name} has outputs of one name, which a Hugging Face "
                f"config's label2id cannot tell apart: {', '.join(repeated)}. "
                "Build it with `label_names` that differ."
            )
        config |= {
            "id2label": {str(i): name for i, name in enumerate(names)},
            "label2id": {name: i for i, name in enumerate(names)},
        }
    if hasattr(model, "task"):
        config["problem_type"] = PROBLEM_TYPES[model.task]
    return config


def _tensors(model, backbone):
    from tf_distill.checkpoints import tensors_of

    family = backbone.hugging_face
    tensors = tensors_of(backbone, family.names(backbone))
    if model is not backbone:
        head = family.heads[model.hugging_face_head]
        tensors |= tensors_of(model, head.names(model))
        # Beside a head the encoder's names begin with the family's.
        tensors = {
            name
            if name.startswith(family.head_beginnings)
            and not name.startswith("pooler.")
            else f"{family.model_type}.{name}": value
            for name, value in tensors.items()
        }
    return tensors


def _own_tokenizer(model):
    preprocessor = getattr(model, "preprocessor", None)
    return getattr(preprocessor, "tokenizer", None)


def _tokenizer_files(tokenizer, backbone):
    from tf_distill.checkpoints.tokenizer_files import tokenizer_files

    settings = ("split", "split_on_cjk")
    others = [name for name in settings if not getattr(tokenizer, name, True)]
    words = list(tokenizer.get_vocabulary())
    if others or getattr(tokenizer, "suffix_indicator", "##") != "##":
        raise ValueError(
            f"{type(tokenizer).__name__} splits words otherwise than BERT's "
            "tokenizer (split, split_on_cjk, suffix_indicator)."
        )
    if len(words) > backbone.vocabulary_size:
        raise ValueError(
            f"The tokenizer knows {len(words)} words but {backbone.name} has "
            f"embeddings for {backbone.vocabulary_size}: they do not belong "
            "together."
        )
    return tokenizer_files(
        words,
        lowercase=bool(tokenizer.lowercase),
        strip_accents=bool(tokenizer.strip_accents),
        max_length=backbone.max_sequence_length,
        segments="segment_ids" in backbone.input,
    )

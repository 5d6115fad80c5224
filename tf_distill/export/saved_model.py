"""A task as a SavedModel in TensorFlow Serving's layout.

Letters: B batch, T tokens, C classes.
"""

import pathlib

from tf_distill.export.publish import publish_version
from tf_distill.export.task import (
    INPUT_NAMES,
    exportable,
    named_outputs,
    names_of_outputs,
    token_signature,
)
from tf_distill.export.text_to_tokens import text_to_tokens

# Operations that only `import tensorflow_text`, or a server that was built
# with TF Text, brings; the rest of its operations start with "TFText>".
TEXT_OPS = (
    "CaseFoldUTF8",
    "FastWordpieceTokenizeWithOffsets",
    "NormalizeUTF8",
    "RegexSplitWithOffsets",
)


def saved_model(
    model,
    folder,
    *,
    label_names=None,
    task="classification",
    pairs=False,
    check=None,
):
    """Writes the next version of a servable model.

    Two signatures: `serving_default` takes raw strings, `text` (and
    `second_text` for pairs), `(B,)`; `tokens` takes `token_ids`, `segment_ids`
    and `padding_mask`, `(B, T)` int32. Both return a dict: `logits` and
    `probabilities`, `(B, C)`, and for classes `label`, `(B,)`, the name of the
    likeliest; for a regression only `score`, `(B,)`. The version appears whole
    or not at all.

    Args:
        model: a KerasHub text classifier with a preprocessor; of any
            precision, the export is float32.
        folder: the model's folder, say `saved_models/tiny_bert_tweets`.
        label_names: C names; by default the model's own, or "0", "1", …
        task: "classification", "multilabel" or "regression".
        pairs: whether an example is two texts.
        check: function of the finished version's path, called before a
            server can see it; if it raises, there is no new version.

    Returns:
        Path of the new version, `folder/<integer>`.

    Raises:
        ValueError: a model that cannot be exported, names that do not fit it,
            or a folder that cannot be written to.

    Example:
        >>> import keras_hub, tempfile
        >>> from tf_distill.models import BertBackbone, BertTextClassifier
        >>> words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "day"]
        >>> preprocessor = keras_hub.models.BertTextClassifierPreprocessor(
        ...     keras_hub.models.BertTokenizer(words), sequence_length=8)
        >>> student = BertTextClassifier(
        ...     BertBackbone(vocabulary_size=6, num_layers=1, num_heads=1,
        ...                  hidden_dim=2, intermediate_dim=4),
        ...     num_classes=2, preprocessor=preprocessor)
        >>> saved_model(student, tempfile.mkdtemp()).name
        '1'
    """
    model = exportable(model, task)
    label_names = names_of_outputs(model, label_names, task)
    module, signatures = _servable(model, label_names, task, pairs)

    def write(path):
        import tensorflow as tf

        tf.saved_model.save(module, str(path), signatures=signatures)
        assets = pathlib.Path(path, "assets")
        assets.mkdir(exist_ok=True)
        _write_lines(
            assets / "vocab.txt", model.preprocessor.tokenizer.get_vocabulary()
        )
        if label_names is not None:
            _write_lines(assets / "label_names.txt", label_names)
        if check is not None:
            check(path)

    return publish_version(folder, write)


def text_ops(folder):
    """The TF Text operations that loading an export needs.

    Args:
        folder: a version folder.

    Returns:
        Sorted list of operation names.
    """
    from tensorflow.core.protobuf import saved_model_pb2

    path = pathlib.Path(folder, "saved_model.pb")
    if not path.is_file():
        raise ValueError(f"{str(path)!r} is not there: give a version folder.")
    proto = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    names = set()
    for meta_graph in proto.meta_graphs:
        graph = meta_graph.graph_def
        names.update(node.op for node in graph.node)
        for function in graph.library.function:
            names.update(node.op for node in function.node_def)
    return sorted(n for n in names if n.startswith("TFText>") or n in TEXT_OPS)


def _servable(model, label_names, task, pairs):
    """A module that owns the variables, and its two signatures."""
    import tensorflow as tf

    def predict(inputs):
        logits = model(inputs, training=False)
        outputs = named_outputs(logits, task)
        if task == "classification":
            names = tf.constant(label_names)
            outputs["label"] = tf.gather(names, tf.argmax(logits, axis=-1))
        return outputs

    def serving_default(*texts):
        return predict(text_to_tokens(model.preprocessor, *texts))

    def tokens(*inputs):
        return predict(dict(zip(INPUT_NAMES, inputs, strict=True)))

    texts = ["text", "second_text"] if pairs else ["text"]
    module = tf.Module()
    module.variables_of_model = [variable.value for variable in model.variables]
    module.serving_default = tf.function(
        serving_default,
        input_signature=[
            tf.TensorSpec((None,), "string", name=name) for name in texts
        ],
        autograph=False,
    )
    module.tokens = tf.function(
        tokens,
        input_signature=token_signature(),
        autograph=False,
    )
    return module, {
        "serving_default": module.serving_default,
        "tokens": module.tokens,
    }


def _write_lines(path, lines):
    text = "".join(f"{line}\n" for line in lines)
    path.write_text(text, encoding="utf-8")

"""A task as a SavedModel in TensorFlow Serving's layout.

Letters: B batch, T tokens, C classes.
"""

import contextlib
import os
import pathlib
import shutil

from tf_distill.export.publish import publish_version
from tf_distill.export.save_signatures import save_signatures
from tf_distill.export.signatures import text_functions, token_functions
from tf_distill.export.task import (
    TEXT_TASKS,
    exportable,
    names_of_outputs,
    task_of,
)
from tf_distill.export.warm_up import write_warm_up

# The signatures that need nothing but TensorFlow, within a version.
TOKENS_FOLDER = "assets.extra/tokens"

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
    task=None,
    pairs=False,
    preprocessor=None,
    version=None,
    check=None,
):
    """Writes the next version of a servable model.

    Four signatures, all of which return a dict. `serving_default` takes raw
    strings, `(B,)`: `text` (and `second_text` for pairs), or `question` and
    `context`; `tokens` takes `token_ids`, `segment_ids` and `padding_mask`,
    `(B, T)` int32. Both return

    - of classes `logits` and `probabilities`, `(B, C)`, and, unless there may
      be several, `label`, `(B,)`, the name of the likeliest; of a regression
      `score`, `(B,)`;
    - of a token classifier the same for each token, `(B, T, C)` and `(B, T)`;
      for a text also `start` and `end`, the characters that the token stands
      for, -1 for [CLS], [SEP] and padding;
    - of question answering `answer`, its `start` and `end` in the context's
      characters, `probability` and `no_answer_probability`, `(B,)`; for ids
      `start_logits` and `end_logits`, `(B, T)`;
    - of a backbone what the other two do.

    `embed` takes `text`, `embed_tokens` ids; both return `mean_embedding`, the
    mean of the last hidden states over all tokens, and `pooled_embedding`,
    that of [CLS] after the encoder's pooler, if it has one, `(B, D)`.

    The two that take ids are also in `assets.extra/tokens`, a SavedModel that
    loads where there is no TF Text, on the same file of weights. Requests to
    warm up a server lie beside it. The version appears whole or not at all.

    Args:
        model: a text or token classifier, a question answering model or a
            backbone; of any precision, the export is float32.
        folder: the model's folder, say `saved_models/tiny_bert_tweets`.
        label_names: C names; by default the model's own, or "0", "1", …
        task: "classification", "multilabel" or "regression"; by default the
            text classifier's own.
        pairs: whether an example of a text classifier is two texts.
        preprocessor: for a model without its own, as backbones are.
        version: int, by default one more than the highest that is there.
        check: function of the finished version's path, called before a
            server can see it; if it raises, there is no new version.

    Returns:
        Path of the new version, `folder/<integer>`.

    Raises:
        ValueError: a model that cannot be exported, names that do not fit it,
            a version that is there, or a folder that cannot be written to.

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
    task = task_of(model, task)
    if pairs and task not in TEXT_TASKS:
        raise ValueError(f"{task} has no pairs: leave `pairs` out.")
    model = exportable(model, task, preprocessor)
    preprocessor = preprocessor or model.preprocessor
    label_names = names_of_outputs(model, label_names, task)
    by_tokens = token_functions(model, task, label_names)
    by_text = text_functions(by_tokens, preprocessor, task, pairs)

    def write(path):
        functions = {**by_text, **by_tokens}
        save_signatures(model, functions, path)
        tokens = pathlib.Path(path, TOKENS_FOLDER)
        save_signatures(
            model, {"serving_default": by_tokens["tokens"], **by_tokens}, tokens
        )
        _share_variables(pathlib.Path(path), tokens)
        assets = pathlib.Path(path, "assets")
        assets.mkdir(exist_ok=True)
        words = preprocessor.tokenizer.get_vocabulary()
        _write_lines(assets / "vocab.txt", words)
        if label_names is not None:
            _write_lines(assets / "label_names.txt", label_names)
        write_warm_up(
            path,
            pathlib.Path(folder).name,
            functions,
            preprocessor.sequence_length,
        )
        if check is not None:
            check(path)

    return publish_version(folder, write, version)


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


def _share_variables(version, tokens):
    """Gives both models one file of weights, where the disk can do that.

    Both find their variables by name. A copy of the folder has two files,
    and is right too.
    """
    shared = tokens / "variables.shared"
    shared.mkdir()
    try:
        for path in (version / "variables").iterdir():
            os.link(path, shared / path.name)
    except OSError:
        with contextlib.suppress(OSError):
            shutil.rmtree(shared)
        return
    shutil.rmtree(tokens / "variables")
    shared.rename(tokens / "variables")


def _write_lines(path, lines):
    text = "".join(f"{line}\n" for line in lines)
    path.write_text(text, encoding="utf-8")

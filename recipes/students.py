"""Students of a teacher: what the recipes of text classifiers share.

Copy this file and what it imports along with the recipe that you copy.
"""

import json
import pathlib

from progress_line import say


def student_class(source, cls):
    """The class of a student read from somewhere: DistilBERT's has its own."""
    import tf_distill as td

    config = pathlib.Path(source, "config.json")
    kind = source  # a handle or a preset, which are named after their kind
    if config.exists():
        config = json.loads(config.read_text())
        kind = config.get("registered_name") or config.get("model_type") or ""
    kind = kind.lower().replace("_", "").replace("-", "")
    if "distilbert" in kind:
        return td.models.DistilBertTextClassifier
    if "mobilebert" in kind:
        return td.models.MobileBertTextClassifier
    return cls


def build_student(config, teacher, *, cls=None, blocks=None):
    """A student of a teacher, always with the same weights.

    Args:
        config: has `seed`, `freeze_words` and `student`: `"half"` for half of
            the teacher's layers, a number of them, a folder of a pre-trained
            encoder or model, or a name of `tf_distill.models.ARCHITECTURES`.
        teacher: fine-tuned, or the pre-trained model that it came from.
        cls: of a student of BERT's kind; the teacher's by default.
        blocks: function of a number of layers that returns the teacher's
            blocks to begin with; evenly spaced ones by default.

    Returns:
        The student, a `TextClassifier` with the teacher's classes, of its
        teacher's first weights as far as these fit.

    Raises:
        ValueError: no such student, one of no layers or more than the teacher,
            or one that was pre-trained on other words.
    """
    import keras

    keras.utils.set_random_seed(config.seed)
    student = _begun(config, teacher, cls, blocks)
    student.backbone.token_embedding.trainable = not config.freeze_words
    return student


def _begun(config, teacher, cls, blocks):
    import tf_distill as td

    source, theirs = config.student, teacher.backbone
    cls = student_class(source, cls or type(teacher))
    head = {
        "num_classes": teacher.num_classes,
        "label_names": teacher.label_names,
        "task": teacher.task,
    }
    if issubclass(cls, type(teacher)):
        head["preprocessor"] = teacher.preprocessor
    if source == "half" or source.isdigit():
        layers = theirs.num_layers // 2 if source == "half" else int(source)
        _check_depth(source, layers, theirs)
        backbone = type(theirs).from_config(
            {**theirs.get_config(), "num_layers": layers}
        )
        student = cls(backbone, **head)
        say(begin(student, teacher, blocks))
        return student
    if source not in td.models.ARCHITECTURES:
        student = _pre_trained(source, cls, head, teacher)
        say(f"The student begins with the encoder of {source}.")
        return student
    student = cls.from_preset(
        source,
        load_weights=False,
        vocabulary_size=theirs.vocabulary_size,
        max_sequence_length=theirs.max_sequence_length,
        **head,
    )
    _check_depth(source, student.backbone.num_layers, theirs)
    say(begin(student, teacher, blocks))
    return student


def _pre_trained(source, cls, head, teacher):
    """A student as it was saved, if it reads the teacher's words."""
    shared, folder = head.pop("preprocessor", None), pathlib.Path(source)
    files = [folder / name for name in ("vocab.txt", "tokenizer.json")]
    if shared and folder.is_dir() and not any(file.exists() for file in files):
        head["preprocessor"] = None  # it came without words of its own
    # Not read with the teacher's, which would hide its own words, or get them.
    student = cls.from_preset(source, **head)
    words = [
        model.preprocessor.tokenizer.get_vocabulary()
        for model in (student, teacher)
        if model.preprocessor is not None
    ]
    if len(words) == 2 and words[0] != words[1]:
        raise ValueError(
            f"--student {source} was pre-trained on another vocabulary than "
            "its teacher's: choose one of the same words, or `half`."
        )
    if shared is not None:
        student.preprocessor = shared
    return student


def _check_depth(source, layers, theirs):
    if not 1 <= layers <= theirs.num_layers:
        raise ValueError(
            f"--student {source} would have {layers} layers, of --teacher's "
            f"{theirs.num_layers}: it needs at least 1 and at most as many. "
            "Choose another student."
        )


def same_sizes(student, teacher):
    """Whether the student's blocks are as wide as the teacher's."""
    ours, theirs = student.backbone, teacher.backbone
    return type(ours) is type(theirs) and all(
        getattr(ours, name) == getattr(theirs, name)
        for name in ("hidden_dim", "intermediate_dim", "num_heads")
    )


def begin(student, teacher, blocks=None):
    """Gives a student what it can have of its teacher's weights.

    Args:
        student, teacher: text classifiers.
        blocks: as for `build_student`.

    Returns:
        What was done, to be shown.
    """
    import tf_distill as td

    ours, theirs = student.backbone, teacher.backbone
    if same_sizes(student, teacher):
        chosen = blocks(ours.num_layers) if blocks else None
        return td.distillation.initialize_from_teacher(student, teacher, chosen)
    if ours.hidden_dim <= theirs.hidden_dim:
        kept = td.distillation.reduce_embeddings(student, teacher)
        return f"The student's embeddings keep {kept:.1%} of the teacher's."
    return "The student is wider than the teacher: it begins at random."

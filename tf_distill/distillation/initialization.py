"""How a student begins: with layers of its teacher."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class InitializationReport:
    """What `initialize_from_teacher` copied, and what stayed as it was."""

    copied: tuple[str, ...]
    kept: tuple[str, ...]

    def __str__(self):
        return (
            f"Copied from the teacher: {', '.join(self.copied)}.\n"
            f"Kept: {', '.join(self.kept) or 'nothing'}."
        )


def evenly_spaced(num_student_layers, num_teacher_layers):
    """Blocks spread evenly from a teacher's first to its last.

    For 6 of 12 these are DistilBERT's own, 0, 2, 4, 7, 9 and 11.

    Example:
        >>> from tf_distill.distillation.initialization import evenly_spaced
        >>> evenly_spaced(6, 12)
        [0, 2, 4, 7, 9, 11]
    """
    if num_student_layers == 1:
        return [0]
    step = (num_teacher_layers - 1) / (num_student_layers - 1)
    return [round(index * step) for index in range(num_student_layers)]


def initialize_from_teacher(student, teacher, blocks=None):
    """Copies a teacher's embeddings, some of its blocks, pooler and head.

    Args:
        student, teacher: encoders of this package or tasks on them, of the
            same width.
        blocks: the teacher block for each student block, counted from 0;
            by default evenly spaced, as DistilBERT has them.

    Returns:
        `InitializationReport`. The head is copied where both models have the
        same kind of head with the same number of classes.

    Raises:
        ValueError: widths, heads, activations or normalizations differ, a
            block is out of range, or a model is not of this package. Nothing
            has been copied then.

    Example:
        >>> from tf_distill.distillation import initialize_from_teacher
        >>> from tf_distill.models import BertBackbone
        >>> teacher = BertBackbone.from_preset(
        ...     "bert_tiny_2l_128d", load_weights=False)
        >>> student = BertBackbone.from_preset(
        ...     "bert_tiny_2l_128d", load_weights=False, num_layers=1)
        >>> print(initialize_from_teacher(student, teacher, blocks=[1]))
        Copied from the teacher: token_embedding, ... block_1 → block_0...

    Reference: Sanh et al. 2019, section 2, "Student initialization".
    """
    ours = getattr(student, "backbone", None) or student
    theirs = getattr(teacher, "backbone", None) or teacher
    _check_encoders(ours, theirs)
    if blocks is None:
        blocks = evenly_spaced(len(ours.blocks), len(theirs.blocks))
    outside = [b for b in blocks if not 0 <= b < len(theirs.blocks)]
    if len(blocks) != len(ours.blocks) or outside:
        raise ValueError(
            f"`blocks` is {list(blocks)}: it needs {len(ours.blocks)} teacher "
            f"blocks of 0 to {len(theirs.blocks) - 1}."
        )
    pairs = _around_the_blocks(ours, theirs)
    pairs += [
        (f"block_{b} → {block.name}", block, theirs.blocks[b])
        for block, b in zip(ours.blocks, blocks, strict=True)
    ]
    _check_same_shapes(pairs)
    kept = []
    if ours is not student:
        head = _head_pairs(student, teacher)
        if head:
            pairs += head
        else:
            kept.append("head")
    for _, layer, source in pairs:
        for variable, value in zip(layer.weights, source.weights, strict=True):
            variable.assign(value)
    copied = dict.fromkeys(name for name, *_ in pairs)
    return InitializationReport(tuple(copied), tuple(kept))


def _around_the_blocks(ours, theirs):
    """Pairs of an encoder's embeddings and pooler with the teacher's."""
    known = {layer.name: layer for layer in theirs.layers}
    layers = [x for x in ours.layers if x.weights and x not in ours.blocks]
    missing = [layer.name for layer in layers if layer.name not in known]
    if missing:
        raise ValueError(
            f"The teacher {theirs.name!r}, a {type(theirs).__name__}, has no "
            f"{', '.join(missing)} to begin a {type(ours).__name__} with."
        )
    return [(layer.name, layer, known[layer.name]) for layer in layers]


def _head_pairs(student, teacher):
    """Pairs of a task's own layers; none if the heads are not alike."""
    if type(student) is not type(teacher):
        return []
    ours, theirs = (
        {x.name: x for x in task.layers if x.weights and x is not task.backbone}
        for task in (student, teacher)
    )
    if ours.keys() != theirs.keys():
        return []
    pairs = [("head", layer, theirs[name]) for name, layer in ours.items()]
    return pairs if all(_same_shapes(*pair[1:]) for pair in pairs) else []


def reduce_embeddings(student, teacher):
    """Gives a thinner student the best low-rank copy of a teacher's words.

    The d columns that keep most of the teacher's token embeddings (truncated
    singular value decomposition) become the student's; its positions and
    segments go through the same projection. A thin student of random words
    would spend its first epochs on learning them.

    Args:
        student, teacher: encoders of this package or tasks on them, of the
            same vocabulary; the student not wider than the teacher.

    Returns:
        float, share of the token embeddings' squared length that is kept.

    Raises:
        ValueError: the student is wider, or has another vocabulary, or one
            of them is a MobileBERT. Nothing has been changed then.

    Example:
        >>> from tf_distill.distillation import reduce_embeddings
        >>> from tf_distill.models import BertBackbone
        >>> teacher = BertBackbone.from_preset(
        ...     "bert_tiny_2l_128d", load_weights=False, vocabulary_size=200)
        >>> student = BertBackbone.from_preset(
        ...     "bert_tiny_2l_128d", load_weights=False, vocabulary_size=200,
        ...     hidden_dim=64)
        >>> 0.5 < reduce_embeddings(student, teacher) < 1
        True

    Reference: Mukherjee and Awadallah 2020, section 3.
    """
    ours = getattr(student, "backbone", None) or student
    theirs = getattr(teacher, "backbone", None) or teacher
    tokens = theirs.token_embedding.embeddings.numpy()
    num_words, width = ours.token_embedding.embeddings.shape
    if (width, tokens.shape[1]) != (ours.hidden_dim, theirs.hidden_dim):
        raise ValueError(
            "Embeddings can be reduced where positions are as wide as words, "
            "as in BERT and DistilBERT; MobileBERT's words are narrower."
        )
    _check_can_be_cut((num_words, width), tokens.shape)
    # The right singular vectors, from the small Gram matrix, largest first.
    lengths, vectors = np.linalg.eigh(tokens.T.astype("float64") @ tokens)
    projection = vectors[:, ::-1][:, :width]
    ours.token_embedding.embeddings.assign(tokens @ projection)
    for name, variable in (
        ("position_embedding", "position_embeddings"),
        ("segment_embedding", "embeddings"),
    ):
        if not all(hasattr(x, name) for x in (ours, theirs)):
            continue  # DistilBERT has no segments
        source = getattr(theirs.get_layer(name), variable).numpy()
        target = getattr(ours.get_layer(name), variable)
        rows = min(source.shape[0], target.shape[0])
        values = target.numpy()
        values[:rows] = (source @ projection)[:rows]
        target.assign(values)
    return float(lengths[::-1][:width].sum() / lengths.sum())


def _check_can_be_cut(ours, theirs):
    """Refuses words that the teacher's do not hold; shapes (words, width)."""
    if ours[0] == theirs[0] and ours[1] <= theirs[1]:
        return
    mend = f"it may not be wider. Choose a student of at most {theirs[1]}"
    if ours[0] != theirs[0]:
        mend = "it needs the teacher's vocabulary. Build it with that"
    raise ValueError(
        f"The student's {ours[0]:,} words of width {ours[1]} cannot be cut "
        f"from the teacher's {theirs[0]:,} of width {theirs[1]}: {mend}, or "
        "leave this call out: its words then begin at random."
    )


def _check_encoders(ours, theirs):
    for encoder in (ours, theirs):
        if not hasattr(encoder, "blocks"):
            raise ValueError(
                f"{encoder.name!r} is not an encoder of this package: read "
                "it with `tf_distill.models.BertBackbone.from_preset`."
            )
    if ours.num_heads != theirs.num_heads:
        # The shapes may be equal, but a head would read parts of others.
        raise ValueError(
            f"The student has {ours.num_heads} heads and the teacher "
            f"{theirs.num_heads}: its blocks need as many to be copied."
        )
    for name in ("activation", "normalization"):
        values = [_name(getattr(x, name, None)) for x in (ours, theirs)]
        if values[0] != values[1]:
            raise ValueError(
                f"The student's {name} is {values[0]!r} and the teacher's "
                f"{values[1]!r}: copied blocks would compute something else. "
                f"Build the student with `{name}={values[1]!r}`."
            )


def _name(value):
    """Of an option, which may be a function."""
    return getattr(value, "__name__", value)


def _same_shapes(layer, source):
    return [w.shape for w in layer.weights] == [w.shape for w in source.weights]


def _check_same_shapes(pairs):
    differ = [name for name, *layers in pairs if not _same_shapes(*layers)]
    if differ:
        raise ValueError(
            f"The student's {', '.join(differ)} are not of the teacher's "
            "sizes, so the weights cannot be copied. Give the student the "
            "teacher's hidden_dim, intermediate_dim and vocabulary, or train "
            "it from random weights."
        )

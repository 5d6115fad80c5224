"""MiniLM: one layer's self-attention, of models of any width and depth.

Reference: Wang et al. 2020, https://arxiv.org/abs/2002.10957; Wang et al. 2021
(MiniLMv2), https://arxiv.org/abs/2012.15828.
"""

from tf_distill.distillation import LayerMatch
from tf_distill.losses import AttentionKL, RelationKL
from tf_distill.methods.distillation_stage import adamw, distillation_stage
from tf_distill.models.tap_points import encoder_tap_points


def version_1(student, teacher, data, **options):
    """The last layers' attention, and the relations of their values.

    Args:
        student, teacher: encoders of as many heads; widths may differ.
        data: unlabeled text, such as `BucketedBatches`.
        **options: as for `version_2`, but `relation_heads`, which are the
            attention heads here.

    Returns:
        list of one `Stage`, `"self-attention"`.

    Example:
        >>> import tf_distill as td
        >>> from tf_distill.methods import mini_lm
        >>> def encoder(num_layers):
        ...     return td.models.BertBackbone.from_preset(
        ...         "bert_tiny_2l_128d", load_weights=False,
        ...         num_layers=num_layers, vocabulary_size=10)
        >>> stages = mini_lm.version_1(encoder(1), encoder(2), data=[])
        >>> [stage.name for stage in stages]
        ['self-attention']

    Reference: MiniLM, section 3, eq. 4 to 7.
    """
    heads = encoder_tap_points(teacher, True).attention[-1].num_heads
    return _stages(
        student,
        teacher,
        data,
        {"attention_scores": AttentionKL(), "values": RelationKL(heads)},
        **options,
    )


def version_2(student, teacher, data, *, relation_heads=48, **options):
    """The relations among a layer's queries, keys and values.

    Args:
        student, teacher: encoders, of any widths that `relation_heads`
            divides and of any heads.
        data: unlabeled text, such as `BucketedBatches`.
        relation_heads: int; 48 for BERT-base, 64 for BERT-large.
        **options: `teacher_block`, counted from 0, by default the last; of
            BERT-large the paper takes the 21st of 24. `epochs`,
            `learning_rate`, `make_optimizer` as for other methods, and further
            arguments of `Stage`.

    Returns:
        list of one `Stage`, `"self-attention"`.

    Example:
        >>> import tf_distill as td
        >>> from tf_distill.methods import mini_lm
        >>> def encoder(num_layers):
        ...     return td.models.BertBackbone.from_preset(
        ...         "bert_tiny_2l_128d", load_weights=False,
        ...         num_layers=num_layers, vocabulary_size=10)
        >>> stages = mini_lm.version_2(
        ...     encoder(1), encoder(2), data=[], relation_heads=8)
        >>> [stage.name for stage in stages]
        ['self-attention']

    Reference: MiniLMv2, section 3.
    """
    roles = ("queries", "keys", "values")
    losses = {role: RelationKL(relation_heads) for role in roles}
    return _stages(student, teacher, data, losses, **options)


def _stages(
    student,
    teacher,
    data,
    losses,
    *,
    teacher_block=None,
    epochs=1,
    learning_rate=6e-4,
    make_optimizer=None,
    **stage,
):
    last = len(encoder_tap_points(student, True).blocks) - 1
    if teacher_block is None:
        teacher_block = len(encoder_tap_points(teacher, True).blocks) - 1

    def matches():
        return [
            LayerMatch(role, loss, layer_map={last: teacher_block})
            for role, loss in losses.items()
        ]

    return [
        distillation_stage(
            "self-attention",
            student,
            teacher,
            matches,
            data,
            epochs,
            make_optimizer or adamw(learning_rate),
            **stage,
        )
    ]

"""A teacher, a student, what is matched, and the total by hand.

Letters: B batch, T tokens, C classes.
"""

import keras
import numpy as np
import tiny

import tf_distill as td

WEIGHTS = {
    "embeddings": 0.5,
    "hidden_states": 2.0,
    "attention_scores": 0.3,
    "logits": 0.7,
}
TEMPERATURE = 2.0
LABELS = np.array([0, 2, 1, 2])
SAMPLE_WEIGHT = np.array([1.0, 0.5, 2.0, 0.0])


def teacher(dropout=0.5, **sizes):
    """Twice as deep and half as wide again as the student."""
    sizes = {"num_layers": 4, "hidden_dim": 12, **sizes}
    return tiny.classifier(seed=2, dropout=dropout, **sizes)


def student(**sizes):
    return tiny.classifier(seed=1, **sizes)


def matches():
    return [
        td.EmbeddingMatch(
            td.losses.HiddenMSE(), projection=True, weight=WEIGHTS["embeddings"]
        ),
        td.LayerMatch(
            "hidden_states",
            td.losses.HiddenMSE(),
            projection=True,
            weight=WEIGHTS["hidden_states"],
        ),
        td.LayerMatch(
            "attention_scores",
            td.losses.AttentionMSE(),
            weight=WEIGHTS["attention_scores"],
        ),
        td.LogitMatch(
            td.losses.SoftCrossEntropy(temperature=TEMPERATURE),
            weight=WEIGHTS["logits"],
        ),
    ]


def distiller(ours=None, theirs=None, losses=None, projection=True, **kwargs):
    made = td.Distiller(
        student=ours or student(),
        teacher=theirs or teacher(),
        losses=losses or matches(),
        **kwargs,
    )
    if projection and losses is None:
        for seed, match in enumerate(made.matches[:2]):
            tiny.randomize(match.projections[0], seed)
    return made


def label_loss():
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def compiled(optimizer=None, loss=None, made=None, **kwargs):
    if not kwargs:
        # A graph takes seconds to trace, XLA more, and a step milliseconds.
        kwargs = {"run_eagerly": True}
        made = made or distiller()
    made = made or distiller(student(num_layers=1), teacher(num_layers=2))
    made.compile(
        optimizer=optimizer or keras.optimizers.SGD(0.05), loss=loss, **kwargs
    )
    return made


def by_hand(made, inputs):
    """The terms of each example, `(B,)`, in NumPy, from the tapped tensors."""
    signals = ["embeddings"]
    signals += [
        f"{role}/{block}"
        for role in ("hidden_states", "attention_scores")
        for block in range(4)
    ]
    theirs = td.distillation.tapped(made.teacher, signals)(inputs)
    ours = td.distillation.tapped(
        made.student, [s for s in signals if s[-1] not in "23"]
    )(inputs)
    theirs, ours = (
        {name: np.asarray(x, "float64") for name, x in found.items()}
        for found in (theirs, ours)
    )
    kernels = [m.projections[0].kernel.numpy() for m in made.matches[:2]]
    embeddings, hidden, attention, logits = [], [], [], []
    for row, mask in enumerate(inputs["padding_mask"] > 0):

        def mse(name, other, kernel, row=row, mask=mask):
            difference = ours[name][row][mask] @ kernel
            return ((difference - theirs[other][row][mask]) ** 2).mean()

        embeddings.append(mse("embeddings", "embeddings", kernels[0]))
        hidden.append(
            mse("hidden_states/0", "hidden_states/1", kernels[1])
            + mse("hidden_states/1", "hidden_states/3", kernels[1])
        )
        attention.append(
            sum(
                (
                    (
                        ours[f"attention_scores/{s}"][row]
                        - theirs[f"attention_scores/{t}"][row]
                    )[:, mask][:, :, mask]
                    ** 2
                ).mean()
                for s, t in ((0, 1), (1, 3))
            )
        )
        p = tiny.softmax(theirs["output"][row] / TEMPERATURE)
        log_q = tiny.log_softmax(ours["output"][row] / TEMPERATURE)
        logits.append(-(p * log_q).sum() * TEMPERATURE**2)
    return {
        "embeddings": np.array(embeddings),
        "hidden_states": np.array(hidden),
        "attention_scores": np.array(attention),
        "logits": np.array(logits),
    }, ours["output"]


def label_terms(logits, labels):
    return -tiny.log_softmax(logits)[np.arange(len(labels)), labels]


def total_by_hand(terms, weight=1.0):
    return sum((WEIGHTS[name] * terms[name] * weight).mean() for name in terms)

"""A step of TinyBERT's kind in another batch, length, depth or sum of losses.

Letters: B batch, T tokens.
"""

REQUIRES = ["keras", "tensorflow", "keras_hub"]
INSTALL = "pip install -e ."


class Side:
    """Trains a masked LM by some losses of a teacher.

    Args:
        job: what `tf_distill.benchmark.growth.points` returns: `dtype`,
            `batch`, `length`, `layers` of the teacher, twice the student's,
            `losses`, how many, and `sizes`, of both encoders.

    Attributes:
        facts: dict of `tokens`, of a step.
    """

    def __init__(self, job):
        import keras

        keras.config.set_dtype_policy(
            "mixed_bfloat16" if job["dtype"] == "bfloat16" else "float32"
        )
        keras.utils.set_random_seed(0)
        self.batches = [_batch(job)]
        self.distiller = _distiller(job)
        self.facts = {"tokens": job["batch"] * job["length"]}
        self.run(2)

    def run(self, steps):
        """Trains for so many steps; returns the seconds."""
        from tf_distill.benchmark.peers.training_parts import (
            Repeated,
            seconds_of_fit,
        )

        return seconds_of_fit(self.distiller, Repeated(self.batches, steps))


def _distiller(job):
    import keras

    import tf_distill as td
    from tf_distill.methods.trained_part import PartDistiller

    teacher, student = (
        td.models.BertMaskedLM(
            td.models.BertBackbone(**job["sizes"], num_layers=layers)
        )
        for layers in (job["layers"], max(job["layers"] // 2, 1))
    )
    # The labels' loss is the first of them.
    matches = _matches(td)[: job["losses"] - 1]
    distiller = (
        PartDistiller(student, teacher, matches, trained=None, on_labels=True)
        if matches
        else student
    )
    distiller.compile(
        keras.optimizers.AdamW(1e-4),
        loss=td.losses.MaskedLMCrossEntropy(),
        jit_compile=False,
        **({} if matches else {"weighted_metrics": []}),
    )
    return distiller


def _matches(td):
    """Seven: soft labels, embeddings, hidden states, scores and relations."""
    losses = td.losses
    return [
        td.LogitMatch(losses.SoftKLDivergence(2.0)),
        td.LayerMatch("hidden_states", losses.HiddenMSE()),
        td.LayerMatch("attention_scores", losses.AttentionMSE()),
        td.EmbeddingMatch(losses.HiddenMSE()),
        *(
            td.LayerMatch(signal, losses.RelationKL(12), layer_map="top")
            for signal in ("queries", "keys", "values")
        ),
    ]


def _batch(job):
    import numpy as np

    shape = (job["batch"], job["length"])
    generator = np.random.default_rng(0)
    masked = max(8, job["length"] * 3 // 20 // 8 * 8)
    words = job["sizes"]["vocabulary_size"]
    positions = np.arange(masked, dtype="int32") % job["length"]
    positions = np.broadcast_to(positions, (job["batch"], masked))
    ids = generator.integers(10, words, shape, dtype="int32")
    return {
        "token_ids": ids,
        "segment_ids": np.zeros(shape, "int32"),
        "padding_mask": np.ones(shape, "int32"),
        "mask_positions": positions,
        "mask_weights": np.ones(positions.shape, "int32"),
    }, np.take_along_axis(ids, positions, axis=1)

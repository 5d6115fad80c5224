"""`keras.distillation` on our models: soft labels, one feature, hard labels."""

REQUIRES = ["keras", "tensorflow", "keras_hub"]
INSTALL = "pip install -e ."


class Side:
    """Workload k in Keras' own Distiller.

    Args:
        job: what `tf_distill_loop.Side` was given and wrote.

    Attributes:
        facts: dict of `loss`, as of `tf_distill_loop.Side`.
    """

    def __init__(self, job):
        import pathlib

        import keras

        from tf_distill.benchmark.peers.training_parts import FEATURE, Parts

        keras.config.set_dtype_policy(
            "mixed_bfloat16" if job["dtype"] == "bfloat16" else "float32"
        )
        keras.utils.set_random_seed(0)
        parts = Parts(job)
        for who in ("teacher", "student"):
            file = pathlib.Path(job["folder"], f"{who}.weights.h5")
            getattr(parts, who).load_weights(file)
        self.batches = parts.batches
        self.distiller = keras.distillation.Distiller(
            parts.teacher,
            parts.student,
            [
                # Its default takes logits for probabilities.
                keras.distillation.LogitsDistillation(
                    temperature=2.0, loss=keras.losses.KLDivergence()
                ),
                keras.distillation.FeatureDistillation(
                    loss="mse",
                    teacher_layer_name=FEATURE,
                    student_layer_name=FEATURE,
                ),
            ],
            student_loss_weight=0.5,
        )
        self.distiller.compile(
            keras.optimizers.AdamW(1e-4),
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            jit_compile=False,
        )
        inputs, labels = self.batches[0]
        logs = self.distiller.evaluate(
            inputs,
            labels,
            batch_size=job["batch"],
            verbose=0,
            return_dict=True,
        )
        self.facts = {"loss": float(logs["total_loss"])}
        self.run(2)

    def run(self, steps):
        """Trains for so many steps; returns the seconds."""
        from tf_distill.benchmark.peers.training_parts import (
            Repeated,
            seconds_of_fit,
        )

        return seconds_of_fit(self.distiller, Repeated(self.batches, steps))

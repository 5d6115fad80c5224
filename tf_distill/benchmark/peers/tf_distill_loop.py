"""Ourselves: the package's own methods, as a user would train by them.

Letters: B batch, T tokens.
"""

REQUIRES = ["keras", "tensorflow", "keras_hub"]
INSTALL = "pip install -e ."


class Side:
    """A workload of `tf_distill.benchmark.workloads`, trained in `fit`.

    Args:
        job: what `job_of` returns, and `dtype`; `folder`, a folder for files;
            `write`, whether to put there the weights and batches that the
            other sides read; `cached`, whether the teacher's signals come
            from a cache.

    Attributes:
        facts: dict of `loss`, of the first batch, without dropout, before any
            step; and `flops`, what one step, or epoch, needs.
    """

    def __init__(self, job):
        import keras

        from tf_distill.benchmark.needed_flops import needed_flops
        from tf_distill.benchmark.peers.training_parts import Parts
        from tf_distill.benchmark.peers.written_parts import write_parts

        keras.config.set_dtype_policy(
            "mixed_bfloat16" if job["dtype"] == "bfloat16" else "float32"
        )
        keras.utils.set_random_seed(0)
        self.job = job
        self.parts = Parts(job)
        self.distiller = self.parts.build()
        if job["write"]:
            write_parts(self.parts, self.distiller, job["folder"])
        inputs, *labels = self.parts.batches[0]
        logs = self.distiller.evaluate(
            inputs,
            *labels,
            batch_size=job["batch"],
            verbose=0,
            return_dict=True,
        )
        self.facts = {
            "loss": float(logs["loss"]),
            "flops": needed_flops(job, self.parts, self.distiller),
        }
        self.batches = self.parts.training_batches(self.distiller)
        # Compiles, and makes the optimizer's variables.
        self.run(2 if job["lengths"] is None else 1)

    def run(self, steps):
        """Trains for so many steps, or epochs of sentences; the seconds."""
        from tf_distill.benchmark.peers.training_parts import (
            Repeated,
            seconds_of_fit,
        )

        if self.job["lengths"] is None:
            data = Repeated(self.batches, steps)
            return seconds_of_fit(self.distiller, data)
        return seconds_of_fit(self.distiller, self.batches, epochs=steps)

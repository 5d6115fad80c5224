"""A run of three tiny stages; killed and started again by test_kills.py.

The student has dropout, the losses projections, the optimizers schedules,
moments, accumulators; so does every stage something of its own to lose.
"""

import keras
import numpy as np
import pairs
import tiny

import tf_distill as td

ROWS = 18  # 5 steps an epoch, the last of two rows only


def data(rows=ROWS, seed=0, **kwargs):
    generator = np.random.default_rng(seed)
    lengths = generator.integers(2, 9, rows)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    token_ids = generator.integers(5, 20, offsets[-1]).astype("int32")
    encoded = td.data.Encoded(token_ids, 0 * token_ids, offsets, max_length=8)
    labels = generator.integers(0, 3, rows)
    return td.data.BucketedBatches(
        encoded, labels, batch_size=4, multiple=2, **kwargs
    )


def stages(student, teacher, batches, epochs=(1, 2, 1), **compiling):
    """Inner signals; soft and hard labels; labels alone."""
    compiling = {"jit_compile": False, **compiling}
    dev = data(8, seed=1, shuffle=False)

    head = [student.backbone.pooler, student.head]

    def inner():
        for layer in head:  # gets no gradient from inner signals
            layer.trainable = False
        distiller = td.Distiller(student, teacher, pairs.matches()[:3])
        schedule = keras.optimizers.schedules.CosineDecay(0.01, 10)
        optimizer = keras.optimizers.AdamW(schedule, global_clipnorm=1.0)
        distiller.compile(optimizer, **compiling)
        return distiller

    def logits():
        for layer in head:
            layer.trainable = True
        distiller = td.Distiller(student, teacher, pairs.matches()[3:])
        optimizer = keras.optimizers.Adam(
            0.01, gradient_accumulation_steps=2, use_ema=True
        )
        distiller.compile(
            optimizer, pairs.label_loss(), metrics=["accuracy"], **compiling
        )
        return distiller

    def labels():
        student.compile(
            keras.optimizers.SGD(0.01, momentum=0.9),
            pairs.label_loss(),
            metrics=["accuracy"],
            **compiling,
        )
        return student

    return [
        td.Stage("inner", inner, batches, epochs[0]),
        td.Stage(
            "logits",
            logits,
            batches,
            epochs[1],
            monitor="val_loss",
            validation_data=dev,
        ),
        td.Stage("labels", labels, batches, epochs[2]),
    ]


def models():
    student = pairs.student(num_layers=1, dropout=0.3)
    return student, pairs.teacher(num_layers=2)


class Note(keras.callbacks.Callback):
    """Writes a line for every step that was done: the stage's name."""

    def __init__(self, file, name):
        super().__init__()
        self.file, self.name = file, name

    def on_train_batch_end(self, batch, logs=None):
        self.file.write(f"{self.name}\n")


def main(folder, **compiling):
    """Trains, and writes the weights and the history beside the run."""
    keras.utils.set_random_seed(0)
    student, teacher = models()
    made = stages(student, teacher, data(), **compiling)
    steps = open(folder / "steps.txt", "w", buffering=1)
    for stage in made:
        stage.fit["callbacks"] = [Note(steps, stage.name)]
    history = td.run_stages(made, folder / "run", every_steps=2)
    weights = tiny.weights_of(student)
    np.savez(
        folder / "weights.npz",
        history=np.array(str(history)),
        **{str(i): weight for i, weight in enumerate(weights)},
    )

"""Prints the peak memory of steps, in MB; run by test_costs.py.

`python memory_run.py` trains a student by itself, with a teacher of twelve
blocks, and then that teacher: a line each.
"""

import keras
import numpy as np
import tiny

import tf_distill as td
from tf_distill.benchmark.peers.worker import peak_bytes


def batch(rows, length):
    token_ids = np.full((rows, length), 7, "int32")
    return {
        "token_ids": token_ids,
        "segment_ids": 0 * token_ids,
        "padding_mask": 1 + 0 * token_ids,
    }


def main():
    sizes = {"hidden_dim": 32, "max_sequence_length": 256, "num_heads": 4}
    student, teacher = (
        tiny.classifier(num_layers=n, dropout=0.1, **sizes) for n in (1, 12)
    )
    distiller = td.Distiller(
        student, teacher, [td.LogitMatch(td.losses.SoftCrossEntropy())]
    )
    models = [student, distiller, teacher]
    for model in models:
        model.compile(keras.optimizers.SGD(0.0), jit_compile=False)
        # Traced for shapes that are not known: not again below.
        for rows in (2, 3, 4):
            step(model, rows, 4 * rows)
    for model in models:
        step(model, 16, 256)
        print(peak_bytes() / 1e6, flush=True)


def step(model, *shape):
    model.train_on_batch(batch(*shape), np.zeros(shape[0], "int32"))


if __name__ == "__main__":
    main()

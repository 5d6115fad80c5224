"""Trains tiny models for 20 steps and writes the losses; run by test_jax.py.

`KERAS_BACKEND=jax python jax_run.py <weights.npz> <losses.json>`; with
`parallel` at the end each batch is shared by all devices that JAX has.
"""

import json
import sys

import keras
import numpy as np
import pairs
import tiny


def main(weights_file, losses_file, parallel=""):
    if parallel:
        keras.distribution.set_distribution(keras.distribution.DataParallel())
    made = pairs.distiller(theirs=pairs.teacher(dropout=0.5))
    stored = np.load(weights_file)
    models = {"student": made.student, "teacher": made.teacher}
    for whose, model in models.items():
        for index, weight in enumerate(model.weights):
            weight.assign(stored[f"{whose}/{index}"])
    before = tiny.weights_of(made.teacher)
    made.compile(
        # Not Adam: of an embedding's gradient, whose rows come once for each
        # token, Keras on TensorFlow sums the squares; on JAX, it squares sums.
        keras.optimizers.SGD(0.01, momentum=0.9),
        loss=pairs.label_loss(),
        metrics=["accuracy"],
        jit_compile=keras.config.backend() == "jax",
    )
    inputs, labels = tiny.batch((3, 5, 2, 5) * 4), np.arange(16) % 3
    data = {"batch_size": 4, "shuffle": False, "verbose": 0}
    steps = []
    made.fit(
        inputs,
        labels,
        epochs=5,
        sample_weight=np.linspace(0.5, 1.5, 16),
        callbacks=[
            keras.callbacks.LambdaCallback(
                on_train_batch_end=lambda _, logs: steps.append(dict(logs))
            )
        ],
        validation_data=(inputs, labels),
        **data,
    )
    tiny.assert_same_weights(before, tiny.weights_of(made.teacher))
    found = {
        "backend": keras.config.backend(),
        "steps": steps,
        "evaluated": made.evaluate(
            inputs, labels, verbose=0, batch_size=4, return_dict=True
        ),
        "predicted": made.predict(inputs, verbose=0).tolist(),
        "student": [w.tolist() for w in tiny.weights_of(made.student)],
    }
    if parallel:
        found["devices"] = [
            len(v.value.sharding.device_set)
            for model in models.values()
            for v in model.variables
        ]
    elif keras.config.backend() == "jax":
        found |= jax_only(made, inputs, labels)
    with open(losses_file, "w") as file:
        json.dump(found, file)


def jax_only(made, inputs, labels):
    """How large the step's constants are, and whether the teacher is state."""
    import jax

    state = made._get_jax_state(
        trainable_variables=True,
        non_trainable_variables=True,
        optimizer_variables=True,
        metrics_variables=True,
    )
    step = jax.make_jaxpr(made.train_step)(state, (inputs, labels, None))
    constants = [np.size(c) for c in step.consts]
    variables = {id(v) for v in made.non_trainable_variables}
    # Changed weights of the teacher must count at once, as they are state.
    logs = made.evaluate(inputs, labels, verbose=0, return_dict=True)
    made.teacher.head.bias.assign(made.teacher.head.bias + 1.5 * np.eye(3)[0])
    return held(made, inputs, labels) | {
        "largest_constant": max(constants, default=0),
        "teacher_in_state": all(
            id(v) in variables for v in made.teacher.variables
        ),
        "changes": [
            logs["logits_loss"],
            made.evaluate(inputs, labels, verbose=0, return_dict=True)[
                "logits_loss"
            ],
        ],
    }


def held(made, inputs, labels):
    """What is told of a teacher's infinite logits, and whether weights moved.

    A finite teacher: its logits' kernel is too large for what it multiplies.
    """
    kernel = made.teacher.head.kernel
    finite = np.array(kernel)
    kernel.assign(np.full_like(finite, 3e38))

    def values():
        return [np.array(v) for v in (*ours, *made.optimizer.variables)]

    ours = [*made.student.variables, *made.matches[0].projections[0].variables]
    before, told = values(), ""
    try:
        made.fit(inputs, labels, batch_size=4, verbose=0)
    except ValueError as error:
        told = str(error)
    after = values()
    kernel.assign(finite)
    made.fit(inputs, labels, batch_size=4, verbose=0)
    return {
        "told": told,
        "held": all(map(np.array_equal, before, after)),
        "goes_on": not all(map(np.array_equal, before, values())),
    }


if __name__ == "__main__":
    main(*sys.argv[1:])

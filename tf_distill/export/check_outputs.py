"""Whether an export computes what the model computes.

Letters: N examples, C classes.
"""

from tf_distill.export.task import TEXT_TASKS

# Absolute, of probabilities; of scores a share of the largest.
SAVED_MODEL_TOLERANCE = 1e-4
LITERT_TOLERANCE = 1e-3


def check_outputs(outputs, logits, task, tolerance):
    """Compares what `score_in_new_process` returned with the model's logits.

    Args:
        outputs: dict of arrays of N rows, of a text classifier's export.
        logits: the model's, float `(N, C)`.
        task: "classification", "multilabel" or "regression".
        tolerance: the largest difference of a probability that is allowed; of
            a score, the largest share of the greatest score.

    Returns:
        dict of the largest difference by the output's name.

    Raises:
        ValueError: an output is further off than allowed, or NaN; or there is
            nothing to compare.

    Example:
        >>> import numpy as np
        >>> outputs = {"tokens_probabilities": np.array([[0.5, 0.5]])}
        >>> check_outputs(outputs, [[1.0, 1.0]], "classification", 1e-4)
        {'tokens_probabilities': 0.0}
    """
    import numpy as np

    if task not in TEXT_TASKS:
        raise ValueError(f"task={task!r}: expected one of {TEXT_TASKS}.")
    expected = _served(np.asarray(logits, "float64"), task)
    kind = "score" if task == "regression" else "probabilities"
    scale = max(1.0, np.abs(expected).max()) if kind == "score" else 1.0
    differences = {
        name: float(np.abs(values - expected).max() / scale)
        for name, values in outputs.items()
        if name.endswith(f"_{kind}")
    }
    if not differences:
        raise ValueError(
            f"The export of a {task} has no {kind} among {list(outputs)}: "
            "was it exported as another task?"
        )
    for name, difference in differences.items():
        if not difference <= tolerance:  # so that NaN is refused too
            raise ValueError(
                f"{name} differ from the model's by {difference:.1e}, more "
                f"than {tolerance}: do not serve this export."
            )
    return differences


def _served(logits, task):
    """Probabilities, `(N, C)`, or scores, `(N,)`."""
    import numpy as np

    if task == "regression":
        return logits.reshape(len(logits))
    if task == "multilabel":
        return 1 / (1 + np.exp(-logits))
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)

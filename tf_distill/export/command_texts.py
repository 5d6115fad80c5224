"""What `python -m tf_distill.export` scores, and calibrates int8 with."""

from tf_distill.export.glue_texts import glue_texts
from tf_distill.export.task import TEXT_TASKS, task_of

CALIBRATION_TEXTS = 400  # of --task's training texts


def command_texts(model, arguments):
    """The texts to score, and those to calibrate with, as far as asked for.

    Args:
        model: task that was read from `arguments.preset`.
        arguments: the parsed command line.

    Returns:
        dict of `tf_distill.data.Table`, by `"dev"` and `"calibration"`.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the options do not go together, or the texts are not the
            model's.
    """
    given = {
        name: getattr(arguments, name)
        for name in ("dev", "calibration")
        if getattr(arguments, name) is not None
    }
    if arguments.task is None:
        if arguments.data is not None:
            raise ValueError("--data is the folder of a --task: give both.")
        return {
            name: _table(path, model, arguments, labelled=name == "dev")
            for name, path in given.items()
        }
    if given:
        raise ValueError(
            f"--{' and --'.join(given)} beside --task, which brings its own "
            "texts: leave out one or the other."
        )
    _text_task(model, arguments)
    task, folder = arguments.task, arguments.data
    tables = {"dev": glue_texts(model, task, "dev", folder)}
    if "litert_int8" in arguments.to:
        train = glue_texts(model, task, "train", folder)
        step = -(-len(train) // CALIBRATION_TEXTS)
        tables["calibration"] = train.take(range(0, len(train), step))
    return tables


def _table(path, model, arguments, labelled):
    from tf_distill.data import read_table

    task = _text_task(model, arguments)
    names = getattr(model, "label_names", None)
    return read_table(
        path,
        arguments.text,
        second_text=arguments.second_text,
        label=arguments.label if labelled else None,
        task=task,
        label_names=names if labelled and task != "regression" else None,
    )


def _text_task(model, arguments):
    """What the labels of a text classifier are.

    Raises:
        ValueError: the model is none.
    """
    task = task_of(model)
    if task not in TEXT_TASKS:
        raise ValueError(
            f"{arguments.preset} holds a model for {task}, but --dev, "
            "--calibration and --task are of texts and labels: leave them out, "
            "and use `tf_distill.export` for int8."
        )
    return task

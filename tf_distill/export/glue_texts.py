"""Texts of GLUE for a student of one of its tasks."""


def glue_texts(model, task, split, folder=None):
    r"""Reads a task's texts, with labels in the order of a student's logits.

    A GLUE task's files name its classes otherwise than a student does (SST-2's
    0 is negative), and not all have a line of columns' names.

    Args:
        model: text classifier, saved with its `label_names`.
        task: name of a task of GLUE.
        split: `"train"` or `"dev"`, which is MNLI's matched one.
        folder: as for `tf_distill.data.read_glue`.

    Returns:
        A `tf_distill.data.Table`.

    Raises:
        FileNotFoundError: the folder does not have the file.
        ValueError: there is no such task or split, or it is not the model's.

    Example:
        >>> import pathlib, tempfile, types
        >>> model = types.SimpleNamespace(label_names=["positive", "negative"])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = pathlib.Path(folder, "SST-2", "dev.tsv")
        ...     file.parent.mkdir()
        ...     _ = file.write_text("sentence\tlabel\ngood\t1\nbad\t0")
        ...     table = glue_texts(model, "SST-2", "dev", folder)
        >>> table.labels.tolist()
        [0, 1]
    """
    from tf_distill.data import glue_task, read_glue

    task = glue_task(task)
    names = getattr(model, "label_names", None)
    if (names is None) is not task.is_regression:
        ours = "no names of classes" if names is None else f"classes {names}"
        theirs = "scores"
        if not task.is_regression:
            theirs = f"the classes {[*task.classes.values()]}"
        raise ValueError(
            f"The student has {ours}, but {task.name} has {theirs}: give the "
            "task that it was trained on, and a student that was saved with "
            "its `label_names`."
        )
    if split == "dev" and "dev_matched" in task.splits:
        split = "dev_matched"
    return read_glue(task, split, folder, label_names=names)

"""A task of GLUE, or IMDb: what the recipes that train on one share.

Copy this file and what it imports along with the recipe that you copy.

Letters in shapes: `N` rows.
"""

from text_training import TextJob, some

SCORED = "dev", "dev_matched", "dev_mismatched"


def find_task(name):
    """A task of GLUE, or IMDb's reviews as one more."""
    import tf_distill as td

    if name.lower() != "imdb":
        return td.data.glue_task(name)
    return td.data.GlueTask(
        "IMDb",
        ("text",),
        {"0": "negative", "1": "positive"},
        splits={"train": (), "dev": ()},
    )


def read_tables(config, label_names=None):
    """A task's splits, with labels in the order of a model's logits.

    Args:
        config: has `task`, `data`, `train_rows` and `smoke`.
        label_names: the model's classes, None for the task's own order.

    Returns:
        dict of `Table` by split: train, those to score, and, where their
        files are there, those without labels.
    """
    import tf_distill as td

    task = find_task(config.task)
    if "train" not in task.splits:
        raise ValueError(f"--task {task.name} has no text to train on.")
    if task.is_regression:
        label_names = None
    tables = {}
    if task.name == "IMDb":
        tables = read_imdb(config.data, label_names)
    for split in () if tables else task.splits:
        try:
            tables[split] = td.data.read_glue(
                task.name, split, config.data, label_names=label_names
            )
        except FileNotFoundError:
            if split not in task.submissions:
                raise
    if config.train_rows is not None:
        tables["train"] = some(tables["train"], config.train_rows)
    if config.smoke:
        tables = {split: some(table, 64) for split, table in tables.items()}
    return tables


def read_imdb(data, label_names):
    """IMDb's training reviews, a tenth of them as dev.

    Its test half stays untouched, for whoever measures last.
    """
    import tf_distill as td

    table = td.data.read_imdb("train", data, label_names=label_names)
    # The same split whatever the seed.
    train, dev = td.data.split_table(table, (0.9, 0.1), seed=0)
    return {"train": train, "dev": dev}


def label_names(teacher):
    """A teacher's classes in the order of its logits, from its files.

    Raises:
        ValueError: it is no fine-tuned teacher.
    """
    from tf_distill.checkpoints import read_label_names

    names = read_label_names(teacher)
    if names is None:
        raise ValueError(
            f"--teacher {teacher} is no fine-tuned classifier: give the folder "
            "`teacher` of a finished run of fine_tune_teacher.py."
        )
    return names


def read_teacher(config):
    """The fine-tuned teacher of a task, with its tokenizer.

    Raises:
        ValueError: it is not such a teacher.
    """
    import tf_distill as td

    teacher = td.models.BertTextClassifier.from_preset(config.teacher)
    task = find_task(config.task)
    expected = len(task.classes or [""])
    if teacher.num_classes != expected or teacher.preprocessor is None:
        raise ValueError(
            f"--teacher {config.teacher} has {teacher.num_classes} outputs"
            + ("" if teacher.preprocessor else " and no tokenizer")
            + f", but {task.name} needs {expected} and one: give the folder "
            "`teacher` of a run of fine_tune_teacher.py on this task."
        )
    return teacher


class Job(TextJob):
    """A task's text as batches, and the scores of models on it.

    Args:
        config: has `task`, `batch_size`, `max_length` and `seed`.
        tables: `read_tables`'.
        model: a task with a tokenizer, of which all others read the ids.
    """

    def __init__(self, config, tables, model):
        super().__init__(config, tables, model)
        self.task = find_task(config.task)
        self.scored = [split for split in SCORED if split in tables]

    def unlabelled(self, path=None):
        """Batches of text without labels: of a file, or the training text.

        Args:
            path: of a .tsv or .jsonl with the columns `text` and, for pairs,
                `second_text`; of a .txt with a text a line; or None.
        """
        import tf_distill as td

        if path is None:
            return self.batches(self.encoded["train"])
        pairs = len(self.task.columns) == 2
        table = td.data.read_table(
            path, "text", second_text="second_text" if pairs else None
        )
        if self.config.smoke:
            table = some(table, 64)
        return self.batches(self.encode(table))

    def cached(self, batches, teacher):
        """The batches with a teacher's logits in them, if there is a cache."""
        import tf_distill as td

        if self.config.cache is None:
            return batches
        cache = td.distillation.TeacherCache(
            self.config.cache, teacher, ["output"]
        )
        cache.build(batches)
        return cache.over(batches)

    def scores(self, predict, split=None):
        """A model's scores on dev, of MNLI on its matched half."""
        import tf_distill as td

        split = split or self.scored[0]
        table, found = self.tables[split], predict(split)
        if self.task.name == "IMDb":
            return {"accuracy": td.metrics.accuracy(table.labels, found)}
        return td.metrics.glue_scores(
            self.task.name, table.labels, found, label_names=table.label_names
        )

    @property
    def main_score(self):
        """The name of the task's first score."""
        return self.task.metrics[0]

"""Text classifiers: what the recipes that train them have in common.

Copy this file and what it imports along with the recipe that you copy.

Letters in shapes: `N` rows, `C` classes.
"""

from progress_line import progress, say
from run_folder import callbacks


def some(table, most):
    """At most so many rows, drawn at random but always the same ones."""
    import numpy as np

    rows = np.random.default_rng(0).permutation(len(table))[:most]
    return table.take(np.sort(rows))


class TextJob:
    """Text as batches, and what models say of it.

    Args:
        config: has `batch_size`, `max_length`, `seed` and `run`.
        tables: dict of `Table` by split, `train` among them.
        model: a text classifier with a tokenizer, of which all others read the
            ids; its `task` says what the labels are.

    Raises:
        ValueError: the model has no tokenizer, that of another model, or too
            few positions.
    """

    def __init__(self, config, tables, model):
        check_tokenizer(config, model)
        self.config = config
        self.tables = tables
        self.kind = model.task
        self.tokenizer = model.preprocessor.tokenizer
        model.preprocessor.sequence_length = config.max_length
        self.encoded = {s: self.encode(t) for s, t in tables.items()}
        for split, table in tables.items():
            say(f"{split}: {len(table)} rows of {table.path}")

    def encode(self, table):
        """A table's token ids."""
        import tf_distill as td

        length = self.config.max_length
        return td.data.encode(table, self.tokenizer, max_length=length)

    def batches(self, encoded, labels=None):
        """Batches to train on, of other text than the task's if you like."""
        import tf_distill as td

        return td.data.BucketedBatches(
            encoded,
            labels,
            batch_size=self.config.batch_size,
            seed=self.config.seed,
        )

    @property
    def train(self):
        """Labelled batches of the training text."""
        return self.batches(self.encoded["train"], self.tables["train"].labels)

    def logits(self, model):
        """A function of a split that returns a model's logits, `(N, C)`."""
        import numpy as np
        import tensorflow as tf

        import tf_distill as td

        # Keras' own `predict` would compile with XLA, anew for every length.
        token_ids = tf.TensorSpec([None, None], "int32")
        signature = dict.fromkeys(model.input, token_ids)
        call = tf.function(
            lambda inputs: model(inputs, training=False),
            input_signature=[signature],
        )

        def logits(split):
            data = td.data.BucketedBatches(
                self.encoded[split], batch_size=64, shuffle=False
            )
            found = [
                call({name: batch[name] for name in signature}).numpy()
                for (batch,) in (
                    data[i]
                    for i in progress(range(len(data)), f"scoring {split}")
                )
            ]
            return data.restore(np.concatenate(found))

        return logits

    def predictor(self, model):
        """A function of a split that returns what a model says."""
        import tf_distill as td

        logits = self.logits(model)
        return lambda split: td.metrics.text_predictions(
            self.kind, logits(split)
        )

    def scores(self, predict, split="dev"):
        """The scores of what a model says."""
        import tf_distill as td

        labels = self.tables[split].labels
        return td.metrics.text_scores(self.kind, labels, predict(split))

    def dev_scores(self, model):
        """A function without arguments that returns a model's dev scores."""
        predict = self.predictor(model)
        return lambda: self.scores(predict)


def check_tokenizer(config, model):
    """Refuses a model that cannot read text, or not so much of it."""
    if model.preprocessor is None:
        raise ValueError(
            f"{model.name} has no tokenizer. Put its vocab.txt beside it, or "
            "save its preprocessor with it: `model.save_to_preset(folder)`."
        )
    from tf_distill.export.task import ROUNDED_UP_TO

    words = len(model.preprocessor.tokenizer.get_vocabulary())
    rows = model.backbone.vocabulary_size
    if not 0 <= rows - words < ROUNDED_UP_TO:  # or no export would take it
        source = getattr(config, "teacher", None) or model.name
        raise ValueError(
            f"{source}: its tokenizer has {words} words, but its encoder "
            f"{rows}. They are not of one model; copy both from the same place."
        )
    positions = model.backbone.max_sequence_length
    if config.max_length > positions:
        raise ValueError(
            f"--max-length {config.max_length}: the model reads {positions} "
            f"tokens at most. Pass --max-length {positions}."
        )


def label_stages(job, model, epochs, learning_rate, name="labels"):
    """Fine-tuning on the labels alone, as one stage, scored on dev."""
    from tf_distill.methods.distillation_stage import adamw, label_stage
    from tf_distill.methods.labels import label_losses

    return [
        label_stage(
            name,
            model,
            job.train,
            epochs,
            adamw(learning_rate),
            **label_losses(model),
            callbacks=callbacks(job.config.run, name, job.dev_scores(model)),
        )
    ]


def total_steps(stages):
    """Steps of all stages, for a control of as many."""
    steps = 0
    for one in stages:
        one.data.start_at(0, 0)
        steps += one.epochs * len(one.data)
    return steps


def control_epochs(job, stages):
    """Epochs on labels of as many steps, or up to an epoch more."""
    return -(-total_steps(stages) // len(job.train))

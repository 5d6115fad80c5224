"""SQuAD: what the recipes that train on it have in common.

Copy this file and what it imports along with the recipe that you copy.
"""

import functools

from progress_line import say
from run_folder import callbacks
from run_report import conclude, model_row, save_model


def read_questions(config):
    """The questions to train on, and those to score."""
    import numpy as np

    import tf_distill as td

    questions = {
        split: td.data.read_squad(split, config.data, version=config.version)
        for split in ("train", "dev")
    }
    most = {"train": config.train_questions, "dev": None}
    if config.smoke:
        most = {"train": 32, "dev": 16}
    for split, number in most.items():
        # At random, but always the same ones.
        order = np.random.default_rng(0).permutation(len(questions[split]))
        rows = sorted(order[:number])
        questions[split] = [questions[split][row] for row in rows]
    return questions


@functools.cache
def answer_batches_class():
    """Made late, because its base is a class of Keras'."""
    from tf_distill.data.wrapped_batches import WrappedBatches

    class AnswerBatches(WrappedBatches):
        """Batches whose labels, `(B, 2)`, become a dict by output."""

        def __getitem__(self, index):
            inputs, labels = self.batches[index]
            return inputs, {"start": labels[:, 0], "end": labels[:, 1]}

    return AnswerBatches


class Job:
    """SQuAD's windows as batches, and the scores of models on them.

    Args:
        config: has `batch_size`, `max_length`, `doc_stride`, `seed`.
        questions: `read_questions`'.
        tokenizer: of all models.
    """

    def __init__(self, config, questions, tokenizer):
        import tf_distill as td

        self.config, self.questions = config, questions
        self.windows = {
            split: td.data.squad_windows(
                found,
                tokenizer,
                max_length=config.max_length,
                doc_stride=config.doc_stride,
            )
            for split, found in questions.items()
        }
        for split, windows in self.windows.items():
            say(
                f"{split}: {len(questions[split])} questions, {len(windows)} "
                "windows."
            )

    @property
    def train(self):
        """Labelled batches of windows."""
        import tf_distill as td

        windows = self.windows["train"]
        return answer_batches_class()(
            td.data.BucketedBatches(
                windows.encoded,
                windows.labels,
                batch_size=self.config.batch_size,
                seed=self.config.seed,
            )
        )

    def answers(self, model):
        """A function without arguments: a model's answers on dev, by id."""
        import tensorflow as tf

        import tf_distill as td

        windows = self.windows["dev"]
        data = td.data.BucketedBatches(
            windows.encoded, batch_size=32, shuffle=False
        )
        matrix = tf.TensorSpec([None, None], "int32")

        @tf.function(input_signature=[dict.fromkeys(model.input, matrix)])
        def predict(inputs):
            return model(inputs, training=False)

        def answer():
            logits = {"start": [None] * len(windows), "end": []}
            logits["end"] = [None] * len(windows)
            for step in range(len(data)):
                (inputs,) = data[step]
                found = predict({name: inputs[name] for name in model.input})
                for name, own in logits.items():
                    for row, values in zip(
                        data.rows(step), found[name].numpy(), strict=True
                    ):
                        own[row] = values
            best = td.metrics.best_answers(
                windows, logits["start"], logits["end"]
            )
            none = self.config.version == "2.0"
            return {
                name: found.text_or_none() if none else found.text
                for name, found in best.items()
            }

        return answer

    def scorer(self, answer):
        """A function without arguments that scores what answers."""
        import tf_distill as td

        return lambda: td.metrics.squad_scores(self.questions["dev"], answer())


def label_stage(job, model, epochs, learning_rate, score):
    """Fine-tuning on the answers alone."""
    from tf_distill.methods import distillation_stage as stages
    from tf_distill.methods.labels import label_losses

    return stages.label_stage(
        "labels",
        model,
        job.train,
        epochs,
        stages.adamw(learning_rate),
        **label_losses(model),
        callbacks=callbacks(job.config.run, "labels", score),
    )


def score_and_conclude(job, models, settings, summary):
    """Scores all models, writes answers and the report.

    Args:
        job: `Job`.
        models: dict of tasks by role: teacher, student, control.
        settings: dict of all that the scores depend on.
        summary: for the model card.
    """
    import json

    from tf_distill.export.publish import publish_file

    run, rows, answers = job.config.run, [], {}
    for role, model in models.items():
        answers[role] = job.answers(model)()
        scores = job.scorer(lambda role=role: answers[role])()
        row = model_row(role, role, model, job.config.max_length)
        rows.append({**row, **scores})
        if role == [name for name in models if name != "control"][-1]:
            save_model(model, run / role)
    for row in rows:
        best = rows[0]["f1"]
        row["retained"] = row["f1"] / best if best else None
    publish_file(run / "answers.json", json.dumps(answers, indent=1).encode())
    settings = {
        **settings,
        "control": "control" in models,
        "questions": {s: len(q) for s, q in job.questions.items()},
    }
    card = {
        "summary": summary,
        "data": "SQuAD, CC BY-SA 4.0; the scores are those on its dev split.",
        "limits": "A research model; its answers are passages, not facts.",
        "pipeline_tag": "question-answering",
    }
    conclude(run, settings, rows, score="f1", card=card)


def read_model(preset, option, *, new_head=False):
    """A question answering model on an encoder of BERT or DistilBERT.

    Args:
        preset: a folder, a handle or a KerasHub preset.
        option: the name of the option that it came by.
        new_head: bool, whether it may come without a head, to get a new one.
    """
    import json
    import pathlib
    import warnings

    import tf_distill as td

    config, kind = pathlib.Path(preset, "config.json"), preset
    if config.exists():
        config = json.loads(config.read_text())
        kind = config.get("registered_name") or config.get("model_type") or ""
    kind = kind.lower().replace("_", "").replace("-", "")
    cls = td.models.BertQuestionAnswering
    if "distilbert" in kind:
        cls = td.models.DistilBertQuestionAnswering
    elif "mobilebert" in kind:
        cls = td.models.MobileBertQuestionAnswering
    mend = "give the folder `teacher` of a run of fine_tune_squad.py."
    new = td.models.NewHeadWarning
    with warnings.catch_warnings():
        warnings.simplefilter("ignore" if new_head else "error", new)
        try:
            model = cls.from_preset(preset)
        except new:
            raise ValueError(
                f"{option} {preset} has no head for answers: {mend}"
            ) from None
    if model.preprocessor is None:
        raise ValueError(f"{option} {preset} has no tokenizer: {mend}")
    return model

"""Training and scores on GLUE: what the recipes of its tasks have in common.

Copy this file and what it imports along with the recipe that you copy.
"""

from progress_line import say
from run_folder import train
from run_report import conclude, model_row, save_model
from text_training import control_epochs, label_stages


def score_and_conclude(job, models, settings, card):
    """Scores all models, writes predictions, submissions and the report.

    Args:
        job: `Job`.
        models: dict of tasks by role: teacher, student, control.
        settings: dict of all that the scores depend on.
        card: dict of `summary` and `limits` of the model card.
    """
    import numpy as np

    import tf_distill as td

    run, rows, predictions = job.config.run, [], {}
    for role, model in models.items():
        predict = job.predictor(model)
        row = {**model_row(role, role, model, 128)}
        for split in job.scored:
            found = predictions[f"{split}/{role}"] = predict(split)
            scores = job.scores(lambda _, found=found: found, split)
            if split == job.scored[0]:
                row.update(scores)
            else:
                more = {f"{split}_{k}": v for k, v in scores.items()}
                row.update(more)
        rows.append(row)
        best = list(models)[-1] if "student" not in models else "student"
        if role == best:
            save_model(model, run / role)
            for split in job.task.submissions:
                if split in job.tables:
                    td.data.write_glue_submission(
                        run / "submission",
                        job.task.name,
                        split,
                        job.tables[split],
                        predict(split),
                    )
    for row in rows:
        row["retained"] = retained(job.task, row, rows[0])
    for split in job.scored:
        predictions[f"{split}/labels"] = job.tables[split].labels
    np.savez(run / "predictions.npz", **predictions)
    card = {
        "data": f"{job.task.name}; the scores are those on its dev split. See "
        "https://gluebenchmark.com for GLUE's sources and terms.",
        "limits": "A research model of one task; not for decisions about "
        "people.",
        **card,
    }
    names = job.tables[job.scored[0]].label_names
    rows_of = {split: len(table) for split, table in job.tables.items()}
    settings = {
        **settings,
        "task": job.task.name,
        "control": "control" in models,
        "scored_on": job.scored,
        "label_names": names,
        "rows": rows_of,
    }
    conclude(run, settings, rows, score=job.main_score, card=card)


def retained(task, row, teacher):
    """The share of a teacher's score that is kept; None of a useless one."""
    ours, theirs = (
        sum(r[name] for name in task.metrics) / len(task.metrics)
        for r in (row, teacher)
    )
    return ours / theirs if theirs > 0 and ours == ours else None


def train_and_conclude(
    job, teacher, student, stages, build, learning_rate, settings, summary
):
    """Trains a student and perhaps its control, scores them and reports.

    Args:
        job: `Job`.
        teacher, student: classifiers.
        stages: those that train the student.
        build: function that builds the student anew with the same first
            weights, for a control of as many steps on labels; or None.
        learning_rate: float, the control's.
        settings: `identity`'s.
        summary: what was done, for the model card.
    """
    config = job.config
    common = {"seed": config.seed, "settings": settings["sha256"]}
    train(config.run, "student", stages, **common)
    models = {"teacher": teacher, "student": student}
    if build is not None:
        epochs = control_epochs(job, stages)
        models["control"] = build()
        say(f"The control, which learns the labels alone: {epochs} epochs.")
        more = label_stages(job, models["control"], epochs, learning_rate)
        train(config.run, "control", more, **common)
    card = {"summary": f"{summary}. Teacher: {config.teacher}."}
    score_and_conclude(job, models, settings, card)

"""What a finished run leaves: the model, its results, log, picture and card.

Copy this file along with the recipe that you copy.
"""

import csv
import json
import pathlib
import sys


def finished(run, *, control=False):
    """Whether a run folder has all that a command asks for."""
    results = pathlib.Path(run, "results.json")
    if not results.exists():
        return False
    done = json.loads(results.read_text())["config"]
    return done.get("control", False) or not control


def save_model(model, folder):
    """Saves a task as a Keras preset, whole or not at all, once."""
    import tf_distill as td
    from tf_distill.export.publish import publish_folder

    if not pathlib.Path(folder).exists():
        model.compile()  # forgets its optimizer, which would be saved too
        publish_folder(folder, td.export.as_float32(model).save_to_preset)


def model_row(name, role, model, length=128):
    """What a table says of a model beside its scores."""
    import tf_distill as td

    length = min(length, model.backbone.max_sequence_length)
    parameters = td.benchmark.count_parameters(model)
    return {
        "name": name,
        "role": role,
        "parameters": parameters,
        "flops": td.benchmark.count_flops(td.export.as_float32(model), length),
        "bytes": 4 * parameters,
    }


def histories(run):
    """The `history.csv` of every stage, in order, by "model, stage"."""
    found = {}
    for folder in sorted(pathlib.Path(run, "stages").glob("*/*-*")):
        stage = folder.name.split("-", 1)[1]
        if (folder / "history.csv").exists():
            found[f"{folder.parent.name}, {stage}"] = folder / "history.csv"
    return found


def write_log(run):
    """Writes log.csv: every epoch of every stage of every model."""
    rows = []
    for name, path in histories(run).items():
        model, stage = name.split(", ")
        with open(path, newline="") as file:
            for row in csv.DictReader(file):
                row["epoch"] = int(row["epoch"]) + 1
                rows.append({"model": model, "stage": stage, **row})
    names = dict.fromkeys(key for row in rows for key in row)
    partial = pathlib.Path(run, ".log.csv.partial")
    with open(partial, "w", newline="") as file:
        writer = csv.DictWriter(file, list(names))
        writer.writeheader()
        writer.writerows(rows)
    partial.replace(pathlib.Path(run, "log.csv"))


def conclude(run, config, rows, *, score, card):
    """Writes log, picture, model card and, last, the results.

    Args:
        run: the run folder.
        config: dict: the settings and all else that the scores depend on.
        rows: list of a dict for each model.
        score: key of the rows to draw by epoch.
        card: dict of `summary`, `data` and `limits`, and perhaps a `name`; of
            what is no text classifier, its `pipeline_tag`.
    """
    import tf_distill as td
    from tf_distill.benchmark import report

    run = pathlib.Path(run)
    config = {
        "length_of_flops": 128,
        **config,
        "command": " ".join(["python", *sys.argv]),
        "machine": td.benchmark.describe_machine(),
    }
    write_log(run)
    report.plot_curves(run / "curves.png", histories(run), f"val_{score}")
    card = {"name": run.name, "licence": "other", **card}
    td.export.model_card(run / "README.md", rows=rows, config=config, **card)
    # Last, because it says that the run is finished.
    report.write_results(run / "results.json", config, rows)


def show(run):
    """Prints a finished run's table, and where its results are."""
    from tf_distill.benchmark import report

    results = json.loads(pathlib.Path(run, "results.json").read_text())
    report.print_table(results["rows"])
    print(pathlib.Path(run, "results.json"))

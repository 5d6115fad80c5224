"""A model card: what a model is, how good, how fast, and what it is not."""

import json

from tf_distill.export.columns import SCORES, markdown_table, used
from tf_distill.export.publish import publish_file


def model_card(
    path,
    *,
    name,
    summary,
    rows,
    config,
    licence,
    data,
    limits,
    pipeline_tag="text-classification",
):
    """Writes a Markdown model card with the header that model hubs read.

    Args:
        path: where to write, usually "README.md" beside the model.
        name: the model's name.
        summary: a sentence or two: what goes in, what comes out, of what it
            is a student.
        rows: list of dicts, one a model, of a results.json: `name`,
            `accuracy`, `macro_f1`, `retained_accuracy`, … What no row has
            gets no column.
        config: dict that JSON can hold: how the model was made.
        licence: SPDX name, for example "apache-2.0".
        data: what it was trained and tested on, with the data's licence.
        limits: what it was not made for.
        pipeline_tag: what model hubs file it under, such as
            "question-answering", "fill-mask" or "feature-extraction"; None
            where nothing fits.

    Returns:
        The path.

    Raises:
        ValueError: the folder cannot be written to.

    Example:
        >>> import pathlib, tempfile
        >>> path = model_card(
        ...     pathlib.Path(tempfile.mkdtemp(), "README.md"), name="tiny",
        ...     summary="Tweets in.", rows=[{"name": "tiny", "accuracy": 0.7}],
        ...     config={"seed": 1}, licence="mit", data="Tweets.",
        ...     limits="English only.")
        >>> "| tiny | 70.00% |" in path.read_text()
        True
    """
    metrics = [column.key for column in used(SCORES, rows)]
    for prefix in ("macro_", "masked_lm_"):  # hubs know the plain names
        metrics = [metric.removeprefix(prefix) for metric in metrics]
    header = [
        "---",
        f"license: {json.dumps(licence)}",
        "library_name: keras",
        *([f"pipeline_tag: {pipeline_tag}"] if pipeline_tag else []),
        "tags: [keras, tensorflow, bert, knowledge-distillation]",
        f"metrics: {json.dumps(metrics)}",
        "---",
    ]
    settings = json.dumps(config, indent=2, ensure_ascii=False, default=str)
    body = [
        f"# {name}",
        summary,
        "## Results",
        markdown_table(rows),
        "## Data",
        data,
        "## Limits",
        limits,
        "## How it was made",
        f"```json\n{settings}\n```",
        "## Licence",
        licence,
    ]
    card = "\n".join(header) + "\n\n" + "\n\n".join(body) + "\n"
    return publish_file(path, card.encode())

"""A model card: what a model is, how good, how fast, and what it is not."""

import json

from tf_distill.export.publish import publish_file

COLUMNS = (
    ("name", "model", "{}", 1),
    ("accuracy", "accuracy", "{:.4f}", 1),
    ("macro_f1", "macro-F1", "{:.4f}", 1),
    ("pearson", "Pearson's r", "{:.4f}", 1),
    ("retained_accuracy", "accuracy kept", "{:.1%}", 1),
    ("retained_macro_f1", "macro-F1 kept", "{:.1%}", 1),
    ("retained_pearson", "r kept", "{:.1%}", 1),
    ("parameters", "parameters, M", "{:.2f}", 1e6),
    ("flops", "GFLOPs", "{:.3f}", 1e9),
    ("bytes", "size, MB", "{:.2f}", 1e6),
    ("latency_ms", "latency, ms", "{:.2f}", 1),
)


def model_card(path, *, name, summary, rows, config, licence, data, limits):
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
        >>> "| tiny | 0.7000 |" in path.read_text()
        True
    """
    metrics = [
        key
        for key, *_ in COLUMNS[1:4]
        if any(row.get(key) is not None for row in rows)
    ]
    header = [
        "---",
        f"license: {json.dumps(licence)}",
        "library_name: keras",
        "pipeline_tag: text-classification",
        "tags: [keras, tensorflow, bert, knowledge-distillation]",
        f"metrics: {json.dumps([metric.split('_')[-1] for metric in metrics])}",
        "---",
    ]
    settings = json.dumps(config, indent=2, ensure_ascii=False, default=str)
    body = [
        f"# {name}",
        summary,
        "## Results",
        _table(rows),
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


def _table(rows):
    used = [
        column
        for column in COLUMNS
        if any(row.get(column[0]) is not None for row in rows)
    ]
    lines = [[title for _, title, *_ in used]]
    lines.append(["---" if key == "name" else "---:" for key, *_ in used])
    for row in rows:
        lines.append([_cell(row.get(key), *how) for key, _, *how in used])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(value, form, unit):
    if value is None:
        return ""
    number = value if isinstance(value, str) else value / unit
    # A bar would end the cell.
    return form.format(number).replace("|", r"\|")

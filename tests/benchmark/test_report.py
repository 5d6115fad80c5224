import json
import sys

import pytest

from tf_distill import metrics
from tf_distill.benchmark import report

SCORES = ("accuracy", "macro_f1")
ROWS = [
    {
        "name": "teacher",
        "role": "teacher",
        "accuracy": 0.8123,
        "retained_accuracy": None,
        "parameters": 109_482_240,
        "latency_ms": 150.239,
    },
    {
        "name": "thin",
        "role": "student",
        "accuracy": 0.79,
        "retained_accuracy": 0.97253,
        "parameters": 14_350_248,
        "latency_ms": 9.81,
    },
]


def cells(line):
    return [
        cell.strip() for cell in line.strip("┃│").replace("┃", "│").split("│")
    ]


def test_table(capsys):
    report.print_table(ROWS)
    lines = capsys.readouterr().out.splitlines()
    titles = zip(cells(lines[1]), cells(lines[2]), strict=True)
    assert [f"{above} {below}".strip() for above, below in titles] == [
        "model",
        "accuracy",
        "accuracy kept",
        "parameters, M",
        "latency, ms",
    ]
    assert ["teacher", "81.23%", "", "109.48", "150.24"] in map(cells, lines)
    assert ["thin", "79.00%", "97.3%", "14.35", "9.81"] in map(cells, lines)


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_a_row_of_everything_is_not_cut_off(capsys, task):
    others = ("pearson", "retained_pearson")
    if task == "regression":
        others = [f"{k}{s}" for k in ("", "retained_") for s in SCORES]
    keys = [c.key for c in report.COLUMNS[1:] if c.key not in others]
    row = {"name": "student-control", "role": "control"}
    report.print_table([{**row, **dict.fromkeys(keys, 0.99995)}])
    output = capsys.readouterr().out
    assert "…" not in output
    assert len(output.splitlines()) == 6  # none is folded into a second line


def test_results_round_trip(tmp_path):
    report.write_results(tmp_path / "results.json", {"seed": 1}, ROWS)
    written = json.loads((tmp_path / "results.json").read_text())
    assert written == {"config": {"seed": 1}, "rows": ROWS}


@pytest.mark.parametrize(
    "package,use",
    [
        ("rich", lambda folder: report.print_table(ROWS)),
        (
            "matplotlib",
            lambda folder: report.plot_quality_against_latency(
                folder / "picture.png", ROWS, "accuracy"
            ),
        ),
        ("sklearn", lambda folder: metrics.accuracy([1], [1])),
        ("sklearn", lambda folder: metrics.macro_f1([1], [1])),
    ],
)
def test_what_is_not_installed_is_named_with_its_extra(
    monkeypatch, tmp_path, package, use
):
    for module in [m for m in sys.modules if m.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ModuleNotFoundError) as error:
        use(tmp_path)
    assert str(error.value) == (
        f'{package} is not installed: pip install -e ".[recipes]" in the clone '
        "of tf_distill"
    )
    assert list(tmp_path.iterdir()) == []

import itertools

import matplotlib.figure
import matplotlib.text

from tf_distill.benchmark import report
from tf_distill.benchmark.point_names import name_points

# As a quickstart found them: three at one score within a millisecond.
SCORES = {
    "teacher": (13.8, 0.792),
    "half": (7.95, 0.780),
    "half-control": (7.79, 0.7775),
    "thin": (7.44, 0.7636),
    "thin-control": (7.13, 0.7538),
    "SavedModel": (7.5, 0.780),
    "LiteRT": (6.85, 0.780),
    "LiteRT int8": (2.34, 0.779),
}


def drawn(points):
    figure = matplotlib.figure.Figure(figsize=(5.5, 4), layout="constrained")
    axis = figure.subplots()
    axis.scatter(*zip(*points.values(), strict=True))
    axis.margins(0.2)
    axis.set_xscale("log")
    names = name_points(axis, [(n, *point) for n, point in points.items()])
    assert [name.get_text() for name in names] == list(points)
    figure.draw_without_rendering()
    return axis, names


def boxes(names):
    """Where the letters came to stand, without the lines."""
    write = matplotlib.text.Text.get_window_extent
    return [write(name) for name in names]


def test_no_name_covers_another_or_a_point():
    for points in (
        SCORES,
        {name: (5 + y, y) for name, (_, y) in SCORES.items()},
    ):
        axis, names = drawn(points)
        found = boxes(names)
        for one, other in itertools.combinations(found, 2):
            assert not one.overlaps(other)
        marks = axis.transData.transform(list(points.values()))
        for box in found:
            assert not any(box.contains(*mark) for mark in marks)
            assert axis.bbox.x0 <= box.x0 and box.x1 <= axis.bbox.x1
            assert axis.bbox.y0 <= box.y0 and box.y1 <= axis.bbox.y1


def test_a_name_alone_stands_beside_its_point():
    axis, (name,) = drawn({"alone": (3.0, 0.5)})
    (box,) = boxes([name])
    x, y = axis.transData.transform((3.0, 0.5))
    assert 0 < box.x0 - x < 12 and box.y0 < y + 6 < box.y1
    assert name.arrow_patch is None


def test_ticks_and_titles(tmp_path, monkeypatch):
    figures = []
    monkeypatch.setattr(report, "_save", lambda f, path: figures.append(f))
    log = tmp_path / "log.csv"
    log.write_text("epoch,loss,val_macro_f1\n0,1.5,0.5\n")
    report.plot_curves(tmp_path / "a.png", {"half": log}, "val_macro_f1")
    for scale in (1, 0.001, 40):  # of the last, from 2 µs to 90 ms
        rows = [
            {"name": n, "role": "student", "macro_f1": y, "latency_ms": x}
            for n, (x, y) in SCORES.items()
        ]
        rows[-1]["latency_ms"] *= scale
        report.plot_quality_against_latency(tmp_path / "b.png", rows)
    curves, *scatters = figures
    curves.draw_without_rendering()
    for axis in curves.axes:
        low, high = axis.get_xlim()
        assert [x for x in axis.get_xticks() if low <= x <= high] == [1]
    assert curves.axes[1].get_title() == "dev macro-F1"
    for figure in scatters:
        (axis,) = figure.axes
        assert axis.get_ylabel() == "macro-F1"
        figure.draw_without_rendering()
        labels = [label.get_window_extent() for label in axis.get_xticklabels()]
        assert len(labels) >= 3 and not len(axis.get_xticks(minor=True))
        for one, other in itertools.pairwise(labels):
            assert one.x1 < other.x0
        low, high = axis.get_xlim()
        assert all(low <= tick <= high for tick in axis.get_xticks())

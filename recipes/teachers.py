"""A teacher of the user's own, and whether its classes are the text's.

Copy this file and run_folder.py along with the recipe that you copy.
"""

import dataclasses
import pathlib
import re

from run_folder import say


@dataclasses.dataclass(frozen=True)
class Head:
    """What becomes of a teacher's head.

    Args:
        label_names: the text's classes in the order of the logits, None for a
            score.
        new: whether it gets a random one.
        fine_tune: whether the teacher is to be fine-tuned.
        order_assumed: whether the teacher does not name its classes.
    """

    label_names: tuple | None
    new: bool = False
    fine_tune: bool = False
    order_assumed: bool = False

    @property
    def outputs(self):
        """Their number."""
        return len(self.label_names or [""])


def match_head(config, found):
    """Compares the classes of the text with those of the teacher's head.

    Logits have no names, so this is where a student would silently learn
    that good is bad. Before the teacher is loaded: from its JSON files.

    Args:
        config: has `teacher`, `train`, `label`, `task` and
            `fine_tune_teacher`.
        found: the text's classes, None for a score.

    Returns:
        `Head`.

    Raises:
        ValueError: the head is of other classes.
    """
    from tf_distill.checkpoints import read_label_names

    theirs, fine_tune = (
        read_label_names(config.teacher),
        config.fine_tune_teacher,
    )
    if theirs is None:
        fine_tune = fine_tune is not False
        remote = config.teacher.startswith("hf://")
        if not fine_tune and (remote or pathlib.Path(config.teacher).is_dir()):
            raise ValueError(
                f"--teacher {config.teacher} has no head for {config.task}, so "
                "it must be fine-tuned first: leave out --fine-tune-teacher."
            )
        return Head(found, new=fine_tune, fine_tune=fine_tune)
    names = _in_order_of(theirs, found)
    unnamed = all(re.fullmatch(r"(LABEL_)?\d+", name) for name in theirs)
    if names is not None or (found is None and len(theirs) == 1):
        return Head(names, fine_tune=bool(fine_tune))
    if unnamed and found is not None and len(found) == len(theirs):
        return Head(found, fine_tune=bool(fine_tune), order_assumed=True)
    if fine_tune:
        return Head(found, new=True, fine_tune=True)
    data = "a score" if found is None else f"{len(found)} classes {list(found)}"
    raise ValueError(
        f"{config.train}, column {config.label!r} has {data}, but the head of "
        f"--teacher {config.teacher} has {len(theirs)} outputs {theirs}. Use "
        "the teacher's names in the file, choose another --label or --task, or "
        "pass --fine-tune-teacher True to train a new head."
    )


def _in_order_of(theirs, found):
    """The text's classes in the teacher's order; None if they are others."""
    from tf_distill.data.class_order import order_classes

    try:
        ordered = order_classes({name: name for name in found or ()}, theirs)
    except ValueError:
        return None
    return tuple(ordered) or None


def read_teacher(config, head, dtype):
    """The teacher, with the text's names of its classes.

    Raises:
        ValueError: it has other outputs than the text needs.
    """
    import tf_distill as td

    new = {"num_classes": head.outputs} if head.new else {}
    say(f"Reading {config.teacher}" + (", with a new head." if new else "."))
    teacher = td.models.BertTextClassifier.from_preset(
        config.teacher, dtype=dtype, **new
    )
    if teacher.num_classes != head.outputs:
        raise ValueError(
            f"--teacher {config.teacher} has {teacher.num_classes} outputs, "
            f"but {config.train} needs {head.outputs}: {head.label_names}. "
            "Pass --fine-tune-teacher True to train a new head."
        )
    # Its students and their exports have both from it.
    teacher.task = config.task
    teacher.label_names = head.label_names and list(head.label_names)
    return teacher


def show_teacher(head, scores):
    """Says how good the teacher is as it came, and why it might not be."""
    scores = ", ".join(f"{name} {value:.4f}" for name, value in scores.items())
    say(f"teacher, as it came: {scores} on dev.")
    if head.order_assumed:
        say(
            "Its classes have no names: they were taken to be in the order "
            f"{list(head.label_names)}. If its scores are poor, they are not; "
            "pass --fine-tune-teacher True then."
        )

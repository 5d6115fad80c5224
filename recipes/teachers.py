"""A teacher of the user's own, and whether its classes are the text's.

Copy this file and what it imports along with the recipe that you copy.
"""

import dataclasses
import pathlib
import re

from progress_line import say


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
        `Head`. A text without some of the teacher's classes has them all, in
        its order, as its student has.

    Raises:
        ValueError: the head is of other classes.
        FileNotFoundError: the teacher is a folder that is not there.
    """
    from tf_distill.checkpoints import read_label_names

    _check_place(config.teacher)
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
    some = _of_some(theirs, found)
    # Where a text may have several, a class that none has may be unknown; and
    # numbers from 0 are any model's.
    if some and not unnamed and config.task == "classification":
        missing = [name for name in some if name not in found]
        say(
            f"{config.train} has no {missing}: the student keeps these classes."
        )
        return Head(some)
    raise ValueError(_others(config, found, theirs, unnamed, some))


def _check_place(teacher):
    """Refuses, before anything is loaded, a folder that is not there."""
    if "://" in teacher or not re.search(r"[/\\.]", teacher):
        return  # a handle, or the name of a preset
    if not pathlib.Path(teacher).is_dir():
        raise FileNotFoundError(
            f"--teacher {teacher}: there is no such folder. Check the path; a "
            f"model of the Hub is hf://{teacher.lstrip('./')}."
        )


def _others(config, found, theirs, unnamed, some):
    """What to say of a head of other outputs than the text has classes."""
    data = "a score" if found is None else f"{len(found)} classes {list(found)}"
    mend = "Use the teacher's names in the file, choose another --label or"
    if found is None:
        mend = "Leave out --task regression, choose another teacher or"
    elif unnamed:
        mend = (
            "Its outputs have no names, so which are the file's cannot be told:"
            ' name them in its config.json ("id2label") or task.json '
            '("label_names"), choose another --label or'
        )
    elif some is not None:
        mend = "These are not all of the teacher's: use texts of all, another"
    return (
        f"{config.train}, column {config.label!r} has {data}, but the head of "
        f"--teacher {config.teacher} has {len(theirs)} outputs {theirs}. "
        f"{mend} --task, or pass --fine-tune-teacher True to train a new head."
    )


def _in_order_of(theirs, found):
    """The text's classes in the teacher's order; None if they are others."""
    names = _of_some(theirs, found)
    return names if names and len(names) == len(found) else None


def _of_some(theirs, found):
    """All of the teacher's classes, in its order; the text's as it spells them.

    None if the text has another.
    """
    from tf_distill.data.class_order import spelling

    ours = {spelling(name): name for name in found or ()}
    keys = [spelling(name) for name in theirs]
    unique = len(ours) == len(found or ()) and len(set(keys)) == len(keys)
    if not ours or not unique or not ours.keys() <= set(keys):
        return None
    return tuple(
        ours.get(key, name) for key, name in zip(keys, theirs, strict=True)
    )


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

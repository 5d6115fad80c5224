"""Scores, and how sure one can be of a difference between two."""

from tf_distill.metrics.classification import accuracy, macro_f1
from tf_distill.metrics.glue import GLUE_MEANS, glue_mean, glue_scores
from tf_distill.metrics.intervals import paired_interval
from tf_distill.metrics.squad import (
    best_no_answer_threshold,
    normalise_answer,
    squad_scores,
)
from tf_distill.metrics.squad_answers import SquadAnswer, best_answers
from tf_distill.metrics.text_scores import text_predictions, text_scores

__all__ = [
    "GLUE_MEANS",
    "SquadAnswer",
    "accuracy",
    "best_answers",
    "best_no_answer_threshold",
    "glue_mean",
    "glue_scores",
    "macro_f1",
    "normalise_answer",
    "paired_interval",
    "squad_scores",
    "text_predictions",
    "text_scores",
]

"""What the papers train with and Keras lacks."""

from tf_distill.optimizers.adamw import AdamW
from tf_distill.optimizers.lamb import Lamb
from tf_distill.optimizers.multipliers import with_multipliers
from tf_distill.optimizers.schedules import (
    PhaseSchedule,
    ScaledSchedule,
    WarmupLinearDecay,
)

__all__ = [
    "AdamW",
    "Lamb",
    "PhaseSchedule",
    "ScaledSchedule",
    "WarmupLinearDecay",
    "with_multipliers",
]

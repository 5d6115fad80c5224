"""Which losses a match can have, and of which signals."""

import keras

from tf_distill import losses
from tf_distill.distillation.teachers import role_of


def check_loss(loss, name):
    """Raises unless a match can take a loss' value of every example.

    Args:
        loss: what the match was given.
        name: the match's, for messages.

    Raises:
        ValueError: it is no loss of signals, or has a reduction of its own.
    """
    if not isinstance(loss, losses.DistillationLoss):
        named = {name: getattr(losses, name) for name in losses.__all__}
        known = ", ".join(
            f"{name}()"
            for name, cls in named.items()
            if isinstance(cls, type)
            and issubclass(cls, losses.DistillationLoss)
            and cls is not losses.DistillationLoss
        )
        raise ValueError(
            f"The match {name!r} got the loss {loss!r}, but needs a "
            f"`tf_distill.losses.DistillationLoss`: {known}, or a subclass of "
            "your own."
        )
    if loss.reduction != keras.losses.Loss().reduction:
        raise ValueError(
            f"The match {name!r} got a loss with reduction "
            f"{loss.reduction!r}, which it would not use: the Distiller takes "
            "the mean over the examples. Leave out `reduction`, and scale the "
            "term with `weight`."
        )


def check_signals_for(loss, pairs, name):
    """Raises where a loss would take signals for what they are not.

    Args:
        loss: a `DistillationLoss`.
        pairs: list of pairs of signal names.
        name: the match's, for messages.

    Raises:
        ValueError: `AttentionKL` of distributions, of which it would take the
            softmax again. Their shape is that of scores.
    """
    if not isinstance(loss, losses.AttentionKL):
        return
    for signal in (signal for pair in pairs for signal in pair):
        if role_of(signal) == "attention_distributions":
            raise ValueError(
                f"The match {name!r} gives {signal!r} to AttentionKL, which "
                "takes scores and would apply the softmax twice: match "
                "'attention_scores', or compare distributions by their "
                "squared difference, AttentionMSE."
            )

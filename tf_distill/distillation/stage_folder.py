"""The files of one stage: its checkpoints, then its result."""

import csv
import io
import os
import re
import warnings

from tf_distill.distillation.stage_settings import differences
from tf_distill.distillation.training_state import (
    DamagedFileError,
    checksum,
    read_state,
    write_state,
)
from tf_distill.whole_file import delete_unfinished, write_whole

_CHECKPOINT = re.compile(r"epoch-(\d+)-step-(\d+)\.npz")


class StageFolder:
    """Keeps the newest checkpoints and the best, falls back past damaged ones.

    Args:
        path: `pathlib.Path`; made if it is missing.
        keep: int, how many of the newest checkpoints to keep.

    Raises:
        ValueError: none is to be kept.
    """

    def __init__(self, path, keep):
        if keep < 1:
            raise ValueError(
                f"`keep` is {keep}, but a run goes on from the newest "
                "checkpoint: keep 1 at least."
            )
        self.path = path
        self.keep = keep
        self.settings = {}
        path.mkdir(parents=True, exist_ok=True)
        delete_unfinished(path)

    @property
    def is_finished(self):
        """Whether the stage's result has been written."""
        return self._result.exists()

    @property
    def _result(self):
        return self.path / "finished.npz"

    def read_result(self):
        """The stage's result, as `read_state` returns it.

        Raises:
            ValueError: it is damaged, or of other settings.
        """
        try:
            return self._checked(*read_state(self._result))
        except DamagedFileError as error:
            raise ValueError(
                f"The result of a finished stage is damaged: {error}. Restore "
                "it from a backup, or delete its folder and those of the "
                "stages after it to train them again."
            ) from None

    def read_newest(self):
        """The newest whole checkpoint, or None.

        Raises:
            ValueError: it was written with other settings.
        """
        for path in reversed(self._checkpoints()):
            try:
                return self._checked(*read_state(path))
            except DamagedFileError as error:
                warnings.warn(
                    f"A damaged checkpoint is left out, {error}; training goes "
                    "on from the one before, or from the beginning.",
                    stacklevel=4,
                )
        return None

    def read_epoch(self, epoch):
        """The checkpoint of an epoch's beginning, or None if it is damaged."""
        try:
            return self._checked(*read_state(self._checkpoint(epoch, 0)))
        except DamagedFileError as error:
            warnings.warn(
                f"The best checkpoint is damaged, {error}; the stage ends with "
                "its last weights.",
                stacklevel=4,
            )
            return None

    def write(self, state, header, best_epoch=None):
        """Writes a checkpoint, and deletes those no longer kept.

        Args:
            state: dict of arrays.
            header: dict with `epoch` and `step`, how much is done.
            best_epoch: the epoch at whose beginning the weights were best.
        """
        path = self._checkpoint(header["epoch"], header["step"])
        write_state(path, state, {**header, "settings": self.settings})
        kept = [*self._checkpoints()[-self.keep :], path]
        if best_epoch is not None:
            kept.append(self._checkpoint(best_epoch, 0))
        self._delete_all_but(kept)

    def finish(self, state, history):
        """Writes the stage's result, and deletes its checkpoints."""
        header = {
            "history": history,
            "settings": self.settings,
            "checksum": checksum(state),
        }
        write_state(self._result, state, header)
        self._delete_all_but([])
        return header

    def write_history(self, history):
        """Writes `history.csv`, a row an epoch, as `CSVLogger` does."""
        names = dict.fromkeys(name for logs in history for name in logs)
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, ["epoch", *names])
        writer.writeheader()
        for epoch, logs in enumerate(history):
            writer.writerow({"epoch": epoch, **logs})
        write_whole(self.path / "history.csv", text.getvalue().encode())

    def _checked(self, state, header):
        found = differences(header["settings"], self.settings)
        if found:
            more = f", and {len(found) - 5} more" if len(found) > 5 else ""
            raise ValueError(
                f"{self.path} was begun with other settings: "
                f"{'; '.join(found[:5])}{more}. Run with the settings of then, "
                "or in another folder, or delete this one to begin anew."
            )
        return state, header

    def _checkpoint(self, epoch, step):
        return self.path / f"epoch-{epoch:06d}-step-{step:09d}.npz"

    def _checkpoints(self):
        """From the oldest to the newest."""
        names = filter(_CHECKPOINT.fullmatch, os.listdir(self.path))
        return [self.path / name for name in sorted(names)]

    def _delete_all_but(self, kept):
        for path in set(self._checkpoints()) - set(kept):
            path.unlink()

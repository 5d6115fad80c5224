"""Which rows are meant."""

import numpy as np


def row_numbers(indices):
    """Returns numbers of rows as an array, if they are whole numbers.

    A mask would be read as many rows 0 and 1, and a half cut off.

    Args:
        indices: ints, `(B,)`.

    Returns:
        int64 `(B,)`.

    Raises:
        ValueError: they are booleans or numbers that need not be whole.
    """
    found = np.asarray(indices)
    if found.size and found.dtype.kind not in "iu":
        mend = "for those of a mask, np.flatnonzero(mask)"
        if found.dtype.kind != "b":
            mend = "make whole numbers of them, np.asarray(rows, 'int64')"
        raise ValueError(
            f"Rows are taken by their numbers, but got {found.dtype}: {mend}."
        )
    return found.astype("int64")

"""What only some need is not installed with the package, but by an extra."""

import contextlib


def how_to_install(extra):
    """The command that brings an extra; the package is on no index.

    Args:
        extra: one of the extras in setup.cfg.

    Example:
        >>> print(how_to_install("data"))
        pip install -e ".[data]" in the clone of tf_distill
    """
    return f'pip install -e ".[{extra}]" in the clone of tf_distill'


@contextlib.contextmanager
def needs_extra(extra):
    """Names the pip extra that brings a package that is not there.

    Args:
        extra: one of the extras in setup.cfg.

    Raises:
        ModuleNotFoundError: an import inside failed.

    Example:
        >>> with needs_extra("recipes"):
        ...     import no_such_package
        Traceback (most recent call last):
            ...
        ModuleNotFoundError: no_such_package is not installed:
        pip install -e ".[recipes]" in the clone of tf_distill
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = error.name.partition(".")[0]
        raise ModuleNotFoundError(
            f"{package} is not installed: {how_to_install(extra)}",
            name=error.name,
        ) from error

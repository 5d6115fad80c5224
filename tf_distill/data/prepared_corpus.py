"""The examples that `prepare_corpus` wrote.

Letters: N examples, B of a batch, L tokens, V words.
"""

import hashlib
import pathlib

import numpy as np

from tf_distill.data.corpus_examples import tokenizer_settings
from tf_distill.data.encode import offsets_of
from tf_distill.data.row_numbers import row_numbers
from tf_distill.data.shard_file import DamagedShardError, parse_shard
from tf_distill.data.shard_writer import INDEX, SETTINGS, read_json
from tf_distill.mapped_files import MappedFiles


class PreparedCorpus:
    """Token ids of a corpus, mapped from the disk; made by `prepare_corpus`.

    Takes the place of an `Encoded` in `BucketedBatches`, and so in all that
    takes these: `MaskedBatches`, `TeacherCache`, `run_stages`. Files are
    checked when it is made, and are to stay while it is used. Token ids stay
    on the disk; some 60 bytes an example are in memory while `BucketedBatches`
    orders them. Of any number of files few are open at a time.

    Args:
        folder: what `prepare_corpus` wrote.

    Attributes:
        settings: dict, what the examples were made with.
        max_length: the most tokens of an example.
        pad_token_id: what `pad` fills up with.
        offsets: int64 `(N + 1,)`, where examples begin, end to end.
        next_sentence_labels: int32 `(N,)`, 0 where the second text follows the
            first and 1 where it is a random one; None if there are no pairs.

    Raises:
        FileNotFoundError: there is no such corpus, or it is not complete.
        ValueError: a file is damaged.

    Example: masked anew every epoch, with the labels of BERT's second task.

    ```python
    corpus = td.data.PreparedCorpus("corpus")
    batches = td.data.BucketedBatches(
        corpus, corpus.next_sentence_labels, batch_size=256)
    train = td.data.MaskedBatches(
        batches, td.data.Masking.of_tokenizer(tokenizer, whole_words=True))
    model.fit(train, shuffle=False)
    ```
    """

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        for name in (SETTINGS, INDEX):
            if not (self.folder / name).exists():
                raise FileNotFoundError(
                    f"{self.folder / name} is missing: the folder holds no "
                    "prepared corpus, or one that is not complete. Run "
                    "`prepare_corpus` to its end."
                )
        self.settings = read_json(self.folder / SETTINGS)
        index = read_json(self.folder / INDEX)
        self.max_length = self.settings["max_length"]
        self.pad_token_id = self.settings["pad_token_id"]
        self._files = MappedFiles()
        self._token_ids = []  # of each shard: path, place in it, dtype
        small = [
            self._opened(number, entry)
            for number, entry in enumerate(index["shards"])
        ]
        contents = "".join(entry["contents"] for entry in index["shards"])
        self._contents = hashlib.sha256(contents.encode())
        self.offsets = offsets_of(_joined(small, "lengths"))
        numbers = [len(arrays["lengths"]) for arrays in small]
        self._first_examples = offsets_of(numbers)
        self._first_lengths = self.next_sentence_labels = None
        if self.settings["examples"] == "pairs":
            self._first_lengths = _joined(small, "first_lengths")
            self.next_sentence_labels = _joined(small, "is_random")

    def __len__(self):
        return len(self.offsets) - 1

    @property
    def lengths(self):
        """Number of tokens of each example, int64 `(N,)`."""
        return np.diff(self.offsets)

    @property
    def checksum(self):
        """An int that other contents would not have."""
        return int.from_bytes(self._contents.digest()[:4])

    @property
    def fingerprint(self):
        """A string that other contents would not have."""
        return self._contents.hexdigest()[:16]

    def check_tokenizer(self, tokenizer):
        """Raises if the token ids are not those that a tokenizer gives.

        Args:
            tokenizer: `keras_hub.models.BertTokenizer`, such as the model's
                that is to be trained.

        Raises:
            ValueError: it has other words, another order of them, or treats
                case or accents otherwise; says which.
        """
        different = [
            f"{name} is {self.settings.get(name)!r} here and {now!r} there"
            for name, now in tokenizer_settings(tokenizer).items()
            if self.settings.get(name) != now
        ]
        if different:
            raise ValueError(
                f"{self.folder} was prepared with another tokenizer than the "
                f"one given: {'; '.join(different)}. Give the model's "
                "vocabulary, lowercase and strip_accents that it was prepared "
                "with, or prepare it anew."
            )

    def pad(self, indices, length):
        """Returns the inputs of a model for some examples.

        Args:
            indices: B numbers of examples.
            length: L, the number of tokens to pad each to.

        Returns:
            A dict of int32 `(B, L)` arrays `token_ids`, `segment_ids` and
            `padding_mask` (1 where there is a token).

        Raises:
            ValueError: an example has more than `length` tokens, or
                `indices` are not whole numbers.
        """
        indices = row_numbers(indices)
        ends, starts = self.offsets[indices + 1], self.offsets[indices]
        lengths = ends - starts
        if lengths.max(initial=0) > length:
            raise ValueError(
                f"length={length}: example {indices[lengths.argmax()]} has "
                f"{lengths.max()} tokens. Pad to at least as many."
            )
        places = np.arange(length)
        padding_mask = places < lengths[:, None]
        token_ids = np.full(padding_mask.shape, self.pad_token_id, "int32")
        numbers = np.searchsorted(self._first_examples, indices, "right") - 1
        for row, number in enumerate(numbers):
            start = starts[row] - self.offsets[self._first_examples[number]]
            size = lengths[row]
            found = self._shard(number)[start : start + size]
            token_ids[row, :size] = found
        segment_ids = np.zeros_like(token_ids)
        if self._first_lengths is not None:
            is_second = places >= self._first_lengths[indices, None]
            segment_ids[is_second & padding_mask] = 1
        return {
            "token_ids": token_ids,
            "segment_ids": segment_ids,
            "padding_mask": padding_mask.astype("int32"),
        }

    def token_counts(self):
        """How often each word is in the corpus, int64 `(V,)`.

        For `smoothed_weights`, as DistilBERT masks; reads the whole corpus.
        """
        words = self.settings["vocabulary_size"]
        return sum(
            (
                np.bincount(self._shard(number), minlength=words)
                for number in range(len(self._token_ids))
            ),
            np.zeros(words, "int64"),
        )

    def _shard(self, number):
        """The token ids of a shard, end to end, on the disk."""
        path, place, dtype = self._token_ids[number]
        return self._files.read(path)[place].view(dtype)

    def _opened(self, number, entry):
        """Checks a shard; returns its arrays of a number an example."""
        path = self.folder / f"shard-{number:05d}.safetensors"
        try:
            data = self._files.read(path)
            arrays, notes = parse_shard(path, data)
        except FileNotFoundError as error:
            raise DamagedShardError(f"{path} is missing. {_AGAIN}") from error
        except ValueError as error:  # it is damaged, or empty
            raise DamagedShardError(f"{error} {_AGAIN}") from error
        if notes["contents"] != entry["contents"]:
            raise DamagedShardError(f"{path} is of another corpus. {_AGAIN}")
        token_ids = arrays.pop("token_ids")
        start = token_ids.ctypes.data - data.ctypes.data
        place = slice(start, start + token_ids.nbytes)
        self._token_ids.append((path, place, token_ids.dtype))
        return {name: array.astype("int32") for name, array in arrays.items()}


def _joined(shards, name):
    return np.concatenate([arrays[name] for arrays in shards])


_AGAIN = (
    "Delete it, and run `prepare_corpus` with the same text and settings: only "
    "this shard is made again."
)

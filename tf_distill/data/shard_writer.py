"""Shards of examples from blocks of documents, made by several processes.

A shard is a function of its block alone, and the blocks of the corpus alone;
so whatever the number of processes, the files have the same bytes.
"""

import collections
import concurrent.futures
import contextlib
import hashlib
import json
import multiprocessing
import os
import pickle
import time

from tf_distill.data.shard_file import (
    DamagedShardError,
    read_shard,
    write_shard,
)
from tf_distill.whole_file import delete_unfinished, write_whole

SETTINGS = "corpus.json"  # what the shards were made with
INDEX = "index.json"  # which shards there are; written when all are

BLOCK_CHARACTERS = 2**23
_worker = {}  # in a worker: what makes its shards


def corpus_blocks(documents, block_characters=BLOCK_CHARACTERS):
    """Groups documents into blocks, of which each makes a shard.

    Args:
        documents: iterator of `Document`.
        block_characters: int; a block ends with the document that reaches it,
            but has two documents at least, unless the corpus has but one.

    Returns:
        An iterator of lists of `Document`. Two blocks are held at a time.

    Example:
        >>> from tf_distill.data import Document
        >>> documents = [Document("", text, "", 1) for text in "abcde"]
        >>> [len(block) for block in corpus_blocks(documents, 2)]
        [2, 3]
    """
    held, block, size = None, [], 0
    for document in documents:
        block.append(document)
        size += len(document.text)
        if size >= block_characters and len(block) > 1:
            if held is not None:
                yield held
            held, block, size = block, [], 0
    if held is not None and len(block) < 2:
        held, block = held + block, []
    yield from (found for found in (held, block) if found)


def write_shards(blocks, folder, make, settings, *, workers=1):
    """Writes a shard for each block that has none yet, and then the index.

    Args:
        blocks: iterator of lists of `Document`; read once, one process ahead.
        folder: `pathlib.Path`.
        make: picklable function of a block to a dict of arrays and one of
            counts.
        settings: dict of JSON values, all that `make` depends on beside its
            block.
        workers: int, processes; with 1 all is done in this one.

    Returns:
        A list of each shard's counts, and `contents`, a hash.

    Raises:
        ValueError: the folder holds shards of other settings or another text,
            or `blocks` or `make` raised it; shards that are there stay.
        OSError: a shard could not be written; those before it are whole.
        RuntimeError: a process was killed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    delete_unfinished(folder)
    key = _checked_settings(folder / SETTINGS, settings)
    entries, pending, told = [], collections.deque(), time.monotonic()

    def take_one():
        place, future = pending.popleft()
        entries[place] = future.result()

    with _submitter(make, workers) as submit:
        for number, block in enumerate(blocks):
            path = folder / f"shard-{number:05d}.safetensors"
            notes = {"settings": key, "text": _text_of(block)}
            entries.append(_entry_there(path, notes))
            if entries[number] is None:
                pending.append((number, submit(path, block, notes)))
            while len(pending) > workers:
                take_one()
            if time.monotonic() - told > 60:
                told = time.monotonic()
                print(f"{folder}: {number + 1} shards so far.", flush=True)
        while pending:
            take_one()
    _check_no_others(folder, len(entries))
    text = json.dumps({"shards": entries}, indent=1)
    write_whole(folder / INDEX, text.encode())
    return entries


def _make_shard(make, path, block, notes):
    arrays, counts = make(block)
    write_shard(path, arrays, {**notes, "counts": counts})
    return _entry_there(path, notes)


def _entry_there(path, notes):
    """What the index says of a shard; None if it is missing or damaged.

    Raises:
        ValueError: it was made from another text.
    """
    try:
        _, found = read_shard(path)
    except (FileNotFoundError, DamagedShardError):
        return None
    if any(found.get(name) != notes[name] for name in notes):
        raise _other_text(path)
    return {**found["counts"], "contents": found["contents"]}


def _check_no_others(folder, number):
    """Raises if there are shards of a longer text."""
    others = sorted(folder.glob("shard-*.safetensors"))[number:]
    if others:
        raise _other_text(others[0])


def _other_text(path):
    return ValueError(
        f"{path} was made from another text than is read now. Use another "
        "folder, or delete this one."
    )


def _text_of(block):
    """A hash of what the documents of a block say."""
    found = hashlib.sha256()
    for document in block:
        found.update(f"{len(document.text)}\n{document.text}".encode())
    return found.hexdigest()[:16]


def _checked_settings(path, settings):
    """Writes the settings, or raises if the folder has others.

    Returns:
        A hash of them.
    """
    text = json.dumps(settings, indent=1, sort_keys=True)
    now = json.loads(text)
    if path.exists():
        then = read_json(path)
        different = [
            f"{name} was {then.get(name)} and is {now.get(name)}"
            for name in dict.fromkeys([*then, *now])
            if then.get(name) != now.get(name)
        ]
        if different:
            raise ValueError(
                f"{path.parent} holds shards made with other settings: "
                f"{'; '.join(different)}. Use another folder, or delete this "
                "one."
            )
    else:
        write_whole(path, text.encode())
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def read_json(path):
    """Reads a JSON object of a prepared corpus.

    Raises:
        ValueError: it is none.
    """
    try:
        found = json.loads(path.read_text("utf-8"))
        if isinstance(found, dict):
            return found
    except ValueError:
        pass
    raise ValueError(
        f"{path} is damaged. Delete the folder, and prepare the corpus again."
    )


@contextlib.contextmanager
def _submitter(make, workers):
    """Gives a function that has a shard made, here or in a process."""
    if workers < 1:
        raise ValueError(f"workers={workers}: expected 1 or more.")
    if workers == 1:

        def submit(*job):
            future = concurrent.futures.Future()
            future.set_result(_make_shard(make, *job))
            return future

        yield submit
        return
    # Not forked: TensorFlow's threads do not survive that.
    pool = concurrent.futures.ProcessPoolExecutor(
        workers,
        multiprocessing.get_context("spawn"),
        _begin,
        (pickle.dumps(make),),
    )
    try:
        yield lambda *job: pool.submit(_work, *job)
    except concurrent.futures.process.BrokenProcessPool as error:
        raise RuntimeError(
            "A worker was killed or could not start; memory may be short, or "
            "the script lacks `if __name__ == '__main__':`. The shards that "
            "are there are whole: run again, with fewer workers."
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _begin(pickled):
    """Prepares a process for its work."""
    # One core and no GPU a process; said before TensorFlow is loaded, which
    # unpickling a tokenizer does.
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    os.environ["TF_NUM_INTRAOP_THREADS"] = "1"
    os.environ["TF_NUM_INTEROP_THREADS"] = "1"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    _worker["make"] = pickle.loads(pickled)


def _work(*job):
    return _make_shard(_worker["make"], *job)

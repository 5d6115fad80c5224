"""Splits that keep the near-duplicates of a text on one side.

Social text repeats itself: retweets, quotes, one headline from a hundred
accounts. Split by row, much of the test text has been trained on.

Letters in shapes: `N` rows, `G` groups, `S` splits, `K` strata.
"""

import collections
import html
import math
import re
import unicodedata

import numpy as np

# Of the words and pairs of neighbouring words in two texts, the share common to
# both from which they count as near-duplicates. On 38,000 tweets, 0.6 joins a
# tweet with its cut, extended or slightly reworded copies (two words replaced
# in fifteen leave 0.66, a quarter cut off 0.7); at 0.5, short texts on one
# subject begin to chain into groups of hundreds that are no copies.
NEAR_DUPLICATE_JACCARD = 0.6
_ROUNDING = 1e-9  # 0.6 * 35 must not need 22 words in common
# From so many words on, a text that lies within another one is quoted there;
# fewer may be in both by chance.
_QUOTED_WORDS = 5

_URL = re.compile(r"(https?://|www\.)\S*", re.IGNORECASE)
_RETWEET = re.compile(r"\b[RM]T\b(?=[\s:]*@)", re.IGNORECASE)
_QUOTE = re.compile(r"(?:\b[RM]T\b|[\"\u201c])(?=[\s:]*@)", re.IGNORECASE)
_MENTION = re.compile(r"(?<!\w)@\w+")
_APOSTROPHE = re.compile(r"(?<=\w)['\u2019](?=\w)")
# Chinese and Japanese are written without spaces: each character is a word.
_WORD = re.compile(
    r"[\u3040-\u30ff\u3400-\u9fff]|[^\W_\u3040-\u30ff\u3400-\u9fff]+"
)


def normalise(text):
    """Reduces a text to what its copies on social media have in common.

    Case, punctuation, emoji, URLs, mentions and `RT @user:` go; the words of
    hashtags and numbers stay. A text with no word left keeps its symbols.

    Args:
        text: a string.

    Returns:
        Words in lower case, joined by single spaces.

    Example:
    >>> normalise("RT @ann: RT @bob: It\u2019s  GREAT!! https://t.co/x #Tesla")
    'its great tesla'
    """
    text = html.unescape(unicodedata.normalize("NFKC", text)).casefold()
    words = _URL.sub(" ", text)
    words = _MENTION.sub(" ", _RETWEET.sub(" ", words))
    words = _WORD.findall(_APOSTROPHE.sub("", words))
    return " ".join(words or text.split())


def group_near_duplicates(texts):
    """Numbers texts so that near-duplicates, and theirs in turn, agree.

    Two texts are near-duplicates if they are the same once normalised; if the
    words and pairs of neighbouring words of both have a Jaccard similarity of
    at least `NEAR_DUPLICATE_JACCARD`; or if one of five words or more lies
    whole within the other, or is what both of them quote (`RT @ann: ...`,
    `"@ann: ...`). No such pair is missed: this is an exact join with prefix
    filtering (Chaudhuri et al., 2006; Bayardo et al., 2007), not hashing. What
    is, is a long comment on a quote that is cut. It is meant for short texts:
    some 40,000 tweets take seconds.

    Args:
        texts: `N` strings.

    Returns:
        int64 `(N,)`, group numbers from 0 in order of first appearance.

    Example:
    >>> group_near_duplicates(["so good!", "so bad", "RT @ann: So good"])
    array([0, 1, 0])
    """
    normalised = [normalise(text) for text in texts]
    quoted = {row: q for row, text in enumerate(texts) if (q := _quoted(text))}
    unique = list(dict.fromkeys([*normalised, *quoted.values()]))
    rows = {text: row for row, text in enumerate(unique)}
    parents = list(range(len(rows)))

    def root(row):
        while parents[row] != row:
            parents[row] = row = parents[parents[row]]
        return row

    for row, quote in quoted.items():
        parents[root(rows[quote])] = root(rows[normalised[row]])
    features = _ranked_features(unique)
    _link_contained(unique, features, parents, root)
    _link_similar(features, parents, root)
    roots = [root(rows[text]) for text in normalised]
    numbers = {row: n for n, row in enumerate(dict.fromkeys(roots))}
    return np.array([numbers[row] for row in roots], dtype="int64")


def _quoted(text):
    """Returns what a text quotes of another's, normalised; or None."""
    _, *others = _QUOTE.split(html.unescape(text))
    quote = normalise(others[-1]) if others else ""
    return quote if _can_be_quoted(quote) else None


def _can_be_quoted(text):
    return text.count(" ") + 1 >= _QUOTED_WORDS


def _features(text):
    """Returns the words of a normalised text, and its pairs of neighbours."""
    words = text.split()
    pairs = zip(words, words[1:], strict=False)
    return {*words, *(f"{first} {second}" for first, second in pairs)}


def _ranked_features(texts):
    """Returns the features of each text as sorted numbers, the rarest first."""
    features = [_features(text) for text in texts]
    counts = collections.Counter(f for found in features for f in found)
    by_rarity = sorted(counts, key=lambda feature: (counts[feature], feature))
    rank = {feature: n for n, feature in enumerate(by_rarity)}
    return [sorted(rank[f] for f in found) for found in features]


def _link_similar(features, parents, root):
    """Joins, in the forest `parents`, every two similar sets of features.

    Sets of `n` and at most `n` features that are similar share one of the
    `n - ceil(threshold * n) + 1` rarest features of each, so only sets that
    meet in the index of these have to be compared.
    """
    threshold = NEAR_DUPLICATE_JACCARD
    index = collections.defaultdict(list)
    sets = {}
    order = sorted(range(len(features)), key=lambda row: len(features[row]))
    for row in order:
        size = len(features[row])
        required = math.ceil(threshold * size - _ROUNDING)
        rarest = features[row][: size - required + 1]
        candidates = set()
        for feature in rarest:
            candidates.update(index[feature])
            index[feature].append(row)
        sets[row] = own = set(features[row])
        for other in candidates:
            if len(sets[other]) < required or root(other) == root(row):
                continue
            common = len(own & sets[other])
            union = size + len(sets[other]) - common
            if common >= threshold * union - _ROUNDING:
                parents[root(other)] = root(row)


def _link_contained(texts, features, parents, root):
    """Joins, in the forest `parents`, texts that lie whole within another.

    Whichever text holds another one has the rarest feature of that.
    """
    quotable = [row for row, x in enumerate(texts) if _can_be_quoted(x)]
    holders = {features[row][0]: [] for row in quotable}
    for row, found in enumerate(features):
        for feature in found:
            if feature in holders:
                holders[feature].append(row)
    for row in quotable:
        for other in holders[features[row][0]]:
            if f" {texts[row]} " in f" {texts[other]} ":
                parents[root(other)] = root(row)


def split_by_group(groups, fractions, seed, labels=None):
    """Splits rows at random into parts, each group of rows within one part.

    The largest groups are placed first, each where it leaves the parts closest
    to their share of the rows placed so far; so every part gets its share of
    large groups as of small ones, and of each class.

    Args:
        groups: int `(N,)`, the group of each row.
        fractions: `S` positive numbers that sum to 1, the share of the rows to
            put in each part.
        seed: int; the same seed, the same split.
        labels: what to spread evenly: int `(N,)` classes, float `(N, C)` zeros
            and ones, or float `(N,)` scores (by their quartiles).

    Returns:
        A list of `S` sorted int64 arrays of row indices.

    Raises:
        ValueError: if the fractions are not shares, the lengths differ, or a
            part would be empty.

    Example:
    >>> train, test = split_by_group([0, 0, 1, 2, 3, 4], [0.5, 0.5], seed=0)
    >>> len(train), len(test)
    (3, 3)
    """
    fractions = np.asarray(fractions, dtype="float64")
    if not (fractions > 0).all() or abs(fractions.sum() - 1) > 1e-6:
        raise ValueError(
            f"fractions={fractions.tolist()}: expected positive numbers that "
            "sum to 1."
        )
    _, groups = np.unique(groups, return_inverse=True)
    strata = _strata(labels, len(groups))
    counts = np.zeros((groups.max(initial=-1) + 1, strata.shape[1]))
    np.add.at(counts, groups, strata)

    order = np.random.default_rng(seed).permutation(len(counts))
    sizes = np.bincount(groups)
    order = order[np.argsort(-sizes[order], kind="stable")]
    part_of_group = np.zeros(len(counts), dtype="int64")
    placed = np.zeros((len(fractions), strata.shape[1]))
    total = np.zeros(strata.shape[1])
    for group in order:
        total += counts[group]
        lacking = fractions[:, None] * total - placed
        part = np.argmax(lacking @ counts[group])
        placed[part] += counts[group]
        part_of_group[group] = part

    parts = part_of_group[groups]
    split = [np.flatnonzero(parts == part) for part in range(len(fractions))]
    if not all(len(rows) for rows in split):
        raise ValueError(
            f"Split into parts of {[len(rows) for rows in split]} rows, one of "
            f"them empty: {len(counts)} groups of near-duplicates are too few "
            f"for fractions={fractions.tolist()}. Give more text, or text of "
            "each part's own."
        )
    return split


def _strata(labels, num_rows):
    """Returns float `(N, K)`: one for each row, and one for its stratum."""
    whole = np.ones((num_rows, 1))
    if labels is None:
        return whole
    labels = np.asarray(labels)
    if len(labels) != num_rows:
        raise ValueError(
            f"{len(labels)} labels for {num_rows} groups: expected one a row."
        )
    if labels.ndim == 1:
        if not np.issubdtype(labels.dtype, np.integer):
            quartiles = np.quantile(labels, [0.25, 0.5, 0.75])
            labels = np.searchsorted(quartiles, labels)
        classes, indices = np.unique(labels, return_inverse=True)
        labels = np.eye(len(classes))[indices]
    return np.concatenate([whole, labels], axis=1)

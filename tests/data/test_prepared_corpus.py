"""From text to batches: what is on the disk is what the tokenizer says."""

import gzip
import itertools
import os
import pathlib

import keras_hub
import numpy as np
import pytest
import tiny
from real import folder, needs_data

import tf_distill as td
from tf_distill import mapped_files
from tf_distill.data import (
    BucketedBatches,
    Document,
    MaskedBatches,
    Masking,
    PreparedCorpus,
    encode,
    prepare_corpus,
    read_documents,
    smoothed_weights,
)
from tf_distill.data.corpus_examples import CorpusExamples

WORDS = tiny.WORDS + [".", "##a", "##b"]


@pytest.fixture(scope="module")
def tokenizer():
    return keras_hub.models.BertTokenizer(WORDS, lowercase=True)


def documents(number=40, seed=0):
    """Sentences of the vocabulary's words, and now and then of another."""
    generator = np.random.default_rng(seed)
    found = []
    for line in range(number):
        sentences = [
            " ".join(generator.choice(WORDS[5:19], generator.integers(2, 9)))
            for _ in range(generator.integers(1, 9))
        ]
        sentences[0] += " zebra" * int(generator.integers(0, 2))
        text = ". ".join(s.capitalize() for s in sentences) + "."
        found.append(Document(f"{line}", text, "corpus.txt", line + 1))
    return found


@pytest.fixture(scope="module")
def sequences(tmp_path_factory, tokenizer):
    return prepare_corpus(
        documents(),
        tmp_path_factory.mktemp("sequences"),
        tokenizer,
        max_length=20,
        min_length=6,
        block_characters=600,
    )


@pytest.fixture(scope="module")
def pairs(tmp_path_factory, tokenizer):
    return prepare_corpus(
        documents(),
        tmp_path_factory.mktemp("pairs"),
        tokenizer,
        max_length=24,
        pairs=True,
        block_characters=600,
    )


def rows(corpus):
    """Every example's tokens and segments, without padding."""
    padded = corpus.pad(np.arange(len(corpus)), corpus.max_length)
    return [
        (ids[:n].tolist(), segments[:n].tolist())
        for ids, segments, n in zip(
            padded["token_ids"],
            padded["segment_ids"],
            padded["padding_mask"].sum(1),
            strict=True,
        )
    ]


def test_sequences_are_the_encoded_documents_cut(sequences, tokenizer):
    texts = [document.text for document in documents()]
    encoded = encode(texts, tokenizer, max_length=10_000)
    expected = []
    for start, end in itertools.pairwise(encoded.offsets):
        ids = encoded.token_ids[start + 1 : end - 1].tolist()
        for first in range(0, len(ids), 18):
            part = ids[first : first + 18]
            if len(part) + 2 >= 6:
                expected.append(([2, *part, 3], [0] * (len(part) + 2)))
    assert len(list(sequences.folder.glob("shard*"))) > 5
    assert rows(sequences) == expected
    np.testing.assert_array_equal(
        sequences.lengths, [len(ids) for ids, _ in expected]
    )
    counts = np.bincount(sum([ids for ids, _ in expected], []), minlength=23)
    np.testing.assert_array_equal(sequences.token_counts(), counts)
    assert sequences.next_sentence_labels is None


def test_more_shards_than_a_process_may_have_files(
    pairs, tokenizer, tmp_path, monkeypatch
):
    """The limit is of many systems 1024; a corpus of 8 GB has as many files."""
    resource = pytest.importorskip("resource")
    monkeypatch.setattr(mapped_files, "MOST_OPEN", 2)
    number = len(list(pathlib.Path("/dev/fd").iterdir()))
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (number + 8, limits[1]))
    try:
        corpus = prepare_corpus(
            documents(),
            tmp_path,
            tokenizer,
            max_length=24,
            pairs=True,
            block_characters=200,
        )
        found, counts = rows(corpus), corpus.token_counts()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert len(list(tmp_path.glob("shard*"))) > 12
    assert rows(PreparedCorpus(tmp_path)) == found
    flat = sum([ids for ids, _ in found], [])
    np.testing.assert_array_equal(counts, np.bincount(flat, minlength=23))


def test_a_shard_that_becomes_another_is_refused(
    tokenizer, tmp_path, monkeypatch
):
    monkeypatch.setattr(mapped_files, "MOST_OPEN", 1)
    corpus = prepare_corpus(
        documents(), tmp_path, tokenizer, block_characters=600
    )
    found = rows(corpus)
    path = tmp_path / "shard-00001.safetensors"
    whole = path.read_bytes()
    path.unlink()
    path.write_bytes(whole[:-2] + b"no")
    os.utime(path, (1, 1))  # whatever the clock's steps
    with pytest.raises(ValueError, match="00001.*another file than when"):
        rows(corpus)
    path.write_bytes(whole)
    assert rows(PreparedCorpus(tmp_path)) == found


def test_pad_takes_any_rows(sequences):
    every = sequences.pad(np.arange(len(sequences)), 20)
    some = [len(sequences) - 1, 0, 3, 0]
    padded = sequences.pad(some, 25)
    for name, array in padded.items():
        assert array.dtype == np.int32 and array.shape == (4, 25)
        np.testing.assert_array_equal(array[:, :20], every[name][some])
        assert not array[:, 20:].any()
    with pytest.raises(ValueError, match=r"got bool: .*np.flatnonzero"):
        sequences.pad(sequences.lengths > 9, 20)
    with pytest.raises(ValueError, match="length=3: example 0 has 20 tokens"):
        sequences.pad([0], 3)


def test_pairs_are_two_texts_of_which_half_follow(pairs, tokenizer):
    texts = [document.text for document in documents()]
    encoded = encode(texts, tokenizer, max_length=9999)
    whole = [
        encoded.token_ids[start + 1 : end - 1].tolist()
        for start, end in itertools.pairwise(encoded.offsets)
    ]

    def holds(document, part):
        places = range(len(document) - len(part) + 1)
        return any(document[p : p + len(part)] == part for p in places)

    for (ids, segments), label in zip(
        rows(pairs), pairs.next_sentence_labels, strict=True
    ):
        assert len(ids) <= 24 and ids[0] == 2
        assert ids.count(3) == 2 and ids[-1] == 3
        first_end = ids.index(3)
        assert segments == [0] * (first_end + 1) + [1] * (
            len(ids) - first_end - 1
        )
        first, second = ids[1:first_end], ids[first_end + 1 : -1]
        assert first and second
        homes = [d for d in whole if holds(d, first)]
        assert homes
        if not label:
            assert any(holds(home, second) for home in homes)
    share = pairs.next_sentence_labels.mean()
    assert 0.4 < share < 0.8  # documents of one sentence have random ones only


def test_pairs_depend_on_document_block_and_seed_alone(tokenizer):
    examples = CorpusExamples(tokenizer, 24, pairs=True)
    other_seed = CorpusExamples(tokenizer, 24, pairs=True, seed=1)

    def made(block, examples=examples):
        arrays, _ = examples(block)
        ends = np.cumsum(arrays["lengths"])
        return [
            ids.tolist() for ids in np.split(arrays["token_ids"], ends[:-1])
        ]

    block = documents(6)
    elsewhere = [d._replace(path="x", line=9, title="t") for d in block]
    assert made(block) == made(elsewhere)
    assert made(block) != made(block, other_seed)
    # The first document's own pairs come first, whatever follows.
    alone = made([block[0], *documents(5, seed=7)])
    assert (
        alone[0][: alone[0].index(3)]
        == made(block)[0][: made(block)[0].index(3)]
    )


def test_batches_of_both(sequences, pairs, tokenizer):
    for corpus in (sequences, pairs):
        follows = corpus.next_sentence_labels
        plain = BucketedBatches(corpus, batch_size=8, multiple=4, seed=3)
        weights = smoothed_weights(corpus.token_counts())
        masking = Masking.of_tokenizer(
            tokenizer, whole_words=True, token_weights=weights
        )
        with_labels = BucketedBatches(
            corpus, follows, batch_size=8, multiple=4, seed=3
        )
        made = MaskedBatches(with_labels, masking)
        seen = []
        for index in range(len(made)):
            inputs, labels = made[index]
            (original,) = plain[index]
            numbers = made.rows(index)
            seen += numbers.tolist()
            words = labels
            if follows is not None:
                words = labels["masked_lm"]
                np.testing.assert_array_equal(
                    labels["next_sentence"], follows[numbers]
                )
            restored = inputs["token_ids"].copy()
            row, place = np.nonzero(inputs["mask_weights"])
            restored[row, inputs["mask_positions"][row, place]] = words[
                row, place
            ]
            np.testing.assert_array_equal(restored, original["token_ids"])
            assert (words[row, place] >= 5).sum() + (
                words[row, place] == 1
            ).sum() == len(row)
        assert sorted(seen) == list(range(len(corpus)))


@pytest.mark.slow
def test_a_student_is_trained_cached_and_in_stages(
    sequences, pairs, tokenizer, tmp_path
):
    def masked_lm(seed, layers):
        encoder = tiny.backbone(
            seed,
            num_layers=layers,
            vocabulary_size=len(WORDS),
            max_sequence_length=24,
        )
        model = td.models.BertMaskedLM(encoder, next_sentence=True)
        return tiny.randomize(model, seed)

    def data():
        labels = pairs.next_sentence_labels
        plain = BucketedBatches(pairs, labels, batch_size=16)
        return MaskedBatches(plain, Masking.of_tokenizer(tokenizer))

    teacher = masked_lm(2, 1)
    losses = {
        "masked_lm": td.losses.MaskedLMCrossEntropy(),
        "next_sentence": td.losses.NextSentenceCrossEntropy(),
    }

    def student():
        made = td.Distiller(
            student=masked_lm(1, 1),
            teacher=teacher,
            losses=[td.LayerMatch("hidden_states", td.losses.HiddenMSE())],
        )
        made.compile("adam", loss=losses, jit_compile=False)
        return made

    made = student()
    cache = td.distillation.TeacherCache(
        tmp_path / "cache", teacher, made.teacher_signals
    )
    cache.build(data())
    stage = td.Stage("training", student, cache.over(data()), 1)
    history = td.run_stages([stage], tmp_path / "run")["training"]
    assert np.isfinite(history["loss"]).all()
    assert {"masked_lm_loss", "next_sentence_loss"} <= set(history)
    # Opened again it is the same to the cache, and another is not.
    again = BucketedBatches(PreparedCorpus(pairs.folder), batch_size=16)
    cache.over(MaskedBatches(again, Masking.of_tokenizer(tokenizer)))
    other = BucketedBatches(sequences, batch_size=16)
    with pytest.raises(ValueError, match="data was .* and is "):
        cache.over(MaskedBatches(other, Masking.of_tokenizer(tokenizer)))


def test_settings_tell_corpora_apart(sequences, pairs):
    settings = [
        BucketedBatches(corpus).settings["contents"]
        for corpus in (sequences, pairs, PreparedCorpus(pairs.folder))
    ]
    assert settings[0] != settings[1] == settings[2]
    labelled = BucketedBatches(pairs, pairs.next_sentence_labels)
    assert labelled.settings["contents"] != settings[1]


@pytest.mark.parametrize(
    "change",
    [
        {"max_length": 16},
        {"min_length": 3},
        {"pairs": True},
        {"block_characters": 500},
        {"tokenizer": keras_hub.models.BertTokenizer(WORDS)},
        {"tokenizer": keras_hub.models.BertTokenizer(WORDS[:-1])},
    ],
)
def test_other_settings_are_refused(sequences, tokenizer, change):
    arguments = {
        "tokenizer": tokenizer,
        "max_length": 20,
        "min_length": 6,
        "block_characters": 600,
    }
    assert len(prepare_corpus(documents(), sequences.folder, **arguments))
    with pytest.raises(ValueError, match="other settings: .* was .* and is"):
        prepare_corpus(documents(), sequences.folder, **{**arguments, **change})


@pytest.mark.parametrize(
    ("words", "options", "different"),
    [
        (WORDS[:-1], {}, "vocabulary_size is 23 here and 22 there"),
        (WORDS[:5] + WORDS[6:] + WORDS[5:6], {}, "vocabulary is"),
        (WORDS, {"lowercase": False}, "lowercase is True here and False"),
        (WORDS, {"strip_accents": True}, "strip_accents is False here"),
    ],
)
def test_the_tokenizer_of_another_model_is_refused(
    sequences, tokenizer, words, options, different
):
    sequences.check_tokenizer(tokenizer)
    other = keras_hub.models.BertTokenizer(
        words, **{"lowercase": True, **options}
    )
    with pytest.raises(ValueError, match=rf"{different}.*prepare it anew"):
        sequences.check_tokenizer(other)


def test_what_is_not_complete_or_damaged_is_refused(tokenizer, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"corpus\.json is missing"):
        PreparedCorpus(tmp_path)

    def prepare():
        return prepare_corpus(
            documents(), tmp_path, tokenizer, block_characters=600
        )

    prepare()
    path = tmp_path / "shard-00001.safetensors"
    whole = path.read_bytes()
    path.write_bytes((tmp_path / "shard-00002.safetensors").read_bytes())
    with pytest.raises(ValueError, match="00001.* another corpus.*Delete it"):
        PreparedCorpus(tmp_path)
    path.write_bytes(whole[:-1])
    with pytest.raises(ValueError, match="00001.*Delete it, and run"):
        PreparedCorpus(tmp_path)
    path.unlink()
    with pytest.raises(ValueError, match="00001.* is missing. Delete it"):
        PreparedCorpus(tmp_path)
    prepare()
    assert path.read_bytes() == whole
    (tmp_path / "index.json").unlink()
    with pytest.raises(FileNotFoundError, match="index.json.*not complete"):
        PreparedCorpus(tmp_path)


@pytest.mark.parametrize("pairs", [False, True])
def test_a_corpus_of_one_word(tokenizer, tmp_path, pairs):
    path = tmp_path / "a.txt"
    path.write_text("\ncat\n")
    with pytest.raises(ValueError, match=r"a\.txt, line 2\b") as error:
        prepare_corpus(
            read_documents(path, "line"), tmp_path / "c", tokenizer, pairs=pairs
        )
    expected = "only document" if pairs else "1 document.*min_length=12"
    assert error.match(expected)
    # Nothing is left that would stand in the way.
    assert not (tmp_path / "c").exists() or not list((tmp_path / "c").iterdir())
    if not pairs:
        corpus = prepare_corpus(
            read_documents(path, "line"),
            tmp_path / "c",
            tokenizer,
            min_length=3,
        )
        assert rows(corpus) == [([2, WORDS.index("cat"), 3], [0, 0, 0])]


def test_a_language_that_is_not_the_vocabulary_s(tokenizer, tmp_path):
    texts = [Document("", "foo bar " * 20, "a", 1)] * 3
    with pytest.raises(ValueError, match=r"half \[UNK\].*vocabulary"):
        prepare_corpus(texts, tmp_path, tokenizer)
    # DistilBERT drops what is half unknown, [CLS] and [SEP] counted.
    examples = CorpusExamples(tokenizer, 12, min_length=3)
    for number, kept in ((3, 1), (4, 0)):
        text = "foo " * number + "cat " * 2
        arrays, counts = examples([Document("", text, "a", 1)])
        assert len(arrays["lengths"]) == kept
        assert counts["dropped"] == (number + 2) * (not kept)


def test_documents_without_tokens_are_passed_over(tokenizer, tmp_path):
    blank = [Document("", "\u200b\u00ad", "a", n) for n in range(3)]
    corpus = prepare_corpus(
        [blank[0], *documents(3), blank[1], *documents(4, 1), blank[2]],
        tmp_path,
        tokenizer,
        pairs=True,
    )
    assert len(corpus) > 5
    with pytest.raises(ValueError, match="no documents"):
        prepare_corpus([], tmp_path / "none", tokenizer)


def test_a_block_with_tokens_in_one_document_makes_no_pairs(
    tokenizer, tmp_path
):
    blank = Document("", "\u200b", "a", 9)
    alone = Document("", "The cat sat. The dog ran.", "corpus.txt", 7)
    rest = documents(4)
    options = {"max_length": 24, "pairs": True, "block_characters": 20}
    expected = prepare_corpus(rest, tmp_path / "a", tokenizer, **options)
    # Two documents end a block here, as the first reaches its length.
    corpus = prepare_corpus(
        [alone, blank, *rest], tmp_path / "b", tokenizer, **options
    )
    assert rows(corpus) == rows(expected)
    message = r"corpus\.txt, line 7.*of 2 document.*8 tokens were in the only"
    with pytest.raises(ValueError, match=message):
        prepare_corpus([alone, blank], tmp_path / "c", tokenizer, **options)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (gzip.compress(b"the cat sat. " * 99)[:-12], "after line 0.*further"),
        (
            gzip.compress(b"the cat sat. " * 9 + b"\n\n\xff"),
            "line 3: byte 0xff",
        ),
        (gzip.compress(b""), "holds no text"),
    ],
)
def test_damaged_text_names_file_and_line(tokenizer, tmp_path, content, words):
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "a.txt").write_text("the dog ran. " * 50)
    (tmp_path / "text" / "b.gz").write_bytes(content)
    arguments = {"tokenizer": tokenizer, "block_characters": 500}
    with pytest.raises(ValueError, match=rf"b\.gz.*{words}"):
        prepare_corpus(
            read_documents(tmp_path / "text", "blank_line"),
            tmp_path / "c",
            **arguments,
        )
    assert not (tmp_path / "c" / "index.json").exists()
    # An earlier corpus stays as it was.
    good = gzip.compress(b"the cat ran. " * 99)
    (tmp_path / "text" / "b.gz").write_bytes(good)
    for _ in range(2):
        prepare_corpus(
            read_documents(tmp_path / "text", "blank_line"),
            tmp_path / "c",
            **arguments,
        )
    (tmp_path / "text" / "b.gz").write_bytes(content)
    with pytest.raises(ValueError, match=rf"b\.gz.*{words}"):
        prepare_corpus(
            read_documents(tmp_path / "text", "blank_line"),
            tmp_path / "c",
            **arguments,
        )
    assert len(PreparedCorpus(tmp_path / "c")) > 3


def test_a_byte_order_mark_is_no_text(tokenizer, tmp_path):
    text = "the cat sat. " * 9
    found = []
    for number, mark in enumerate((b"", b"\xef\xbb\xbf")):
        path = tmp_path / f"{number}.txt"
        path.write_bytes(mark + text.encode())
        corpus = prepare_corpus(
            read_documents(path, "line"), tmp_path / f"{number}", tokenizer
        )
        found.append(rows(corpus))
    assert found[0] == found[1] and len(found[0]) == 1


@pytest.mark.parametrize(
    "arguments, words",
    [
        ({"max_length": 8}, "max_length=8: expected at least 12"),
        ({"max_length": 4, "pairs": True}, "max_length=4: expected at least 5"),
        ({"workers": 0}, "workers=0"),
    ],
)
def test_bad_arguments(tokenizer, tmp_path, arguments, words):
    with pytest.raises(ValueError, match=words):
        prepare_corpus(documents(), tmp_path, tokenizer, **arguments)
    padding = keras_hub.models.BertTokenizer(WORDS, sequence_length=8)
    with pytest.raises(ValueError, match="pads to sequence_length=8"):
        prepare_corpus(documents(), tmp_path, padding)


@pytest.mark.slow
def test_a_line_of_60_megabytes_is_cut_and_one_of_100_refused(
    tokenizer, tmp_path
):
    path = tmp_path / "a.txt"
    for word in (b"cat ", b"x"):
        long = word * (60_000_000 // len(word))
        path.write_bytes(b"the cat sat. " * 9 + b"\n" + long)
        corpus = prepare_corpus(
            read_documents(path, "line"),
            tmp_path / word.decode().strip(),
            tokenizer,
        )
        cats = corpus.token_counts()[WORDS.index("cat")]
        assert cats == 9 + (15_000_000 if word == b"cat " else 0)
    path.write_bytes(b"the cat sat. " * 9 + b"\n" + b"x" * 100_000_000)
    with pytest.raises(ValueError, match=r"a\.txt, line 2: the line is larger"):
        prepare_corpus(read_documents(path, "line"), tmp_path / "c", tokenizer)


@needs_data
@pytest.mark.slow
def test_real_text_by_one_two_and_four_workers(tmp_path):
    path = folder() / "wikipedia_en_AA.txt.gz"
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = [*WORDS, *letters, *(f"##{letter}" for letter in letters)]
    words = list(dict.fromkeys(words))
    tokenizer = keras_hub.models.BertTokenizer(
        words, lowercase=True, strip_accents=True
    )
    found = []
    for workers in (1, 2, 4):
        corpus = prepare_corpus(
            itertools.islice(read_documents(path, "wikipedia"), 100),
            tmp_path / f"{workers}",
            tokenizer,
            pairs=True,
            workers=workers,
            block_characters=2**18,
        )
        found.append({p.name: p.read_bytes() for p in corpus.folder.iterdir()})
        assert BucketedBatches(corpus).padding_fraction < 0.1
    assert found[0] == found[1] == found[2]

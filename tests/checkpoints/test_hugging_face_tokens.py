"""Token ids against those of the `tokenizers` package."""

import json
import string
import unicodedata

import folders
import pytest
import tiny
import tokenizers

from tf_distill.checkpoints import HuggingFaceFolder
from tf_distill.data import encode
from tf_distill.models import BertTextClassifier

LETTERS = string.ascii_letters + "éñßæøÉ" + "αβωик"
ALONE = string.punctuation + string.digits + "中日語—“”¿…€"
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *LETTERS, *ALONE]
VOCABULARY += [f"##{letter}" for letter in LETTERS + string.digits]
VOCABULARY += [*"한\u1112\u1161\u11ab", *["##\u1161", "##\u11ab"]]
TEXTS = [
    "Café NAÏVE Ångström señor",
    "Ωβ ά ὦ Йод ёж",
    "Ærø",
    "中文x日本語 語y語",
    "\uf900x \U00020000",
    "don't #stop! (a-b_c) $5 100% a@b.c ~`^|<>",
    "“so” —said¿ he €5",
    "tab\tline\nfeed\rend  two",
    "",
    "unknownword 漢 ж",
    "x" * 99,
]


def _load(folder, lowercase, strip_accents):
    """KerasHub's tokenizer, read from a folder, and `tokenizers`' own."""
    ids = {word: number for number, word in enumerate(VOCABULARY)}
    theirs = tokenizers.Tokenizer(
        tokenizers.models.WordPiece(ids, unk_token="[UNK]")
    )
    theirs.normalizer = tokenizers.normalizers.BertNormalizer(
        lowercase=lowercase, strip_accents=strip_accents
    )
    theirs.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    folders.write_classifier(folder, {}, ["a"], vocab_size=len(VOCABULARY))
    (folder / "vocab.txt").unlink()
    (folder / "tokenizer_config.json").unlink()
    theirs.save(str(folder / "tokenizer.json"))
    ours = BertTextClassifier.from_preset(folder, load_weights=False)
    return ours.preprocessor.tokenizer, theirs


def _theirs(tokenizer, texts):
    batch = tokenizer.encode_batch(texts, add_special_tokens=False)
    return [encoding.ids for encoding in batch]


@pytest.mark.parametrize("lowercase", [True, False])
@pytest.mark.parametrize("strip_accents", [None, True, False])
def test_the_ids_of_tokenizers(tmp_path, lowercase, strip_accents):
    ours, theirs = _load(tmp_path, lowercase, strip_accents)
    texts = list(TEXTS)
    if (lowercase, strip_accents) != (True, False):
        # Case folding would compose a mark that stands apart.
        texts.append("e\u0301 x\u0323\u0302y \u0301")
    expected = _theirs(theirs, texts)
    assert [list(row) for row in ours(texts)] == expected
    encoded = encode(texts, ours, max_length=200)
    rows = zip(encoded.offsets[:-1], encoded.offsets[1:], strict=True)
    found = [list(encoded.token_ids[i + 1 : j - 1]) for i, j in rows]
    assert found == expected


def test_every_accent_of_three_alphabets(tmp_path):
    ours, theirs = _load(tmp_path, True, None)
    letters = map(chr, [*range(0xC0, 0x530), *range(0x1E00, 0x2000)])
    texts = [
        f"x{letter}y {letter}"
        for letter in letters
        if unicodedata.decomposition(letter)
        # What is rewritten, not only decomposed, is a difference that stays.
        and unicodedata.normalize("NFKC", letter)
        == unicodedata.normalize("NFC", letter)
        and letter.casefold() == letter.lower()
    ]
    assert len(texts) > 500
    assert [list(row) for row in ours(texts)] == _theirs(theirs, texts)


@pytest.mark.parametrize(
    ("text", "our_words", "their_words"),
    [
        ("a\u00adb", ["a", "b"], ["a", "##b"]),
        ("a\x01b", ["a", "b"], ["a", "##b"]),
        ("a\u00a0b", ["[UNK]"], ["a", "b"]),
        ("a²", ["a", "##2"], ["[UNK]"]),
        ("a…", ["a", "[UNK]"], ["a", "…"]),
        ("aß", ["a", "##s", "##s"], ["a", "##ß"]),
        ("한", ["한"], ["\u1112", "##\u1161", "##\u11ab"]),
    ],
)
def test_what_still_differs(tmp_path, text, our_words, their_words):
    ours, theirs = _load(tmp_path, True, None)
    assert [VOCABULARY[i] for i in ours([text])[0]] == our_words
    assert [VOCABULARY[i] for i in _theirs(theirs, [text])[0]] == their_words


def write_tokenizer_config(folder, **settings):
    folders.write(folder, {})
    file = folder / "tokenizer_config.json"
    file.write_text(json.dumps(settings))
    return HuggingFaceFolder(folder)


@pytest.mark.parametrize("name", ["BertTokenizerFast", "TokenizersBackend"])
def test_tokenizers_that_are_bert_s(tmp_path, name):
    folder = write_tokenizer_config(tmp_path, tokenizer_class=name)
    assert folder.vocabulary() == tiny.WORDS


def test_another_tokenizer_of_word_pieces(tmp_path):
    # Its vocab.txt has BERT's special words, and would be read as if BERT's.
    folder = write_tokenizer_config(
        tmp_path, tokenizer_class="BertJapaneseTokenizer"
    )
    with pytest.raises(ValueError, match="Japanese.* `preprocessor=None`"):
        folder.vocabulary()


def test_words_beside_the_vocabulary(tmp_path):
    folder = write_tokenizer_config(tmp_path)
    words = [{"id": 2, "content": "[CLS]"}, {"id": 20, "content": "[PERSON]"}]
    (tmp_path / "tokenizer.json").write_text(
        json.dumps({"added_tokens": words})
    )
    (tmp_path / "added_tokens.json").write_text('{"[PLACE]": 21, "cat": 7}')
    with pytest.warns(UserWarning, match=r"\(\[PERSON\], \[PLACE\]\)"):
        assert folder.vocabulary() == tiny.WORDS


def test_chinese_characters_that_stay_together(tmp_path):
    folder = write_tokenizer_config(tmp_path)
    assert folder.split_on_cjk()
    folder = write_tokenizer_config(tmp_path, tokenize_chinese_chars=False)
    assert not folder.split_on_cjk()

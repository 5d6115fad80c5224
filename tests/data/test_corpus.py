import bz2
import gzip
import itertools
import tracemalloc

import pytest
from real import folder, needs_data

from tf_distill.data import corpus, read_documents


def read(path, layout="blank_line", **options):
    return [
        (document.title, document.text, document.line)
        for document in read_documents(path, layout, **options)
    ]


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


BLANK = "\ufeff\n \nOne,\r\n two. \n\t\nThree\u2028three.\n\n\n\nFour"
TAGGED = (
    '<doc id="1" url="u?a=1" title="A "B"">\nA "B"\n\nText.\n\nMore.\n</doc>\n'
    '\n<doc id="2" url="u" title="Empty">\nEmpty\n\n</doc>\n'
    '<doc id="3" url="u" title="C">\nc\nText. </doc>\n\n</doc>\n'
)
JSON = r"""
{"id": "1", "url": "u", "title": "A \"B\"", "text": "Text.\n\n More.\n"}
{"id": "2", "url": "u", "title": "Empty", "text": "Empty\n"}
{"id": "3", "revid": "9", "url": "u", "title": "C", "text": "c\u2028Text."}
"""
PLAIN = "A\n\nText.\n\nMore.\n\n\nEmpty\n\n\n\n\nC\n\n \nOnly. \n"


def test_blank_lines(tmp_path):
    documents = [
        ("", "One,\ntwo.", 3),
        ("", "Three\u2028three.", 6),
        ("", "Four", 10),
    ]
    path = write(tmp_path / "a.txt", BLANK)
    assert read(path) == documents
    path = write(tmp_path / "a.txt.gz", gzip.compress(BLANK.encode()))
    assert read(str(path)) == documents
    # Members one after the other, as parallel compressors write them.
    half = len(BLANK.encode()) // 2
    parts = BLANK.encode()[:half], BLANK.encode()[half:]
    joined = b"".join(bz2.compress(part) for part in parts)
    path = write(tmp_path / "a.bz2", joined)
    assert read(path) == documents
    assert next(read_documents(path, "line")).path == str(path)


def test_lines(tmp_path):
    path = write(tmp_path / "a.txt", BLANK)
    assert read(path, "line") == [
        ("", "One,", 3),
        ("", "two.", 4),
        ("", "Three\u2028three.", 6),
        ("", "Four", 10),
    ]
    assert read(write(tmp_path / "b.txt", "word"), "line") == [("", "word", 1)]


def test_wikipedia_extractors_articles(tmp_path):
    path = write(tmp_path / "wiki_00", TAGGED)
    assert read(path, "wikipedia") == [
        ('A "B"', "Text.\nMore.", 1),
        ("C", "c\nText. </doc>", 13),
    ]
    path = write(tmp_path / "wiki_01", JSON)
    assert read(path, "wikipedia") == [
        ('A "B"', "Text.\nMore.", 2),
        ("C", "c\u2028Text.", 4),
    ]
    path = write(tmp_path / "plain.txt", PLAIN)
    assert read(path, "wikipedia") == [
        ("A", "Text.\nMore.", 1),
        ("C", "Only.", 13),
    ]


def test_folders_are_read_in_order(tmp_path):
    for name in ("AB/wiki_10", "AA/wiki_01", "AA/wiki_00", "b.TXT"):
        write(tmp_path / "corpus" / name, f"{name}\n")
    write(tmp_path / "corpus" / "AA" / "log.json", "no")
    texts = [text for _, text, _ in read(tmp_path / "corpus")]
    assert texts == ["AA/wiki_00", "AA/wiki_01", "AB/wiki_10", "b.TXT"]
    other = write(tmp_path / "z.dat", "other")
    texts = [text for _, text, _ in read([other, tmp_path / "corpus" / "AB"])]
    assert texts == ["other", "AB/wiki_10"]


@pytest.mark.parametrize(
    ("name", "content", "layout", "words"),
    [
        ("a.txt", "", "line", "holds no text"),
        ("a.txt", " \n\n", "blank_line", "holds no text"),
        ("a.txt", "\ufeff", "wikipedia", "holds no text"),
        ("a.txt.gz", gzip.compress(b""), "line", "holds no text"),
        ("a.txt.gz", b"", "line", "holds no text"),
        ("a.txt", b"x\ny\n\xffz\n", "line", "line 3: byte 0xff is not UTF-8"),
        ("a.txt", b"x\xe4", "line", "line 1: byte 0xe4"),
        ("a.txt", "x\n".encode("utf-16"), "line", "line 1: byte 0xff"),
        ("a.txt.gz", b"x\ny\n", "line", "after line 0.*[Nn]ot a gzip"),
        ("a.bz2", b"x\ny\n", "line", "after line 0.*Invalid data"),
        ("a.txt", gzip.compress(b"x"), "line", "line 1: byte 0x8b"),
        ("a.txt", "A\nText.\n\n\n", "wikipedia", "line 2: .*blank.*'A', got"),
        ("a.txt", "A\n\n\nB\n \nx\n", "wikipedia", "line 5: .*'B', got ' '"),
        (
            "a.txt",
            TAGGED[:-8],
            "wikipedia",
            "line 13: the article 'C' has no e",
        ),
        ("a.txt", TAGGED + "x", "wikipedia", "line 18: 'x' is outside"),
        ("a.txt", JSON[:-9], "wikipedia", "line 4: .*no article of.*--json"),
        ("a.txt", '{"text": "x"}', "wikipedia", "line 1: .*'title'"),
        ("a.txt", JSON + "[1]", "wikipedia", "line 5: '.1.' is no article"),
        ("a.txt", r'{"title": "", "text": "\ud800"}', "wikipedia", "surrog"),
        ("a.txt", TAGGED[:40] + "\n" + TAGGED, "wikipedia", "line 3: .*within"),
    ],
)
def test_bad_files(tmp_path, name, content, layout, words):
    path = write(tmp_path / name, content)
    with pytest.raises(ValueError, match=words) as error:
        read(path, layout)
    assert str(path) in str(error.value)


def test_a_bad_file_of_many_is_named(tmp_path):
    write(tmp_path / "a.txt", "one\n")
    write(tmp_path / "b.txt", "two\n\xff".encode("latin-1"))
    documents = read_documents(tmp_path, "line")
    assert next(documents).text == "one" and next(documents).text == "two"
    with pytest.raises(ValueError, match=r"b\.txt, line 2: "):
        next(documents)


@pytest.mark.parametrize("suffix", [".gz", ".bz2"])
def test_cut_within_a_member(tmp_path, suffix):
    compress = {".gz": gzip.compress, ".bz2": bz2.compress}[suffix]
    lines = b"".join(b"%d is a line\n" % n for n in range(150_000))
    whole = compress(lines)
    path = write(tmp_path / f"a{suffix}", whole[: len(whole) * 3 // 4])
    read_lines = []
    with pytest.raises(ValueError, match="cannot be read further") as error:
        for document in read_documents(path, "line"):
            read_lines.append(document.text)
    # What was whole came, and the message says how far it went.
    assert f"after line {len(read_lines)}:" in str(error.value)
    assert 10_000 < len(read_lines) < 150_000
    assert read_lines == [f"{n} is a line" for n in range(len(read_lines))]
    # A second member of which only the head is there; and one bit turned.
    path = write(path, compress(b"one\n") + whole[:5])
    with pytest.raises(ValueError, match="after line 1:"):
        read(path, "line")
    turned = bytearray(compress(b"one\n"))
    turned[len(turned) // 2] ^= 4
    with pytest.raises(ValueError, match="cannot be read further"):
        read(write(path, bytes(turned)), "line")


def test_a_line_of_100_megabytes_is_refused(tmp_path):
    path = tmp_path / "a.txt.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(b"short\n")
        for _ in range(100):
            file.write(b"x" * 2**20)
    for layout in ("line", "blank_line", "wikipedia"):
        with pytest.raises(ValueError, match="line 2: the line is larger than"):
            read(path, layout)


def test_a_document_without_end_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(corpus, "LARGEST_DOCUMENT", 1000)
    lines = "x" * 99 + "\n"
    path = write(tmp_path / "a.txt", "\n" + lines * 10)
    assert len(read(path)) == 1
    path = write(tmp_path / "b.txt", "\n" + lines * 11)
    with pytest.raises(ValueError, match="line 2: the document that begins"):
        read(path)
    path = write(tmp_path / "c.txt", f"\nTitle\n\n{lines * 11}")
    with pytest.raises(ValueError, match="line 2: the document that begins"):
        read(path, "wikipedia")
    path = write(tmp_path / "d.txt", f"\n<doc >\n\n{lines * 11}")
    with pytest.raises(ValueError, match="line 2: the document that begins"):
        read(path, "wikipedia")


def test_memory_does_not_grow(tmp_path):
    peaks = []
    for count in (2_000, 20_000):
        path = tmp_path / f"{count}.gz"
        with gzip.open(path, "wb", compresslevel=1) as file:
            for n in range(count):
                file.write(b"A line of the document number %d.\n\n" % n)
        tracemalloc.start()
        assert sum(1 for _ in read_documents(path, "blank_line")) == count
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] * 1.2 and peaks[1] < 1_000_000


def test_damaged_characters_can_be_let_through(tmp_path):
    path = write(tmp_path / "a.txt", b"x\xffy")
    assert read(path, encoding_errors="replace") == [("", "x\ufffdy", 1)]


def test_bad_arguments(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"absent\.txt"):
        read_documents(tmp_path / "absent.txt", "line")
    with pytest.raises(FileNotFoundError, match="wiki_00"):
        read_documents(tmp_path, "line")
    with pytest.raises(ValueError, match="layout='lines'.*blank_line"):
        read_documents(tmp_path, "lines")
    with pytest.raises(ValueError, match="encoding_errors='ignore'"):
        read_documents(tmp_path, "line", encoding_errors="ignore")


@needs_data
def test_the_whole_of_real_wikipedia():
    articles = words = 0
    path = folder() / "wikipedia_en_AA.txt.gz"
    for article in read_documents(path, "wikipedia"):
        articles += 1
        assert article.title and "\n" not in article.title
        assert "\n\n" not in article.text
        words += len(article.title.split()) + len(article.text.split())
    assert (articles, words) == (5_920, 16_245_959)


@needs_data
def test_real_lines():
    path = folder() / "wikitext2_valid.txt"
    lines = read_documents(path, "line")
    assert next(lines).text == "= Homarus gammarus ="
    words = sum(len(line.text.split()) for line in itertools.chain(lines))
    assert words + 4 == 213_886

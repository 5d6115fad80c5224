from tf_distill.export import model_card

ROWS = [
    {
        "name": "teacher",
        "accuracy": 0.8123,
        "retained_accuracy": None,
        "parameters": 22_713_216,
        "flops": 1_247_477_712,
    },
    {
        "name": "thin | student",
        "accuracy": 0.79,
        "retained_accuracy": 0.97253,
        "parameters": 14_350_248,
        "flops": None,
    },
]


def write(path, **changes):
    arguments = {
        "name": "tiny",
        "summary": "Tweets in, sentiments out.",
        "rows": ROWS,
        "config": {"seed": 1, "folder": path},
        "licence": "apache-2.0",
        "data": "Tweets.",
        "limits": "English only.",
        **changes,
    }
    return model_card(path / "README.md", **arguments).read_text("utf-8")


def test_header(tmp_path):
    _, header, _ = write(tmp_path).split("---\n", 2)
    fields = dict(line.split(": ", 1) for line in header.splitlines())
    assert fields["license"] == '"apache-2.0"'
    assert fields["library_name"] == "keras"
    # What was not measured is not claimed.
    assert fields["metrics"] == '["accuracy"]'
    assert "knowledge-distillation" in fields["tags"]


def test_what_hubs_file_it_under(tmp_path):
    assert "\npipeline_tag: text-classification\n" in write(tmp_path)
    card = write(tmp_path, pipeline_tag="fill-mask")
    assert card.count("pipeline_tag") == 1
    assert "\npipeline_tag: fill-mask\n" in card
    assert "pipeline_tag" not in write(tmp_path, pipeline_tag=None)


def test_table(tmp_path):
    card = write(tmp_path)
    table = [line for line in card.splitlines() if line.startswith("|")]
    assert table == [
        "| model | accuracy | accuracy kept | parameters, M | GFLOPs |",
        "| --- | ---: | ---: | ---: | ---: |",
        "| teacher | 81.23% |  | 22.71 | 1.247 |",
        r"| thin \| student | 79.00% | 97.3% | 14.35 |  |",
    ]


def test_everything_given_is_in_it(tmp_path):
    card = write(tmp_path, limits="Übermäßig kurz.")
    for text in ["# tiny", "Tweets in", '"seed": 1', "Übermäßig kurz."]:
        assert text in card
    assert str(tmp_path) in card  # paths are written, not refused

import json

import numpy as np
import pytest
import tiny

from tf_distill.models import BertTextClassifier, TinyBertTextClassifier


def test_a_bert_head_s_weights_give_other_logits():
    inputs = tiny.batch()
    stock = tiny.classifier(cls=BertTextClassifier)
    ours = tiny.classifier(cls=TinyBertTextClassifier)
    tiny.assert_same_weights(tiny.weights_of(stock), tiny.weights_of(ours))
    assert not np.allclose(stock(inputs), ours(inputs), atol=1e-2)


@pytest.mark.parametrize("cls", [BertTextClassifier, TinyBertTextClassifier])
def test_the_paper_s_head_and_its_code_s(cls):
    """The code has a ReLU on what the pooler returns; the paper tells none."""
    classifier, inputs = tiny.classifier(cls=cls), tiny.batch()
    pooled = np.asarray(classifier.backbone(inputs)["pooled_output"])
    kernel, bias = (w.numpy() for w in classifier.head.weights)
    paper = pooled @ kernel + bias
    code = np.maximum(pooled, 0.0) @ kernel + bias
    assert abs(paper - code).max() > 0.1
    expected = code if cls is TinyBertTextClassifier else paper
    np.testing.assert_allclose(classifier(inputs), expected, atol=1e-5)


def test_no_dropout_in_the_head(tmp_path):
    encoder = tiny.backbone(dropout=0.0)
    with pytest.raises(ValueError, match="head has no dropout.*dropout=0.9"):
        TinyBertTextClassifier(encoder, num_classes=3, dropout=0.9)
    ours = TinyBertTextClassifier(encoder, num_classes=3)
    inputs = tiny.batch()
    np.testing.assert_array_equal(
        ours(inputs, training=True), ours(inputs, training=False)
    )
    # Presets of before the refusal hold the default of BERT's head.
    ours.save_to_preset(tmp_path)
    file = tmp_path / "task.json"
    saved = json.loads(file.read_text())
    saved["config"]["dropout"] = 0.1
    file.write_text(json.dumps(saved))
    again = TinyBertTextClassifier.from_preset(tmp_path)
    np.testing.assert_array_equal(again(inputs), ours(inputs))
    assert again.dropout == 0.0


def test_a_preset_s_dropout_is_the_encoder_s(tmp_path):
    tiny.classifier(cls=TinyBertTextClassifier).save_to_preset(tmp_path)
    ours = TinyBertTextClassifier.from_preset(tmp_path, dropout=0.4)
    assert (ours.backbone.dropout, ours.dropout) == (0.4, 0.0)

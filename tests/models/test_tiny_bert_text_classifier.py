import numpy as np
import tiny

from tf_distill.models import BertTextClassifier, TinyBertTextClassifier


def test_a_bert_head_s_weights_give_other_logits():
    inputs = tiny.batch()
    stock = tiny.classifier(cls=BertTextClassifier)
    ours = tiny.classifier(cls=TinyBertTextClassifier)
    tiny.assert_same_weights(tiny.weights_of(stock), tiny.weights_of(ours))
    assert not np.allclose(stock(inputs), ours(inputs), atol=1e-2)


def test_no_dropout_in_the_head():
    encoder = tiny.backbone(dropout=0.0)
    ours = TinyBertTextClassifier(encoder, num_classes=3, dropout=0.9)
    inputs = tiny.batch()
    np.testing.assert_array_equal(
        ours(inputs, training=True), ours(inputs, training=False)
    )

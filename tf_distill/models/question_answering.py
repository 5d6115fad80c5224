"""What the question answering models of this package have in common.

Letters: B batch, T tokens, D hidden width.
"""

import keras
import keras_hub
from keras import ops

from tf_distill.layers import Dense
from tf_distill.models import presets
from tf_distill.models.accepts_tokens import AcceptsTokens
from tf_distill.models.encoder import (
    check_encoder,
    check_preprocessor,
    last_hidden_states,
)
from tf_distill.models.trains_part import LeavesPooler

NEVER = -10000.0  # the logit of a token that is none


class QuestionAnswering(AcceptsTokens, LeavesPooler, keras_hub.models.Task):
    """Base of the extractive question answering models.

    A dense layer scores each token as the first and as the last of the
    answer. Labels are positions: a dict of `start` and `end`, int, `(B,)`
    each; by convention [CLS], 0, where the text holds no answer.

    Padding has a logit of -10000, so that a row's softmax over its tokens
    does not depend on how far it was padded (Hugging Face's models leave that
    to who reads the logits). The question's tokens have their own logits:
    which of them may answer is a matter of the evaluation.

    Args:
        backbone: `tf_distill.models.encoder.Encoder`.
        preprocessor: of `preprocessor_cls`, or None for inputs that are token
            ids already.
        dropout: float, before the logits.

    Inputs: the backbone's. Outputs: a dict of logits, `start` and `end`,
    float32, `(B, T)` each.
    """

    hugging_face_head = "ForQuestionAnswering"
    has_published_head = True
    reads_pooler = False
    keras_hub_cls = None

    def __init__(self, backbone, preprocessor=None, dropout=0.0, **kwargs):
        check_encoder(self, backbone)
        check_preprocessor(self, backbone, preprocessor)

        # === Layers ===
        self.backbone = backbone
        self.preprocessor = preprocessor
        self.head_dropout = keras.layers.Dropout(
            dropout, dtype=backbone.dtype_policy, name="head_dropout"
        )
        self.head = Dense(
            2,
            kernel_initializer=keras.initializers.TruncatedNormal(stddev=0.02),
            dtype=backbone.dtype_policy.variable_dtype,
            name="logits",
        )

        # === Functional Model ===
        x = last_hidden_states(backbone(backbone.input))
        logits = self.head(self.head_dropout(x))  # (B, T, 2)
        real = ops.cast(backbone.input["padding_mask"], "bool")
        outputs = {
            "start": ops.where(real, logits[..., 0], NEVER),
            "end": ops.where(real, logits[..., 1], NEVER),
        }
        super().__init__(inputs=backbone.input, outputs=outputs, **kwargs)

        # === Config ===
        self.dropout = dropout

    def compile(
        self, optimizer="auto", loss="auto", *, metrics="auto", **kwargs
    ):
        """Keras', with what such a model is trained with for "auto".

        Args:
            optimizer: `"auto"` is Adam at 5e-5.
            loss: `"auto"` is the cross-entropy over the positions, of both
                outputs.
            metrics: `"auto"` is the accuracy of both positions.
            **kwargs: see `keras.Model.compile`.
        """
        if optimizer == "auto":
            optimizer = keras.optimizers.Adam(5e-5)
        if loss == "auto":
            loss = {
                name: keras.losses.SparseCategoricalCrossentropy(
                    from_logits=True
                )
                for name in self.output
            }
        if metrics == "auto":
            metrics = {
                name: [keras.metrics.SparseCategoricalAccuracy()]
                for name in self.output
            }
        super().compile(optimizer, loss, metrics=metrics, **kwargs)

    def get_config(self):
        config = super().get_config()
        config.update(dropout=self.dropout)
        return config

    @classmethod
    def from_preset(cls, preset, load_weights=True, **kwargs):
        """Builds the model from a name, a folder or a handle.

        Args:
            preset: as for the encoder's `from_preset`. A fine-tuned Hugging
                Face or Keras checkpoint brings its head.
            load_weights: bool, False gives random weights.
            **kwargs: this class's arguments; the rest goes to the backbone.

        Returns:
            A model of this class. A warning says if its head is random.

        Raises:
            ValueError: nothing of that name, or weights that do not fit.
        """
        return presets.load_task(cls, preset, load_weights, **kwargs)

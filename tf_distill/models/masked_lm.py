"""What the masked language models of this package have in common.

Letters: B batch, T tokens, P masked positions, D hidden width, V words.
"""

import keras
import keras_hub

from tf_distill.models import presets
from tf_distill.models.accepts_tokens import AcceptsTokens
from tf_distill.models.activations import activation_named
from tf_distill.models.encoder import (
    check_encoder,
    check_preprocessor,
    last_hidden_states,
)
from tf_distill.models.masked_lm_head import masked_lm_logits
from tf_distill.models.trains_part import LeavesPooler
from tf_distill.models.weighted_cross_entropy import WeightedCrossEntropy


class MaskedLM(AcceptsTokens, LeavesPooler, keras_hub.models.MaskedLM):
    """Base of the masked language models: logits at the masked positions.

    The vocabulary is scored at `mask_positions` only, by the encoder's own
    token embeddings. For logits at every token give every position.

    Args:
        backbone: `tf_distill.models.encoder.Encoder`.
        preprocessor: of `preprocessor_cls`, or None for inputs that are token
            ids already.
        next_sentence: bool, whether to tell also whether the second segment
            follows the first: 0 if it does, 1 if it is a random one. A
            subclass that can makes its features, in `next_sentence_features`.

    Inputs: the backbone's and `mask_positions`, int, `(B, P)`. Rows with
    fewer than P masked tokens are filled up with any position, and a
    `sample_weight` of 0.

    Outputs: logits, `(B, P, V)`; with `next_sentence` a dict of these,
    `masked_lm`, and `next_sentence`, `(B, 2)`.
    """

    hugging_face_head = "ForMaskedLM"
    has_published_head = True
    keras_hub_cls = None

    def __init__(
        self, backbone, preprocessor=None, next_sentence=False, **kwargs
    ):
        check_encoder(self, backbone)
        check_preprocessor(self, backbone, preprocessor)

        # === Layers ===
        self.backbone = backbone
        self.preprocessor = preprocessor
        self.next_sentence = next_sentence

        # === Functional Model ===
        positions = keras.Input((None,), dtype="int32", name="mask_positions")
        outputs = backbone(backbone.input)
        logits = masked_lm_logits(
            last_hidden_states(outputs),
            positions,
            backbone.token_embedding,
            activation_named(backbone.activation),
            backbone.dtype_policy,
        )
        if next_sentence:
            follows = keras.layers.Dense(
                2,
                kernel_initializer=keras.initializers.TruncatedNormal(
                    stddev=0.02
                ),
                dtype=backbone.dtype_policy.variable_dtype,
                name="next_sentence",
            )(self.next_sentence_features(outputs))
            logits = {"masked_lm": logits, "next_sentence": follows}
        super().__init__(
            inputs={**backbone.input, "mask_positions": positions},
            outputs=logits,
            **kwargs,
        )

    @property
    def reads_pooler(self):
        """Whether the pooled [CLS] has any influence on the outputs."""
        return self.next_sentence

    def next_sentence_features(self, outputs):
        """What the next-sentence head reads, `(B, D)`."""
        raise ValueError(
            f"{type(self).__name__} has no head for next sentences: leave "
            "`next_sentence` out."
        )

    def compile(
        self,
        optimizer="auto",
        loss="auto",
        *,
        weighted_metrics="auto",
        **kwargs,
    ):
        """KerasHub's, for both outputs where there are two.

        Args:
            optimizer: `"auto"` is Adam at 5e-5.
            loss: `"auto"` is the cross-entropy of each output, its mean
                weighted by the `sample_weight`, one number a label, `(B, P)`
                and `(B,)`; their sum, as BERT was trained.
            weighted_metrics: `"auto"` is the accuracy of each output.
            **kwargs: see `keras.Model.compile`.
        """
        if loss == "auto":
            loss = WeightedCrossEntropy()
            if self.next_sentence:
                loss = {name: WeightedCrossEntropy() for name in self.output}
        if self.next_sentence and weighted_metrics == "auto":
            weighted_metrics = {
                name: [keras.metrics.SparseCategoricalAccuracy()]
                for name in self.output
            }
        super().compile(
            optimizer, loss, weighted_metrics=weighted_metrics, **kwargs
        )

    def get_config(self):
        config = super().get_config()
        config.update(next_sentence=self.next_sentence)
        return config

    @classmethod
    def from_preset(cls, preset, load_weights=True, **kwargs):
        """Builds the model from a name, a folder or a handle.

        Args:
            preset: as for the encoder's `from_preset`. A Hugging Face or Keras
                checkpoint brings its head where it has one.
            load_weights: bool, False gives random weights.
            **kwargs: this class's arguments; the rest goes to the backbone.

        Returns:
            A model of this class. A warning says if its head is random.

        Raises:
            ValueError: nothing of that name, or weights that do not fit.
        """
        return presets.load_task(cls, preset, load_weights, **kwargs)

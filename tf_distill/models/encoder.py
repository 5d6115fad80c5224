"""What the encoders of this package have in common.

Letters: B batch, T tokens, D hidden width.
"""

import functools

import keras_hub

from tf_distill.models import presets
from tf_distill.models.checked_data import checked
from tf_distill.models.tap_points import TapPoints
from tf_distill.models.token_checks import check_tokens


class Encoder(keras_hub.models.Backbone):
    """Base of the encoders: presets, and where their inner tensors are.

    A subclass sets `hugging_face`, its `tf_distill.checkpoints.Family`, and
    `keras_hub_cls`, KerasHub's encoder that computes the same, if any; and
    builds a functional model with `embeddings_dropout`, whose output the
    first block reads, and `blocks`, functional models each with a
    `DotProductAttention` named `"attention"`.
    """

    hugging_face = None
    keras_hub_cls = None

    def __call__(self, *args, **kwargs):
        check_tokens(self, args[0] if args else kwargs.get("inputs"))
        return super().__call__(*args, **kwargs)

    def fit(self, x=None, *args, **kwargs):
        validation = kwargs.get("validation_data")
        with self._checked(x, validation) as (x, validation):
            if validation is not None:
                kwargs["validation_data"] = validation
            return super().fit(x, *args, **kwargs)

    def evaluate(self, x=None, *args, **kwargs):
        with self._checked(x) as (x,):
            return super().evaluate(x, *args, **kwargs)

    def predict(self, x, *args, **kwargs):
        with self._checked(x) as (x,):
            return super().predict(x, *args, **kwargs)

    def _checked(self, *data):
        return checked(functools.partial(check_tokens, self), *data)

    def tap_points(self):
        """Where the embeddings, hidden states and attention are."""
        return TapPoints(
            embeddings=self.embeddings_dropout,
            blocks=tuple(self.blocks),
            attention=tuple(b.get_layer("attention") for b in self.blocks),
        )

    @classmethod
    def from_preset(cls, preset, load_weights=True, **kwargs):
        """Builds the encoder from a name, a folder or a handle.

        Args:
            preset: a named architecture (`tf_distill.models.ARCHITECTURES`,
                with `load_weights=False`), a folder in Keras' or Hugging
                Face's format, an `hf://` handle, a KerasHub preset, or a
                TensorFlow 1 checkpoint of Google's: its path or its folder,
                with `bert_config.json` and `vocab.txt`.
            load_weights: bool, False gives random weights.
            **kwargs: constructor arguments that replace the preset's.

        Returns:
            An encoder of this class.

        Raises:
            ValueError: nothing of that name, one of another class, or weights
                that do not fit.

        Example:
            >>> from tf_distill.models import BertBackbone
            >>> backbone = BertBackbone.from_preset(
            ...     "bert_tiny_2l_128d", load_weights=False)
            >>> f"{backbone.count_params():,}"
            '4,385,920'
        """
        return presets.load_backbone(cls, preset, load_weights, **kwargs)


def last_hidden_states(outputs):
    """The last hidden states, `(B, T, D)`, of what an encoder returns.

    Args:
        outputs: these, or a dict with more beside them, as BERT returns.
    """
    return outputs["sequence_output"] if isinstance(outputs, dict) else outputs


def check_num_layers(num_layers):
    """Raises where an encoder would have no block.

    Args:
        num_layers: int.

    Raises:
        ValueError: it is less than 1.
    """
    if num_layers < 1:
        raise ValueError(
            f"`num_layers` is {num_layers}, but an encoder has 1 block at "
            "least: embeddings alone attend to nothing."
        )


def check_encoder(task, backbone):
    """Raises where a task is given an encoder that its head cannot read.

    Args:
        task: of `tf_distill.models`, under construction.
        backbone: what it was given.

    Raises:
        ValueError: it is not of the task's `backbone_cls`.
    """
    if not isinstance(backbone, task.backbone_cls):
        found = type(backbone)
        raise ValueError(
            f"{type(task).__name__} reads what a tf_distill.models."
            f"{task.backbone_cls.__name__} returns, but `backbone` is a "
            f"{found.__module__}.{found.__name__}: choose the task of its "
            "family; KerasHub's encoders are read by `from_preset`."
        )


def check_preprocessor(task, backbone, preprocessor):
    """Raises where a task's text would become ids that its encoder has not.

    Args:
        task: of `tf_distill.models`, under construction.
        backbone: its encoder.
        preprocessor: what it was given, or None.

    Raises:
        ValueError: it is no preprocessor, or has more words than the encoder.
    """
    if preprocessor is None:
        return
    if not isinstance(preprocessor, keras_hub.models.Preprocessor):
        raise ValueError(
            f"`preprocessor` is a {type(preprocessor).__name__}, but "
            f"{type(task).__name__} needs a preprocessor: put a tokenizer into "
            f"a {task.preprocessor_cls.__name__}."
        )
    # A preset's gets its vocabulary only after the task is made.
    words = len(getattr(preprocessor.tokenizer, "vocabulary", None) or ())
    if words > backbone.vocabulary_size:
        raise ValueError(
            f"The preprocessor's tokenizer has {words:,} words, but the "
            f"encoder {backbone.vocabulary_size:,}: build the encoder with "
            f"`vocabulary_size={words}`, or use its own tokenizer."
        )

"""What the text classifiers of this package have in common.

Letters: B batch, T tokens, D hidden width, C classes.
"""

import keras
import keras_hub

from tf_distill.models import presets
from tf_distill.models.accepts_tokens import AcceptsTokens
from tf_distill.models.encoder import check_encoder, check_preprocessor

TASKS = ("classification", "multilabel", "regression")


class TextClassifier(AcceptsTokens, keras_hub.models.TextClassifier):
    """Base of the classifiers: a dense layer on features of [CLS].

    Serves classes, several labels at once and scores alike: it always gives
    logits, `(B, C)`. What they mean, `task`, is kept with the model and
    chooses the loss and metric of a `compile()` without arguments:

    - `"classification"`, one of C classes: softmax cross-entropy on class
      indices, `(B,)`;
    - `"multilabel"`, any of C labels: sigmoid cross-entropy on zeros and
      ones, `(B, C)`;
    - `"regression"`, a score (`num_classes=1`), or several: the squared error.

    A text may be a pair: the preprocessor takes a tuple of two lists. A
    subclass makes the features, in `features`.

    Args:
        backbone: `tf_distill.models.encoder.Encoder`.
        num_classes: int, C.
        preprocessor: of `preprocessor_cls`, or None for inputs that are token
            ids already.
        dropout: float, in the head.
        label_names: the C class names in the order of the logits, or None.
        task: see above; by default a regression where `num_classes` is 1, else
            a classification.

    Raises:
        ValueError: `label_names` is not as long as `num_classes`, or there is
            no such `task`, or one class to choose from.
    """

    hugging_face_head = "ForSequenceClassification"
    reads_pooler = True
    # Whether Hugging Face's and KerasHub's heads of the encoder compute what
    # this one does, so that theirs can be read.
    has_published_head = True
    keras_hub_cls = None

    def __init__(
        self,
        backbone,
        num_classes,
        preprocessor=None,
        dropout=0.1,
        label_names=None,
        task=None,
        **kwargs,
    ):
        self.task = _task(task, num_classes)
        check_label_names(label_names, num_classes)
        check_encoder(self, backbone)
        check_preprocessor(self, backbone, preprocessor)

        # === Layers ===
        self.backbone = backbone
        self.preprocessor = preprocessor
        self.head_dropout = keras.layers.Dropout(
            dropout, dtype=backbone.dtype_policy, name="head_dropout"
        )
        # Logits stay in the variables' dtype: a softmax in half precision
        # leaves about two digits of a probability.
        self.head = keras.layers.Dense(
            num_classes,
            kernel_initializer=keras.initializers.TruncatedNormal(stddev=0.02),
            dtype=backbone.dtype_policy.variable_dtype,
            name="logits",
        )

        # === Functional Model ===
        logits = self.head(self.features(backbone(backbone.input)))
        super().__init__(inputs=backbone.input, outputs=logits, **kwargs)

        # === Config ===
        self.num_classes = num_classes
        self.dropout = dropout
        self.label_names = None if label_names is None else list(label_names)

    def features(self, outputs):
        """What the head reads, `(B, D)`, from what the backbone returns."""
        raise NotImplementedError

    def get_config(self):
        config = super().get_config()
        config.update(
            num_classes=self.num_classes,
            dropout=self.dropout,
            label_names=self.label_names,
            task=self.task,
        )
        return config

    def compile(
        self, optimizer="auto", loss="auto", *, metrics="auto", **kwargs
    ):
        """KerasHub's, with the loss and the metric of the `task` for "auto".

        Args:
            optimizer: `"auto"` is Adam at 5e-5.
            loss: `"auto"` is the task's; see the class.
            metrics: `"auto"` is accuracy, or of a regression the root of the
                mean squared error.
            **kwargs: see `keras.Model.compile`.
        """
        if loss == "auto" and self.task == "multilabel":
            loss = keras.losses.BinaryCrossentropy(from_logits=True)
        elif loss == "auto" and self.task == "regression":
            loss = keras.losses.MeanSquaredError()
        if metrics == "auto" and self.task == "multilabel":
            # A probability of one half is a logit of zero.
            metrics = [keras.metrics.BinaryAccuracy(threshold=0.0)]
        elif metrics == "auto" and self.task == "regression":
            metrics = [keras.metrics.RootMeanSquaredError()]
        super().compile(optimizer, loss, metrics=metrics, **kwargs)

    @classmethod
    def from_preset(cls, preset, load_weights=True, **kwargs):
        """Builds the classifier from a name, a folder or a handle.

        Args:
            preset: as for the encoder's `from_preset`. A fine-tuned Hugging
                Face or Keras checkpoint brings its head and its label names.
            load_weights: bool, False gives random weights.
            **kwargs: `num_classes`, `dropout`, `label_names`, `task`,
                `preprocessor`; the rest goes to the backbone. A given
                `num_classes` makes a new, random head.

        Returns:
            A classifier of this class.

        Raises:
            ValueError: nothing of that name, weights that do not fit, or a
                checkpoint without a head and no `num_classes`.
        """
        return presets.load_task(cls, preset, load_weights, **kwargs)


def _task(task, num_classes):
    """The task of a number of classes, checked."""
    if task is None:
        return "regression" if num_classes == 1 else "classification"
    if task not in TASKS:
        raise ValueError(
            f"`task` is {task!r}, but must be one of {', '.join(TASKS)}."
        )
    if task == "classification" and num_classes == 1:
        raise ValueError(
            "A classification among `num_classes=1` always chooses it: for a "
            "yes or no use two classes, or one label with task='multilabel'."
        )
    return task


def check_label_names(label_names, num_classes):
    """Raises unless each class has a name of its own, or none has any."""
    if label_names is not None and len(label_names) != num_classes:
        raise ValueError(
            f"{num_classes} classes need as many `label_names`, but there "
            f"are {len(label_names)}: {list(label_names)}."
        )
    if label_names is not None and len(set(label_names)) < num_classes:
        raise ValueError(
            f"`label_names` are {list(label_names)}: labels are told apart by "
            "name, so give each a name of its own."
        )

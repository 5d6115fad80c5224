"""Trains the quickstart's models with Keras' own `compile` and `fit`.

Copy this file and what it imports along with the recipe that you copy.

Letters in shapes: `N` rows, `C` classes.
"""

from progress_line import on_terminal, say


class TweetJob:
    """Tweets as batches, models that learn from them, and what these say.

    Args:
        run: path of the run folder.
        size: `quickstart.Size`.
        seed: int, of the order of batches.
        tables: dict of `Table` by split: train, dev and test.
        tokenizer: of all the models.
    """

    def __init__(self, run, size, seed, tables, tokenizer):
        import tf_distill as td

        self.run, self.size, self.seed = run, size, seed
        self.tables = tables
        self.encoded = {
            name: td.data.encode(table, tokenizer, max_length=size.max_length)
            for name, table in tables.items()
        }

    def batches(self, split):
        """Labelled batches of a split."""
        import tf_distill as td

        return td.data.BucketedBatches(
            self.encoded[split],
            self.tables[split].labels,
            batch_size=self.size.batch_size if split == "train" else 64,
            multiple=2,  # without XLA every length runs the same graph
            shuffle=split == "train",
            seed=self.seed,
        )

    def fit(self, name, model, epochs, learning_rate, label_weight=1.0):
        """Fits a model, unless it is trained already.

        Args:
            name: of the model, and of its weights' file in the run folder.
            model: a classifier, or the Distiller of one.
            epochs: int.
            learning_rate: float, the highest of the schedule.
            label_weight: float, of the loss on labels.

        Raises:
            ValueError: the loss became something else than a number.
        """
        import keras

        import tf_distill as td

        trained = getattr(model, "student", model)
        weights = self.run / f"{name}.weights.h5"
        if weights.exists():
            say(f"{name}: trained already.")
            trained.load_weights(weights)
            return
        data = self.batches("train")
        say(f"{name}: {epochs} epochs of {len(self.tables['train'])} tweets.")
        self._compile(model, epochs * len(data), learning_rate, label_weight)
        partial = self.run / f"{name}.partial.csv"
        history = model.fit(
            data,
            validation_data=self.batches("dev"),
            epochs=epochs,
            shuffle=False,  # the batches shuffle themselves
            verbose=0,
            callbacks=[
                td.distillation.Progress(name),
                keras.callbacks.CSVLogger(partial),
                keras.callbacks.TensorBoard(self.run / "tensorboard" / name),
                keras.callbacks.TerminateOnNaN(),
            ],
        ).history["loss"]
        if not abs(history[-1]) < float("inf"):
            raise ValueError(
                f"{name}: the loss is no longer a number; nothing was saved. "
                f"Lower its learning rate, now {learning_rate}."
            )
        partial.replace(self.run / f"{name}.csv")
        # Forgets its optimizer, which would be saved too.
        trained.compile(run_eagerly=self.size.run_eagerly)
        unfinished = self.run / f"{name}.partial.weights.h5"
        trained.save_weights(unfinished)
        unfinished.replace(weights)

    def _compile(self, model, steps, learning_rate, label_weight):
        import keras

        schedule = keras.optimizers.schedules.CosineDecay(
            0.0, steps, warmup_target=learning_rate, warmup_steps=steps // 10
        )
        optimizer = keras.optimizers.AdamW(
            schedule, weight_decay=self.size.weight_decay, global_clipnorm=1.0
        )
        optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
        # Here, where it is done eagerly; within `fit` it costs a second trace.
        optimizer.build(model.trainable_variables)
        labels = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(
            optimizer,
            loss=labels if label_weight else None,
            loss_weights=[label_weight] if label_weight else None,
            # Made here, as "accuracy" would be made in the graph.
            metrics=[keras.metrics.SparseCategoricalAccuracy("accuracy")],
            # By default Keras compiles with XLA, anew for every length.
            jit_compile=False,
            run_eagerly=self.size.run_eagerly,
        )

    def logits(self, name, model, split):
        """What a model says of a split, `(N, C)`."""
        model.compile(jit_compile=False, run_eagerly=self.size.run_eagerly)
        say(f"Scoring {name} on {split}.")
        data = self.batches(split)
        return data.restore(model.predict(data, verbose=int(on_terminal())))

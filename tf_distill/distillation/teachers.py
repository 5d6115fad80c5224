"""One teacher or several, as one network that reads the Distiller's batches."""

import keras
from keras import tree

from tf_distill.distillation.cache_fingerprint import teacher_fingerprint
from tf_distill.distillation.compatibility import check_vocabularies
from tf_distill.distillation.not_a_number import check_weights
from tf_distill.distillation.tapped import OUTPUT, check_functional, tapped
from tf_distill.models.token_checks import check_tokens


def full_signal(teacher, signal):
    """A signal's name among those of all teachers.

    Args:
        teacher: str, or None where there is only one.
        signal: its name in `tf_distill.distillation.tapped`.

    Example:
        >>> from tf_distill.distillation.teachers import full_signal
        >>> full_signal("large", "hidden_states/3"), full_signal(None, "output")
        ('large:hidden_states/3', 'output')
    """
    return signal if teacher is None else f"{teacher}:{signal}"


def role_of(signal):
    """The kind of a signal: the first part of its name, without the teacher.

    Example:
        >>> from tf_distill.distillation.teachers import role_of
        >>> role_of("large:output/start"), role_of("layer/output")
        ('output', 'layer')
    """
    return signal.partition("/")[0].rpartition(":")[2]


class Teachers:
    """One teacher, or several by name, and the inputs that each reads.

    Args:
        teacher: functional `keras.Model`, or a dict of them by name.
        prefixes: what a teacher's inputs are named with in a batch, before
            their own names: a str for all, or a dict by teacher. A teacher
            without a prefix reads the student's.

    Attributes:
        models: dict of models by name, which is None for a single one.
        prefixes: dict of str by name, "" where there is none.

    Raises:
        ValueError: no teacher, or names that cannot be.
    """

    def __init__(self, teacher, prefixes=None):
        self.models = (
            dict(teacher) if isinstance(teacher, dict) else {None: teacher}
        )
        if isinstance(teacher, dict):
            _check_names(teacher)
        if isinstance(prefixes, str):
            prefixes = dict.fromkeys(self.models, prefixes)
        unknown = sorted(map(str, set(prefixes or {}) - set(self.models)))
        if unknown:
            raise ValueError(
                f"`teacher_inputs` names the teachers {unknown}, but "
                f"{self._known()}."
            )
        self.prefixes = {n: (prefixes or {}).get(n, "") for n in self.models}

    def variables_beside(self, others):
        """Those of all teachers, each once, that are not among others.

        Args:
            others: variables of the student, which may share layers with a
                teacher; on JAX a step may not be given a variable twice.
        """
        found = {id(v): v for m in self.models.values() for v in m.variables}
        for variable in others:
            found.pop(id(variable), None)
        return list(found.values())

    @property
    def fingerprint(self):
        """What tells their weights, layers and inputs from others', a dict."""
        found = {}
        for name, model in self.models.items():
            whose = f"teacher {name}" if name else "teacher"
            found |= teacher_fingerprint(model, name)
            found[f"{whose} inputs"] = self.prefixes[name]
        return found

    def check(self, student):
        """Raises where a teacher cannot teach a student at all.

        Raises:
            ValueError: a model that is not functional, the student itself,
                NaN in a weight, or a teacher that reads the student's token
                ids with another vocabulary.
        """
        check_functional(student)
        for name, model in self.models.items():
            check_functional(model)
            if model is student:
                raise ValueError(
                    f"{model.name!r} is both teacher and student: it has "
                    "nothing to learn from itself. Build the student as a "
                    "model of its own, such as `keras.models.clone_model`."
                )
            check_weights(model)
            if not self.prefixes[name]:
                check_vocabularies(student, model)

    def of(self, match):
        """The teacher that a match names.

        Raises:
            ValueError: it names none of several, or one that is not there.
        """
        if match.teacher not in self.models:
            raise ValueError(
                f"The match {match.name!r} has `teacher={match.teacher!r}`, "
                f"but {self._known()}."
            )
        return self.models[match.teacher]

    def check_all_used(self, matches):
        """Raises where a teacher would run for nothing."""
        unused = sorted(
            map(str, set(self.models) - {match.teacher for match in matches})
        )
        if unused:
            raise ValueError(
                f"No match names the teachers {unused}: leave them out, or "
                "give them a match with `teacher=`."
            )

    def check_tokens(self, inputs):
        """Raises where data holds ids that a teacher has no embedding for.

        Args:
            inputs: what `fit` is given, see `models.token_checks`.
        """
        for name, model in self.models.items():
            prefix = self.prefixes[name]
            if prefix and not isinstance(inputs, dict):
                continue  # the rows under batches are the student's
            own = inputs
            if prefix:
                own = {
                    key.removeprefix(prefix): x
                    for key, x in inputs.items()
                    if key.startswith(prefix)
                }
            check_tokens(model, own)

    def check_cached(self):
        """Raises where a teacher cache cannot have read what a teacher reads.

        Raises:
            ValueError: a teacher reads inputs of its own.
        """
        if any(self.prefixes.values()):
            raise ValueError(
                "The batch has signals of a teacher cache, whose teacher read "
                "the student's token ids, but with `teacher_inputs` it is to "
                "read its own: train beside the living teacher."
            )

    def network(self, signals):
        """One network that runs each teacher once.

        Args:
            signals: names, of several teachers as `full_signal` has them.

        Returns:
            functional `keras.Model` over the teachers' weights, its inputs
            named as in the batch, with a dict of outputs that has the signals.

        Raises:
            ValueError: a teacher has no such signal, or inputs that cannot be
                told apart by name.
        """
        if self.prefixes == {None: ""}:
            return tapped(self.models[None], _inner(signals))
        inputs, outputs = {}, {}
        for name, model in self.models.items():
            own = {s: full_signal(name, s) for s in _own(name, signals)}
            taps = tapped(model, _inner(own))
            found = taps(self._inputs(name, taps, inputs))
            outputs |= {full: found[signal] for signal, full in own.items()}
        if None in inputs:  # they are no dict
            inputs = inputs[None]
        return keras.Model(inputs, outputs, name="teachers")

    def _inputs(self, name, taps, inputs):
        """A teacher's inputs, of which those that are new join the others."""
        prefix, own = self.prefixes[name], taps.input
        is_dict = isinstance(own, dict)
        if (prefix and not is_dict) or (is_dict and None in inputs):
            raise ValueError(
                f"{self.models[name].name!r} reads {own}, but only teachers "
                "with a dict of inputs can read inputs of their own, or others "
                "than a second teacher: build them all with a dict."
            )
        if not is_dict:
            if None not in inputs:
                inputs[None] = tree.map_structure(_input, own)
            return inputs[None]
        for key, x in own.items():
            if prefix + key not in inputs:
                inputs[prefix + key] = _input(x, prefix + key)
        return {key: inputs[prefix + key] for key in own}

    def _known(self):
        if None in self.models:
            return "there is one teacher, which has no name"
        return f"the teachers are {', '.join(self.models)}"


def _check_names(teachers):
    bad = [
        name
        for name in teachers
        if not isinstance(name, str) or not name or "/" in name
    ]
    if bad or not teachers:
        raise ValueError(
            f"The teachers are named {list(teachers)}: give at least one, each "
            "a name without '/'."
        )


def _own(name, signals):
    """A teacher's signals, under its own names."""
    if name is None:
        return signals
    prefix = full_signal(name, "")
    return [s[len(prefix) :] for s in signals if s.startswith(prefix)]


def _inner(signals):
    """Of a model's signals, those that it does not return anyway."""
    return sorted(set(signals) - {OUTPUT})


def _input(x, name=None):
    return keras.Input(batch_shape=x.shape, dtype=x.dtype, name=name or x.name)

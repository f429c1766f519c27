"""The data sets of a sweep, each opened once."""

from __future__ import annotations

from collections.abc import Mapping

from dlsweep.config.document import Place
from dlsweep.config.words import data_files
from dlsweep.datasets.base import Dataset
from dlsweep.errors import DlsweepError, Mistake
from dlsweep.registry import Choice
from dlsweep.text import value_text


class Datasets:
    """Data sets by choice, None for those that cannot be used; and the mistakes that tell why."""

    def __init__(self) -> None:
        self.opened: dict[Choice, Dataset | None] = {}
        self.mistakes: list[Mistake] = []

    def open(self, choice: Choice, places: Mapping[str, Place], place: Place) -> Dataset | None:
        """Return the data set; None if it cannot be used.

        places: of the settings that were given; place: of the name.
        """
        from dlsweep.datasets import open_dataset

        if choice not in self.opened:
            try:
                self.opened[choice] = open_dataset(choice)
            except DlsweepError as error:
                self.opened[choice] = None
                for sentence in str(error).splitlines():
                    # The place of the setting that the sentence names, and else of the file.
                    named = [n for n in places if f"{n}: " in sentence] or [n for n in ("path",) if n in places]
                    self.mistakes.append((places[named[0]] if named else place).mistake(sentence))
        return self.opened[choice]

    def fingerprints(self) -> dict[str, str]:
        """Return the content of each data set, by its name and settings, wherever its file lies."""
        files = data_files()
        found: dict[str, list[str]] = {}
        for choice, dataset in self.opened.items():
            settings = (f"{n}={value_text(v)}" for n, v in choice.settings.items() if (choice.name, n) not in files)
            if dataset is not None:
                found.setdefault(" ".join([choice.name, *settings]), []).append(dataset.fingerprint)
        return {data: ", ".join(fingerprints) for data, fingerprints in found.items()}

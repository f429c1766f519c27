"""The textbook's loop with one forward pass for loss and accuracy together; the rest is as in `bench.textbook`."""

from __future__ import annotations

from functools import partial

import numpy as np

from bench import common, textbook


class Network(textbook.Network):
    """Both metrics from the same logits."""

    def evaluate(self, x, t):
        logits = self.predict(x)
        return self.criterion.forward(logits, t), np.mean(logits.argmax(axis=1) == t.argmax(axis=1))


if __name__ == "__main__":
    common.main(common.timed(partial(textbook.train, network=Network), "numpy"))

"""A training whose minibatches a test chooses, step by step."""

from dlsweep.training.initial import first_state
from dlsweep.training.loop import Training
from dlsweep.training.observers.curves import Curves
from dlsweep.training.observers.predictions import Predictions


class ByHand:
    """A stack in training; `step` and `evaluate` take the minibatch of each seed."""

    def __init__(self, runs, data, dtype):
        self.training = Training(runs, data, dtype)
        # A training by hand may end without an evaluation of its last network.
        observers = self.training.observers
        self.training.observers = [one for one in observers if not isinstance(one, Predictions)]
        self.gather = self.training.samples.gather
        self.split = self.training.samples.split

    @property
    def state(self):
        return self.training.state

    @property
    def parameters(self):
        return self.state.parameters

    @parameters.setter
    def parameters(self, parameters):
        self.state.parameters = parameters

    @property
    def slots(self):
        return self.state.slots

    def __getattr__(self, name):
        """Forward to the stack: its network, kernels, slices, positions and data."""
        return getattr(self.training.state.stack, name)

    def begin(self, batch):
        """Initialize again, with this minibatch for the initializers that look at one."""
        self.training.state = first_state(self.state.stack, batch)

    def step(self, t, steps, batch):
        self.training.batch, self.training.steps = batch, steps
        self.training.step(t)

    def evaluate(self, t, batch):
        self.training.batch = batch
        self.training.evaluate(t)

    @property
    def rows(self):
        """Rows of the curves, by column."""
        return next(observer for observer in self.training.observers if isinstance(observer, Curves)).rows

    def result(self):
        return self.training.result(0.0)

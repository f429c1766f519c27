"""From runs to curves: cohorts and chunks (`plan`), minibatches, evaluation, and the one training loop (`loop`)."""

"""The mathematics, on arrays with a leading run axis `R`: numpy and scipy.special, no files, no config.

One stack trains many networks: a dense layer's weights are `(R, out, in)`, its learning rate `(R, 1, 1)`, and every
formula is written as if there were one network. Nothing in here mixes runs, so a run does not know its company.
"""

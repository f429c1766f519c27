"""Mathematics on arrays with a leading run axis `R`: NumPy and scipy.special, no files, no config.

One stack trains many networks: a dense layer's weights are `(R, out, in)`, its learning rate is `(R, 1, 1)`, and every
formula is written as if there were one network. No operation mixes runs: each run is independent of the others.
"""

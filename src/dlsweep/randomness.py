"""Named random streams: every draw comes from a generator named by (seed, purpose, index), and by nothing else.

Because a stream's name says all that it depends on, adding a layer, an arm or an option never shifts another stream,
and replicate *s* of every arm sees the same minibatches and the same base draws for its weights.
"""

from __future__ import annotations

from hashlib import blake2b

import numpy as np

# The layout of the streams is a contract: results that were made under another version are other results.
RANDOMNESS_VERSION = 1


def stream(seed: int, purpose: str, index: int = 0) -> np.random.Generator:
    """The generator of one purpose ("init/dense1", "batches", "subset/train", …) of one replicate.

    `index` counts what repeats within a purpose, such as epochs. The name is hashed (BLAKE2b) to the key of a Philox
    generator (Salmon et al. 2011), so streams with different names are independent.
    """
    name = f"{RANDOMNESS_VERSION}/{seed}/{purpose}/{index}"
    key = np.frombuffer(blake2b(name.encode(), digest_size=16).digest(), dtype=np.uint64)
    return np.random.Generator(np.random.Philox(key=key))

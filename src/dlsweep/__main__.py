"""`python -m dlsweep`, the same as `dlsweep`."""

import sys

if __name__ == "__main__":
    if not sys.flags.safe_path:  # the current folder comes last: a file in it may be named yaml.py
        sys.path.append(sys.path.pop(0))

    from dlsweep.cli import main

    main()

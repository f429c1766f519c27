"""`python -m dlsweep`, the same as `dlsweep`."""

from dlsweep.cli import main

if __name__ == "__main__":
    main()

"""Run `dlsweep` with the small data sets in the place of the published ones."""

import sys

from tests.support import published

from dlsweep.cli import main

published.install()
sys.argv[0] = "dlsweep"
main()

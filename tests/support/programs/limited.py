"""Run a sweep that may write files of a limited size only. Arguments: config, folder, bytes, executor."""

import json
import resource
import sys

import dlsweep
from dlsweep.errors import DlsweepError

resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), resource.RLIM_INFINITY))
try:
    dlsweep.run(json.loads(sys.argv[1]), output=sys.argv[2], executor=sys.argv[4])
except DlsweepError as error:
    print(error, file=sys.stderr)
    sys.exit(error.exit_code)

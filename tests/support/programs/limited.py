"""Run a sweep in forks, each of which may write files of a limited size only.

Arguments: the config, the executor, a folder, the sizes in bytes. A fork writes to the folder of its number. Prints for
each fork its exit code and, on stderr, its message.
"""

import json
import os
import resource
import sys
from pathlib import Path

import dlsweep
from dlsweep.errors import DlsweepError

config, executor, folder = json.loads(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
for i, size in enumerate(sys.argv[4:]):
    if not (pid := os.fork()):
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(size), resource.RLIM_INFINITY))
        try:
            dlsweep.run(config, output=folder / str(i), executor=executor, quiet=True)
        except DlsweepError as error:
            print(error, file=sys.stderr)
            sys.exit(error.exit_code)
        sys.exit()
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)

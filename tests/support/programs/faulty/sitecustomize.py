"""Install a fault in an interpreter that starts, if the environment has one."""

from tests.support import faults

faults.from_environment()

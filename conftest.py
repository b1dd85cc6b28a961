"""For every test, also for the notebooks alone."""

import os

from publish.private_home import move_in

move_in()
# How far a long task is, is for eyes; in stored outputs it would differ from run to run. Kernels inherit this.
os.environ["QUANTUTILS_PROGRESS"] = "off"

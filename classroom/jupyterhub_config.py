"""JupyterHub for one class on one Linux machine: `python -m classroom` starts it; server.md says what it does.

As root, every student is a Unix user of this machine, checked by PAM and kept apart by the system. As anybody else, all
servers run as that one user, who can read everything: only for a trial by oneself, and only when asked for.
"""

import os
import sys
from pathlib import Path

c = get_config()  # noqa: F821 - JupyterHub defines it when it reads this file
HERE = Path(__file__).resolve().parent
COURSE = HERE.parent
DATA = Path(os.environ["CLASSROOM_DATA"])  # cookie secret and database; closed to students
PUBLIC, HUB, PROXY = os.environ.get("CLASSROOM_PORTS", "8000,8081,8001").split(",")
IS_ROOT = os.geteuid() == 0

# Who may come in: the names in the roster, one a line, and nobody else.
c.Authenticator.allowed_users = set((DATA / "roster.txt").read_text().split())
if IS_ROOT:
    c.JupyterHub.authenticator_class = "pam"
    c.PAMAuthenticator.open_sessions = False  # containers have no login sessions
    c.JupyterHub.spawner_class = "jupyterhub.spawner.LocalProcessSpawner"
elif os.environ.get("CLASSROOM_PASSWORD"):
    c.JupyterHub.authenticator_class = "shared-password"
    c.SharedPasswordAuthenticator.user_password = os.environ["CLASSROOM_PASSWORD"]
    c.JupyterHub.spawner_class = "simple"
    c.SimpleLocalProcessSpawner.home_dir_template = str(DATA / "homes" / "{username}")
else:
    sys.exit("Without root, students are not kept apart: python -m classroom --no-isolation is for a trial by oneself.")

# The network: this machine alone; a web server with a certificate goes in front of it.
c.JupyterHub.bind_url = f"http://127.0.0.1:{PUBLIC}"
c.JupyterHub.hub_bind_url = f"http://127.0.0.1:{HUB}"
c.ConfigurableHTTPProxy.api_url = f"http://127.0.0.1:{PROXY}"
c.ConfigurableHTTPProxy.should_start = False  # hub.py starts it: a hub that restarts must cut nobody's connection

# What must outlive a restart: who is logged in, and whose server listens where.
c.JupyterHub.cookie_secret_file = str(DATA / "cookie_secret")
c.JupyterHub.db_url = f"sqlite:///{DATA / 'jupyterhub.sqlite'}"
c.JupyterHub.cleanup_servers = not IS_ROOT  # students' kernels go on while the hub restarts

# One student's server. Thirty start at once when the lecture begins, on two cores, so each gets time.
c.Spawner.cmd = [sys.executable, str(HERE / "student_server.py")]
c.Spawner.args = ["--MappingKernelManager.cull_idle_timeout=3600"]  # of closed notebooks: open ones keep theirs
c.Spawner.notebook_dir = "~/quantization-course"
c.Spawner.default_url = "/lab/tree/00_start_here.ipynb"
c.Spawner.mem_limit = "2G"  # of each process; see "Memory" in server.md
c.Spawner.start_timeout = c.Spawner.http_timeout = 120
c.JupyterHub.concurrent_spawn_limit = 0  # none: a page that says "too many" loses more time than a slow start
c.Spawner.environment = {
    "COURSE_NOTEBOOKS": str(COURSE / "notebooks"),
    "JUPYTER_CONFIG_PATH": str(COURSE / "tools" / "jupyter"),  # no news pop-up
    # One thread each: two threads a student make every student several times slower.
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}

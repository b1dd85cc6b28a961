"""JupyterLab for this course: no news pop-up, no update check, the whole checkout in the file browser."""

import os

c = get_config()  # noqa: F821 - Jupyter defines it when it reads this file
ROOT = os.path.dirname(os.path.abspath(__file__))
c.ServerApp.root_dir = ROOT
# In a container the only user is often root; the access token still guards the server.
c.ServerApp.allow_root = True
# Jupyter asks about its news even where the feed is switched off; tools/jupyter disables the plug-in that asks.
paths = [os.path.join(ROOT, "tools", "jupyter"), os.environ.get("JUPYTER_CONFIG_PATH", "")]
os.environ["JUPYTER_CONFIG_PATH"] = os.pathsep.join(path for path in paths if path)

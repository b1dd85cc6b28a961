"""JupyterLab for this course: no news pop-up, no update check, the whole checkout in the file browser."""

import os

c = get_config()  # noqa: F821 - Jupyter defines it when it reads this file
c.LabApp.news_url = None
c.LabApp.check_for_updates_class = "jupyterlab.NeverCheckForUpdate"
c.ServerApp.root_dir = os.path.dirname(os.path.abspath(__file__))
# In a container the only user is often root; the access token still guards the server.
c.ServerApp.allow_root = True

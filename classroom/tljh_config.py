"""This course on The Littlest JupyterHub: copy to /opt/tljh/config/jupyterhub_config.d/ (server.md has the steps)."""

c = get_config()  # noqa: F821 - JupyterHub defines it when it reads this file
COURSE = "/srv/quantization-course"
c.Spawner.cmd = ["/opt/tljh/user/bin/python", f"{COURSE}/classroom/student_server.py"]
c.Spawner.args = ["--MappingKernelManager.cull_idle_timeout=3600"]  # of closed notebooks: open ones keep theirs
c.Spawner.notebook_dir = "~/quantization-course"
c.Spawner.default_url = "/lab/tree/00_start_here.ipynb"
c.Spawner.mem_limit = "2G"  # of all a student's processes together; systemd sees to it
c.Spawner.environment = {
    "COURSE_NOTEBOOKS": f"{COURSE}/notebooks",
    "JUPYTER_CONFIG_PATH": f"{COURSE}/tools/jupyter",  # no news pop-up
    # One thread each: two threads a student make every student several times slower.
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}

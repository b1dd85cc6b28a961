"""The server for a class: the configuration, the recipes, and two students in earnest."""

import asyncio
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from classroom import installation, student_server
from classroom.hub import free_ports
from classroom.load_test import lesson_run, report

yaml = pytest.importorskip("yaml")  # JupyterLab brings it; the course pins it nowhere
ROOT = Path(__file__).resolve().parents[1]
CLASSROOM = ROOT / "classroom"


def pin(name):
    """The version that classroom/requirements.txt pins."""
    return re.search(rf"^{name}==(.+)$", (CLASSROOM / "requirements.txt").read_text(), re.MULTILINE)[1]


# The student's server


def test_memory_is_limited_for_what_is_started_and_a_cell_gets_an_error():
    code = "from classroom.student_server import limit_memory\nlimit_memory('400000000')\nbytearray(900_000_000)"
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.stderr.strip().endswith("MemoryError")
    assert student_server.limit_memory("") is None


@pytest.mark.parametrize("given", ["2G", "-1", "1.5"])
def test_a_limit_that_is_no_number_of_bytes_is_refused(given):
    with pytest.raises(
        ValueError, match=re.escape(f"MEM_LIMIT: a whole number of bytes is needed, and it is {given!r}")
    ):
        student_server.limit_memory(given)


def test_lessons_that_cannot_be_handed_out_do_not_keep_the_server_from_starting(tmp_path, monkeypatch, capsys):
    started = []
    monkeypatch.setattr(os, "execv", lambda *command: started.append(command))
    monkeypatch.setenv("COURSE_NOTEBOOKS", str(tmp_path / "nothing"))
    monkeypatch.setenv("JUPYTERHUB_ROOT_DIR", str(tmp_path / "own"))
    monkeypatch.delenv("MEM_LIMIT", raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", "")
    student_server.main(["--debug"])
    server = ["-P", "-m", "jupyterhub.singleuser", "--KernelManager.transport=ipc", "--debug"]
    assert started == [(sys.executable, [sys.executable, *server])]
    sockets = Path(os.environ["JUPYTER_RUNTIME_DIR"])
    assert (sockets.parent, sockets.stat().st_mode & 0o777) == (tmp_path, 0o700)
    assert "a folder with notebooks is needed" in capsys.readouterr().err


# The configuration


class Settings(dict):
    """What JupyterHub gives a configuration file as `c`: any section, any setting."""

    def __getattr__(self, name):
        return self.setdefault(name, Settings())

    def __setattr__(self, name, value):
        self[name] = value


def configuration(name, **given):
    """The settings that a configuration file makes in this environment."""
    settings = Settings()
    path = CLASSROOM / name
    exec(compile(path.read_text(), path, "exec"), {"get_config": lambda: settings, "__file__": str(path)} | given)
    return settings


@pytest.fixture
def hub_settings(tmp_path, monkeypatch):
    """jupyterhub_config.py's settings for a user number, with two names on the roster."""
    (tmp_path / "roster.txt").write_text("ada\nalan\n")
    monkeypatch.setenv("CLASSROOM_DATA", str(tmp_path))
    monkeypatch.delenv("CLASSROOM_PASSWORD", raising=False)

    def read(uid):
        monkeypatch.setattr(os, "geteuid", lambda: uid)
        return configuration("jupyterhub_config.py")

    return read


def test_as_root_students_are_unix_users_and_outlive_the_hub(hub_settings):
    settings = hub_settings(0)
    assert settings.Authenticator.allowed_users == {"ada", "alan"}
    assert settings.JupyterHub.authenticator_class == "pam"
    assert settings.JupyterHub.spawner_class == "jupyterhub.spawner.LocalProcessSpawner"
    assert settings.JupyterHub.cleanup_servers is False


def test_without_root_it_starts_only_when_a_trial_without_isolation_is_asked_for(hub_settings, monkeypatch):
    with pytest.raises(SystemExit, match="students are not kept apart"):
        hub_settings(1000)
    monkeypatch.setenv("CLASSROOM_PASSWORD", "correct horse")
    settings = hub_settings(1000)
    assert settings.JupyterHub.spawner_class == "simple"
    assert settings.SharedPasswordAuthenticator.user_password == "correct horse"


def test_nothing_listens_beyond_this_machine(hub_settings):
    settings = hub_settings(0)
    addresses = [settings.JupyterHub.bind_url, settings.JupyterHub.hub_bind_url, settings.ConfigurableHTTPProxy.api_url]
    assert [address.rpartition(":")[0] for address in addresses] == ["http://127.0.0.1"] * 3


def test_limits_and_threads_are_the_same_on_every_kind_of_server(hub_settings):
    values = yaml.safe_load((CLASSROOM / "kubernetes" / "values.yaml").read_text())["singleuser"]
    one_thread = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    assert values["extraEnv"] == one_thread
    assert values["memory"]["limit"] == "2G"
    for settings in (hub_settings(0), configuration("tljh_config.py")):
        assert settings.Spawner.mem_limit == values["memory"]["limit"]
        assert settings.Spawner.default_url == values["defaultUrl"]
        assert one_thread.items() <= settings.Spawner.environment.items()
        assert Path(settings.Spawner.cmd[1]).name == Path(values["cmd"][1]).name == "student_server.py"


# Recipes and pins


def test_the_values_for_kubernetes_run_the_pinned_series():
    text = (CLASSROOM / "kubernetes" / "values.yaml").read_text()
    chart, runs = re.search(r"Helm chart ([\d.]+), which runs JupyterHub ([\d.]+)\)", text).groups()
    # The hub in the cluster and Jupyter in the image must agree in the first two numbers.
    assert runs.split(".")[:2] == pin("jupyterhub").split(".")[:2]
    assert f"--version {chart}" in (CLASSROOM / "server.md").read_text()


def test_the_image_has_the_pins_the_right_python_and_all_that_is_needed():
    lines = (CLASSROOM / "kubernetes" / "Dockerfile").read_text()
    environment = (ROOT / "environment.yml").read_text()
    assert re.search(r"FROM python:([\d.]+)-", lines)[1] == re.search(r"python=([\d.]+)", environment)[1]
    assert "--requirement requirements.txt --requirement classroom/requirements.txt" in lines
    assert not re.search(r"==\d", lines)  # every pin is in the two files
    for copied in re.findall(r"^COPY (.+) \S+$", lines, re.MULTILINE):
        assert all((ROOT / path).exists() for path in copied.split())


def test_the_servers_pins_leave_those_of_the_course_alone():
    own = dict(line.split("==") for line in (CLASSROOM / "requirements.txt").read_text().splitlines() if "==" in line)
    course = (ROOT / "requirements.txt").read_text()
    assert not [name for name in own if re.search(rf"^{name}==", course, re.MULTILINE)]
    proxy = json.loads((CLASSROOM / "package.json").read_text())["dependencies"]["configurable-http-proxy"]
    lock = json.loads((CLASSROOM / "package-lock.json").read_text())["packages"]
    assert lock["node_modules/configurable-http-proxy"]["version"] == proxy


def test_the_table_in_server_md_is_the_recorded_report():
    recorded = json.loads(report.RESULTS.read_text())
    page = report.PAGE.read_text()
    assert page.partition(report.BEGIN)[2].partition(report.END)[0].strip() == report.table(recorded).strip()


def test_the_recorded_report_is_of_thirty_students_on_two_cores():
    recorded = json.loads(report.RESULTS.read_text())
    assert recorded["cores"] == 2
    assert {one["students"] for one in recorded["lessons"].values()} == {30}
    assert [one["what"] for one in recorded["restarts"]] == ["hub", "hub and all students' servers"]
    limit = 2e9 / 2**20
    assert all(one["kernel_data_mib"]["largest"] < limit for one in recorded["lessons"].values())


def test_a_kernel_that_never_answers_is_restarted_by_its_student(monkeypatch):
    monkeypatch.setattr(lesson_run, "PATIENCE", 0.01)

    class Kernel:
        restarts = 0

        async def execute(self, source):
            await asyncio.sleep(0 if self.restarts == 2 else 60)

        async def restart(self):
            self.restarts += 1

    class Client:
        kernels = 0

        async def kernel(self, path):
            self.kernels += 1
            return Kernel()

    client = Client()
    kernel = asyncio.run(lesson_run._quiet_kernel(client, "01_first.ipynb"))
    assert (client.kernels, kernel.restarts) == (1, 2)


def test_ports_are_free_and_differ():
    assert len(set(free_ports(3))) == 3


# In earnest


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="only root can make two Unix users")
@pytest.mark.skipif(
    not installation.installed(), reason="JupyterHub is not installed: .venv/bin/python -m classroom brings it"
)
def test_two_students_finish_keep_their_work_and_keep_it_to_themselves():
    command = [sys.executable, "-m", "classroom.load_test", "--students", "2", "--minutes", "4", "--quick"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert ended.returncode == 0, ended.stdout[-3000:] + ended.stderr[-2000:]

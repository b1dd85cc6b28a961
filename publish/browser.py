"""A real Chromium, and a JupyterLab to point it at: for the browser tests, the latency benchmark and the PDF decks."""

import contextlib
import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from publish.private_home import private_environment

ROOT = Path(__file__).resolve().parents[1]
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# Without these, Chromium asks for updates and lists of its own, which a closed network refuses one by one.
QUIET = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-gpu",
]


class NoBrowserError(Exception):
    """There is no Chromium here; the text says how to get one."""


def chromium_path():
    """Where this machine's Chromium or Chrome is. Raises NoBrowserError if there is none."""
    for name in NAMES:
        if path := shutil.which(name):
            return path
    raise NoBrowserError(
        "There is no Chromium or Chrome on this machine: on Debian and Ubuntu, sudo apt-get install chromium"
        " brings one."
    )


def install_chromium():
    """Install Debian's Chromium where this user may and nothing is there yet; otherwise leave things as they are."""
    with contextlib.suppress(NoBrowserError):
        return chromium_path()
    apt = shutil.which("apt-get")
    command = [] if os.geteuid() == 0 else ["sudo", "-n"]
    if apt and (not command or shutil.which("sudo")):
        for step in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", "chromium"]):
            subprocess.run([*command, apt, *step], env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"}, check=False)
    return chromium_path()


@contextlib.contextmanager
def chromium(**options):
    """A headless Chromium, driven by Playwright: the Browser. options: of Playwright's launch."""
    from playwright.sync_api import sync_playwright

    root = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []  # Chromium's own condition
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=QUIET + root, **options)
        try:
            yield browser
        finally:
            browser.close()


@contextlib.contextmanager
def jupyterlab(folder, seconds=60, options=()):
    """A JupyterLab of this environment that serves `folder` on this machine: its address with a token.

    options: more of JupyterLab's command line. Its workspaces, settings and running kernels are kept in a home of its
    own, and the server picks a port that is free.

    Raises TimeoutError, with the last lines of its log, if it does not answer within `seconds`.
    """
    command = [sys.executable, "-m", "jupyterlab", f"--config={ROOT / 'jupyter_lab_config.py'}", "--no-browser"]
    command += ["--allow-root", "--ServerApp.ip=127.0.0.1", "--port=0", f"--ServerApp.root_dir={folder}", *options]
    if os.name == "posix":  # kernels on ports can collide with those of another server
        command.append("--KernelManager.transport=ipc")
    # Short: the path of a kernel's socket has at most 107 characters
    with tempfile.TemporaryDirectory(prefix="lab-", ignore_cleanup_errors=True) as home:
        log = Path(home) / "log.txt"
        # jupyter_lab_config.py keeps the learner's workspaces; a server for tests has its own
        command.append(f"--LabApp.workspaces_dir={home}/workspaces")
        with log.open("w") as out:
            server = subprocess.Popen(
                command, stdout=out, stderr=subprocess.STDOUT, cwd=folder, env=private_environment(home)
            )
        try:
            until = time.monotonic() + seconds
            while not (address := _address(Path(home) / "run", server.pid)):
                if time.monotonic() > until or server.poll() is not None:
                    raise TimeoutError(f"JupyterLab did not answer in {seconds} s: {log.read_text()[-2000:]}")
                time.sleep(0.2)
            yield address
        finally:
            server.terminate()
            server.wait(20)


def workspace(address, notebook):
    """The address of a notebook (its path in the served folder) alone in a new workspace.

    JupyterLab otherwise brings back what was open before, and a page then holds two notebooks, one of them hidden.
    """
    return address.replace("/lab?", f"/lab/workspaces/{secrets.token_hex(4)}/tree/{notebook}?")


def run_all(page, address):
    """Open a notebook at this address of JupyterLab, run all its cells and wait until the kernel is idle."""
    from playwright.sync_api import Error

    for _ in range(4):  # a page whose connection to the kernel was lost does not find it again by itself
        page.goto(address)
        page.locator(".jp-Notebook .jp-Cell").first.wait_for(timeout=60_000)
        # The toolbar says idle before there is a kernel, and running then asks for one; the status bar waits for it.
        with contextlib.suppress(Error):
            page.locator(".jp-StatusBar-TextItem:has-text('| Idle')").wait_for(timeout=25_000)
            break
    started = page.locator(".jp-StatusBar-TextItem:has-text('| Busy'), .jp-InputPrompt:text-is('[*]:')").first
    for _ in range(10):  # a click that comes while the session still connects does nothing
        page.locator(".lm-MenuBar-itemLabel:has-text('Run')").click()
        page.locator(".lm-Menu-itemLabel:text-is('Run All Cells')").click()
        with contextlib.suppress(Error):
            started.wait_for(timeout=6_000)
            break
    # Between two cells the kernel is idle for a moment.
    page.wait_for_function(
        """() => {
          const texts = [...document.querySelectorAll('.jp-StatusBar-TextItem')].map((item) => item.textContent);
          const idle = texts.some((text) => text.endsWith('| Idle'));
          window.idleSince = idle ? window.idleSince ?? performance.now() : null;
          return idle && performance.now() - window.idleSince > 1500;
        }""",
        timeout=180_000,
        polling=100,
    )


def _address(runtime, process):
    """Where the server with this process number answers, or None as long as it does not."""
    try:
        said = json.loads((runtime / f"jpserver-{process}.json").read_text(encoding="utf-8"))
        address = f"{said['url']}lab?token={said['token']}"
        with urllib.request.urlopen(address, timeout=2):
            return address
    except (OSError, ValueError):  # not written yet, half written, or not listening yet
        return None

"""A real Chromium, and a JupyterLab to point it at: for the browser tests, the latency benchmark and the PDF decks."""

import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

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
    """A JupyterLab of this environment that serves `folder` on a free port of this machine: its address with a token.

    options: more of JupyterLab's command line.

    Raises TimeoutError, with the last lines of its log, if it does not answer within `seconds`.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token, log = secrets.token_hex(), Path(folder) / "jupyterlab.log"
    address = f"http://127.0.0.1:{port}/lab?token={token}"
    command = [sys.executable, "-m", "jupyterlab", f"--config={ROOT / 'jupyter_lab_config.py'}", "--no-browser"]
    command += ["--allow-root", "--ServerApp.ip=127.0.0.1", f"--port={port}", "--ServerApp.port_retries=0"]
    command += [f"--ServerApp.root_dir={folder}", f"--IdentityProvider.token={token}", *options]
    with log.open("w") as out:
        server = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, cwd=folder)
    try:
        until = time.monotonic() + seconds
        while not _answers(address):
            if time.monotonic() > until or server.poll() is not None:
                raise TimeoutError(f"JupyterLab did not answer at {address}: {log.read_text()[-2000:]}")
            time.sleep(0.2)
        yield address
    finally:
        server.terminate()
        server.wait(20)


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


def _answers(address):
    try:
        with urllib.request.urlopen(address, timeout=2):
            return True
    except (urllib.error.URLError, OSError):
        return False

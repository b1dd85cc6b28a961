"""Thirty students on this machine: does each finish, keep their work, and keep it to themselves?

As root, `.venv/bin/python -m classroom.load_test` starts a hub on free ports of this machine, makes Unix users,
measures, removes them, and writes results/load_test.json and the table in server.md. It ends after --minutes at the
latest.
"""

import argparse
import asyncio
import contextlib
import datetime
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

from tornado.httpclient import AsyncHTTPClient

from classroom.hub import Hub
from classroom.installation import InstallationError, check_open_to_students, install, installed_version
from classroom.load_test.isolation import try_isolation
from classroom.load_test.lesson_run import Progress, data_of_kernels, memory_of, run_lesson, together
from classroom.load_test.report import write_report
from classroom.load_test.student_client import StudentClient
from classroom.students import end_processes, trial_students

FIRST, SECOND = "03_wasted_range.ipynb", "06_dynamic_quantization.ipynb"


class Restarts:
    """Ends the hub in the middle of the lesson, twice: as a restart does, then with every student's server.

    The hub alone when a third of the students are at their half; the machine, as a power cut would, when all are.
    A student who has three quarters waits for the second, so that it meets every one of them in the middle.
    """

    def __init__(self, hub, students, progress):
        self.hub, self.students, self.progress = hub, students, progress
        self.at_half, self.happened, self.cut = set(), [], asyncio.Event()
        self.half = asyncio.Condition()

    def pause_of(self, student):
        """What run_lesson awaits after each cell of this student."""

        async def pause(share):
            async with self.half:
                if share >= 0.5:
                    self.at_half.add(student.name)
                self.half.notify_all()
            if share >= 0.75:
                await self.cut.wait()

        return pause

    async def run(self):
        """Wait for the two moments, and restart."""
        await self._when(len(self.students) / 3)
        self._again("hub", self.hub.stop)
        await self._when(len(self.students))
        self._again("hub and all students' servers", self._power_cut)
        self.cut.set()

    async def _when(self, number):
        async with self.half:
            await self.half.wait_for(lambda: len(self.at_half) >= number)

    def _again(self, what, end):
        # Blocking on purpose: nobody asks anything while it is down, and the first to ask finds it up or not.
        began = time.monotonic()
        end()
        self.hub.start()
        before = sum(one.kernels_lost for one in self.progress)
        self.happened.append(
            {"what": what, "kernels_lost_before": before, "seconds": round(time.monotonic() - began, 1)}
        )
        print(f"  restarted: {what}", flush=True)

    def _power_cut(self):
        self.hub.kill()
        end_processes({student.uid for student in self.students})


async def measure(hub, students, seconds, lessons=(FIRST, SECOND)):
    """The whole test: a report, as results/load_test.json holds it."""
    AsyncHTTPClient.configure(None, max_clients=4 * len(students) + 8)
    deadline, report = time.monotonic() + seconds, {"lessons": {}}
    clients = [StudentClient(hub.address, student.name, student.password, deadline) for student in students]
    for lesson in lessons:
        progress = [Progress(student.name) for student in students]
        restarts = Restarts(hub, students, progress)
        pause_of = restarts.pause_of if lesson == FIRST else None
        print(f"{lesson}: {len(students)} students", flush=True)
        disturbing = asyncio.ensure_future(restarts.run()) if pause_of else None
        kernels = await together(
            _attend(client, lesson, one, pause_of and pause_of(student))
            for client, student, one in zip(clients, students, progress, strict=True)
        )
        if disturbing:
            disturbing.cancel()
            report["restarts"] = restarts.happened
        report["lessons"][lesson] = summary(progress, kernels, students)
        alive = [kernel for kernel in kernels if not isinstance(kernel, BaseException)]
        if pause_of and len(alive) > 1:
            report["isolation"] = await try_isolation(clients, students, alive)
        await together(kernel.close() for kernel in alive)
    report["requests_asked_again"] = sum(client.retries for client in clients)
    report["cells_run_again"] = sum(client.run_again for client in clients)
    report["kernels_restarted_by_hand"] = sum(client.restarted for client in clients)
    return report


async def _attend(client, lesson, progress, pause):
    began = time.monotonic()
    if client.token is None:
        await client.enter()
    await client.start_server()
    return await run_lesson(client, lesson, progress, began, pause)


def summary(progress, kernels, students):
    """One lesson in figures: who finished, seconds, and MiB while all kernels are alive."""
    memory = [memory_of(student.uid) for student in students]
    finished = [one for one in progress if one.whole and not (one.errors or one.differences or one.work_lost)]
    failures = [f"{kernel!r}" for kernel in kernels if isinstance(kernel, BaseException)]
    return {
        "students": len(students),
        "finished": len(finished),
        "work_lost": sum(bool(one.work_lost) for one in progress),
        "kernels_lost": sum(one.kernels_lost for one in progress),
        "cells": sum(one.cells for one in progress),
        "problems": failures + [p for one in progress for p in one.errors + one.differences + one.work_lost],
        "first_cell_seconds": spread(one.first_cell for one in progress),
        "whole_seconds": spread(one.whole for one in progress),
        "memory_mib": {kind: spread(one[kind] for one in memory) for kind in ("server", "kernels", "together")},
        "memory_of_all_mib": round(sum(one["together"] for one in memory)),
        "kernel_data_mib": spread(data_of_kernels(student.uid) for student in students),
    }


def spread(values):
    """Median and largest, of those that are there."""
    there = [value for value in values if value is not None]
    return {"median": round(statistics.median(there), 1), "largest": round(max(there), 1)} if there else None


def cores_busy(seconds=5):
    """How many cores this machine keeps busy with whatever else it does."""

    def ticks():
        times = [int(part) for part in Path("/proc/stat").read_text().split("\n")[0].split()[1:]]
        return sum(times), times[3] + times[4]  # all, and of them idle or waiting for a disk

    all_before, idle_before = ticks()
    time.sleep(seconds)
    all_after, idle_after = ticks()
    return round(os.cpu_count() * (1 - (idle_after - idle_before) / (all_after - all_before)), 1)


def surroundings():
    """The machine, what else it does, and the versions."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "date": datetime.date.today().isoformat(),
        "processor": next((line.partition(":")[2].strip() for line in lines if "model name" in line), "unknown"),
        "cores": os.cpu_count(),
        "memory_gib": round(memory / 2**30, 1),
        "cores_busy_before": cores_busy(),
        "python": platform.python_version(),
        "jupyterhub": installed_version(),
        "jupyterlab": version("jupyterlab"),
        "torch": version("torch"),
    }


def main(arguments=None):
    """Measure, print, write; exit status 1 unless every student finished and nobody got in anywhere."""
    parser = argparse.ArgumentParser(prog="python -m classroom.load_test", description=__doc__)
    parser.add_argument("--students", type=int, default=30, help="how many (30)")
    parser.add_argument("--minutes", type=float, default=30, help="at most (30)")
    parser.add_argument("--no-report", action="store_true", help="print only")
    parser.add_argument("--quick", action="store_true", help="print only, and leave out the lesson with torch")
    options = parser.parse_args(arguments)
    if not 2 <= options.students <= 99:
        parser.error(f"--students: 2 to 99 are accepted, and {options.students} was given")
    try:
        install()
        check_open_to_students()
    except InstallationError as error:
        sys.exit(str(error))
    report = surroundings()
    with tempfile.TemporaryDirectory(prefix="quantization-class-") as folder, contextlib.ExitStack() as stack:
        Path(folder).chmod(0o711)
        students = stack.enter_context(trial_students(options.students, Path(folder) / "homes"))
        hub = Hub(Path(folder) / "hub", [student.name for student in students])
        hub.start()
        stack.callback(hub.end)
        began = time.monotonic()
        report |= asyncio.run(
            measure(hub, students, 60 * options.minutes, (FIRST,) if options.quick else (FIRST, SECOND))
        )
        report["seconds"] = round(time.monotonic() - began)
    print(json.dumps(report, indent=1))
    if not (options.no_report or options.quick):
        write_report(report)
    return 0 if passed(report) else 1


def passed(report):
    """Whether all finished, none lost work, and every attempt to get in where one may not was refused."""
    every = all(one["finished"] == one["students"] and not one["work_lost"] for one in report["lessons"].values())
    return every and len(report["restarts"]) == 2 and all(one["held"] for one in report["isolation"])


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (FileExistsError, PermissionError, RuntimeError, TimeoutError) as error:
        sys.exit(str(error))

"""The command: python -m benchmarks [NAME …]: measure, keep the results, and write them into README.md and its plot."""

import argparse
import importlib
import json
import sys
import time
from pathlib import Path

from benchmarks import report
from publish.private_home import move_in

RESULTS = Path(__file__).parent / "results"
NAMES = ("fake_quantize", "observers", "product", "explorers", "lessons", "encoder", "accuracy")


def main(arguments=None):
    """Measure each benchmark named, or all of them; with --report only write what was measured before."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)} (default: all)")
    parser.add_argument("--report", action="store_true", help="measure nothing")
    asked = parser.parse_args(arguments)
    unknown = sorted(set(asked.names) - set(NAMES))
    if unknown:
        sys.exit(f"no such benchmark: {', '.join(unknown)}; accepted: {', '.join(NAMES)}")
    move_in()
    for name in () if asked.report else asked.names or NAMES:
        print(f"{name} ...", file=sys.stderr, flush=True)
        start = time.perf_counter()
        result = importlib.import_module(f"benchmarks.{name}").measure()
        (RESULTS / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
        print(f"{name}: {time.perf_counter() - start:.0f} s", file=sys.stderr)
        print("\n".join(report.lines_of(name, result)), flush=True)
    report.write()


if __name__ == "__main__":
    main()

"""Accuracy at 8, 4, 3 and 2 bits, after training and trained for it, by quantutils and by its peers: measured.

Usage: .venv/bin/python -m benchmarks.accuracy [--task NAME ...] [--seeds N] [--epochs N] [--no-peers] [--held-out]
Writes benchmarks/results/accuracy.json. One thread. Weights and activations have the same number of bits in every
layer, the first and the last too, unless a row says otherwise; integers are run, not a simulation, wherever a row does
not say "simulated". --task measures that task alone, and keeps the file's rows of the others. --held-out trains with
four fifths of the training images and reads the fifth that is left: nothing is chosen by the test images, which are
read without it.
"""

import argparse
import copy
import json
import statistics
import sys
import time
from pathlib import Path

import torch

from benchmarks import accuracy_peers
from benchmarks.accuracy_tasks import TASKS, TO_MATCH, VARIES, parts, schemes, with_wide_ends
from quantutils.course.zoo import correct, trained_on
from quantutils.workflow import convert, prepare, prepare_qat

RESULT = Path(__file__).parent / "results" / "accuracy.json"
SEEDS, CALIBRATION = 5, 256
WIDE_ENDS = "first and last layer at 8 bits, as in LSQ (Esser et al. 2020); the logits too"


def measure(names=None, seeds=SEEDS, epochs=None, peers=True, held_out=False, say=None):
    """Train, quantize and count: a dict that json can hold, with one row for each way and number of bits.

    names: of the tasks; None is all. seeds: how many, from 0. epochs: of every training, for a trial; None is the
    recipes' own. peers: whether other libraries are measured too; those that are not installed are named under
    "skipped". held_out: read a fifth of the training images, which is then not trained with, and leave the test images
    alone. say: called with each line of progress. Rows: {"data", "by", "way", "bits" (None: float), "mean", "spread"
    (standard deviation), "lowest", "each_seed", "from_float" (mean difference to the float model of the same seed), all
    in percent of the images read, "to_match" (or None), "seconds" (by the clock, mean of one), "note"}.
    """
    torch.set_num_threads(1)
    start, found = time.perf_counter(), {}
    tasks = [task for task in TASKS if names is None or task.name in names]
    able, skipped = accuracy_peers.installed() if peers and any(task.with_peers for task in tasks) else ({}, {})
    for task in tasks:
        for seed in range(seeds):
            data = parts(task.load(seed), held_out)
            for key, note, model, seconds in answers(task, data, seed, epochs, able if task.with_peers else {}):
                percent = 100 * correct(model, data.test_images, data.test_labels) / len(data.test_labels)
                found.setdefault((task.name, *key), []).append((percent, seconds, note))
                if say:
                    spent = time.perf_counter() - start
                    say(f"{spent:5.0f} s  {task.name} seed {seed}: {' '.join(map(str, key))}: {percent:.1f} %")
    return {
        "unit": "percent of the " + ("held-out training images" if held_out else "test images"),
        "measured": True,
        "seeds": seeds,
        "varies": VARIES,
        "torch": torch.__version__,
        "peers": {name: peer.version for name, peer in able.items()},
        "skipped": skipped,
        "recipes": {task.name: told_recipe(task, epochs, held_out) for task in tasks},
        "rows": beside_float([row(key, values) for key, values in found.items()]),
    }


def answers(task, data, seed, epochs, peers):
    """Every model of one task and seed, as it is made: ((by, way, bits), note, model, seconds of making it)."""
    calibration = data.train_images[:CALIBRATION]

    def train(model, recipe, teacher=None):
        chosen = {key: value for key, value in recipe.items() if key != "taught"} | limited(epochs)
        return trained_on(model, data.train_images, data.train_labels, seed=seed, teacher=teacher, **chosen)

    def extra(model):
        return train(model, task.extra_recipe, given if task.extra_recipe["taught"] else None)

    def after_training(model, bits):
        prepared = prepare(model, calibration, *schemes(bits))
        prepared(calibration)
        return convert(prepared)

    def simulating(method, bits, wide_ends=False):
        prepared = prepare_qat(given, calibration, *schemes(bits), method)
        return convert(extra(with_wide_ends(prepared, method) if wide_ends else prepared))

    given, seconds = timed(lambda: train(task.build(seed), task.float_recipe))
    yield ("float", "float", None), task.note, given, seconds
    ways = {
        "ptq": lambda bits: after_training(given, bits),
        "control": lambda bits: after_training(control, bits),
        "ste": lambda bits: simulating("ste", bits),
        "lsq": lambda bits: simulating("lsq", bits),
        "lsq, 8-bit ends": lambda bits: simulating("lsq", bits, wide_ends=True),
    }
    if "control" in task.ways:
        control, seconds = timed(lambda: extra(copy.deepcopy(given).train()))
        yield ("float", "control", None), "as much extra training, in float", control, seconds
    for way in task.ways:
        for bits in task.bits:
            note = WIDE_ENDS if way == "lsq, 8-bit ends" else ""
            yield ("quantutils", way, bits), note, *timed(lambda way=way, bits=bits: ways[way](bits))
    for name, peer in peers.items():
        for (way, bits), (note, make) in peer.models.items():
            yield (name, way, bits), note, *timed(lambda make=make, bits=bits: make(given, bits, calibration, extra))


def limited(epochs):
    """What a trial changes in a recipe."""
    return {"epochs": epochs} if epochs else {}


def timed(make):
    """What `make` makes, and the seconds it took."""
    start = time.perf_counter()
    return make(), time.perf_counter() - start


def row(key, values):
    """One row of the result."""
    data, by, way, bits = key
    each, seconds, notes = zip(*values, strict=True)
    return {
        "data": data,
        "by": by,
        "way": way,
        "bits": bits,
        "mean": round(statistics.mean(each), 2),
        "spread": round(statistics.stdev(each), 2) if len(each) > 1 else None,
        "lowest": round(min(each), 2),
        "each_seed": [round(percent, 2) for percent in each],
        "from_float": None,
        "to_match": TO_MATCH.get((data, bits)) if (by, way) in (("quantutils", "lsq"), ("float", "float")) else None,
        "seconds": round(statistics.mean(seconds), 2),
        "note": notes[0],
    }


def beside_float(rows):
    """The rows, each with its mean distance to the float model of the same seed: what another split does not change."""
    floats = {row["data"]: row["each_seed"] for row in rows if (row["by"], row["way"]) == ("float", "float")}
    for line in rows:
        pairs = zip(line["each_seed"], floats[line["data"]], strict=True)
        line["from_float"] = round(statistics.mean(own - given for own, given in pairs), 2)
    return rows


def told_recipe(task, epochs, held_out):
    """What a reader needs to train again, in words and numbers."""
    return {
        "float": task.float_recipe | limited(epochs),
        "extra": task.extra_recipe | limited(epochs),
        "optimizer": "Adam, rate falling to 0 along half a cosine, batches of 64",
        "moved": "pixels, each batch alike",
        "affine": "each image of its own, drawn evenly: degrees; scale and shear as parts of 1; shift in pixels",
        "scale_rate": "rate of the scales that LSQ trains, as a part of the rate of the weights",
        "taught": "half of the target is the answer of the float model of the same seed",
        "calibration": f"the first {CALIBRATION} training images, MinMax",
        "weights": "per channel, symmetric, full range",
        "activations": "per tensor, asymmetric",
        "chosen": task.chosen,
        "images_read": len(parts(task.load(0), held_out).test_labels),
    }


def renewed(before, result):
    """What was measured before, the tasks of `result` in their new form: one run for all rows of a task.

    Raises ValueError where the two differ in what must be one: seeds, unit, torch, the version of a peer.
    """
    for name in ("unit", "seeds", "torch", "varies"):
        if before[name] != result[name]:
            raise ValueError(f"{name} was {before[name]!r} and is {result[name]!r}; measure all tasks again")
    both = before["peers"].keys() & result["peers"].keys()
    if any(before["peers"][name] != result["peers"][name] for name in both):
        raise ValueError(f"peers were {before['peers']} and are {result['peers']}; measure all tasks again")
    recipes = before["recipes"] | result["recipes"]
    kept = [row for row in before["rows"] if row["data"] not in result["recipes"]]
    order = [task.name for task in TASKS]
    rows = sorted(kept + result["rows"], key=lambda row: order.index(row["data"]))
    makers = {row["by"] for row in rows}
    peers = {name: version for name, version in (before["peers"] | result["peers"]).items() if name in makers}
    skipped = before["skipped"] | result["skipped"]
    return result | {
        "peers": peers,
        "skipped": {name: reason for name, reason in skipped.items() if name not in peers},
        "recipes": {name: recipes[name] for name in order if name in recipes},
        "rows": rows,
    }


def main(arguments=None):
    """Measure and write the result; --seeds 1 --epochs 2 is a quick trial, printed and not written."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy")
    parser.add_argument("--task", action="append", choices=[task.name for task in TASKS])
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("--held-out", action="store_true")
    chosen = parser.parse_args(arguments)
    result = measure(
        chosen.task,
        chosen.seeds,
        chosen.epochs,
        not chosen.no_peers,
        chosen.held_out,
        lambda line: print(line, file=sys.stderr, flush=True),
    )
    for name, reason in result["skipped"].items():
        print(f"skipped {name}: {reason}")
    for line in result["rows"]:
        bits = "" if line["bits"] is None else f"{line['bits']} bits"
        goal = f"   (to match: {line['to_match']})" if line["to_match"] else ""
        spread = "" if line["spread"] is None else f" ± {line['spread']:.2f}"
        percent = f"{line['mean']:6.2f}{spread}   from float {line['from_float']:+.2f}{goal}"
        print(f"{line['data']:33} {line['by']:12} {line['way']:15} {bits:7} {percent}")
    if chosen.epochs is None and chosen.seeds == SEEDS and not chosen.held_out and not chosen.no_peers:
        RESULT.parent.mkdir(exist_ok=True)
        if chosen.task:
            result = renewed(json.loads(RESULT.read_text(encoding="utf-8")), result)
        RESULT.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        print(f"written: {RESULT.relative_to(Path.cwd()) if RESULT.is_relative_to(Path.cwd()) else RESULT}")
    else:
        print(f"not written: a trial; {RESULT.name} is for {SEEDS} seeds, all epochs, peers and the test images")


if __name__ == "__main__":
    main()

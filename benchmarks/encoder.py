"""all-MiniLM-L6-v2 of lesson 09, quantized by quantutils and by its peers: cosine, size, search, speed, in one run.

Quality is measured on sentences that lesson 09 does not use: nothing was chosen with them.
"""

import importlib.util
import tempfile
from importlib.metadata import version
from pathlib import Path

import torch
from torch import nn

from benchmarks import encoder_peers
from benchmarks.timing import in_turns, result, significant
from quantutils.course import zoo
from quantutils.nn import ActivationScheme, WeightScheme
from quantutils.workflow import quantize_dynamic, quantize_weights, storage

AIMS = {
    "int8": {"cosine": 0.9985, "megabytes": 25, "same_first": 98, "of_five": 95, "batch_1": 1.0},
    "4-bit weights, GPTQ": {"cosine": 0.984},
}
ROUNDS = 5


def measure(count=None, rounds=ROUNDS):
    """One row for each model: by, way, cosine (mean), worst, megabytes, same_first and of_five (percent of questions),
    batch_1 and batch_64 (times as fast as float32), note, aim, met.

    count: how many sentences, for a trial; None is all that lesson 09 leaves.
    """
    torch.set_num_threads(1)
    encoder = zoo.sentence_encoder()
    sentences = [text for place, text in enumerate(zoo.frozen_sentences("test")) if place % 8 > 1][:count]
    with tempfile.TemporaryDirectory() as folder, encoder_peers.quiet():
        models, peers, skipped = {("float", "float32"): (encoder.model, 4 * 22_713_216, "")}, {}, {}
        models |= {("quantutils", way): made for way, made in _ours(encoder, folder).items()}
        for name, (package, distribution, make) in encoder_peers.PEERS.items():
            if importlib.util.find_spec(package) is None:
                skipped[name] = f"{distribution} not installed; benchmarks/requirements.txt says how to install it"
                continue
            peers[name] = version(distribution)
            models |= {(name, way): made for way, made in make(encoder, folder).items()}
        rows = _rows(encoder, models, sentences, rounds)
    return result(rows, peers, skipped, unit="cosines, megabytes, percent of 100 questions, times as fast as float32")


def _ours(encoder, folder):
    per_token, linear, tables = ActivationScheme(per="token"), [nn.Linear], [nn.Embedding]
    data = encoder.batches(zoo.frozen_sentences("calibration")[::7], 16)
    gptq = quantize_weights(encoder.model, method="gptq", data=data, search=True, layers=linear)
    everything = quantize_weights(gptq, search=True, layers=tables)
    made = {
        "int8": (quantize_dynamic(encoder.model, WeightScheme(), per_token), "embedding too"),
        "int8, symmetric": (
            quantize_dynamic(encoder.model, WeightScheme(), ActivationScheme(per="token", symmetric=True)),
            "embedding too",
        ),
        "4-bit weights, to nearest": (quantize_weights(encoder.model, layers=linear), "embedding in float"),
        "4-bit weights, GPTQ": (gptq, "embedding in float; scales searched"),
        "4-bit weights and embedding, GPTQ": (everything, "scales searched"),
    }
    path = Path(folder) / "ours.safetensors"
    return {way: (model, storage.save(model, path), note) for way, (model, note) in made.items()}


def _rows(encoder, models, sentences, rounds):
    wanted = encoder.embed(sentences)
    passages, questions = zoo.course_passages(), zoo.course_questions()
    places, _ = zoo.Search(encoder, passages).ranked(questions)
    using = {key: encoder.with_model(model) for key, (model, _, _) in models.items()}
    taken = {
        batch: in_turns({key: _embedding(one, sentences[:batch]) for key, one in using.items()}, rounds)
        for batch in (1, 64)
    }
    rows = []
    for (by, way), (_, size, note) in models.items():
        one = using[by, way]
        cosines = (one.embed(sentences) * wanted).sum(1)
        first, five = zoo.agreement(zoo.Search(one, passages).ranked(questions)[0], places)
        row = {
            "by": by,
            "way": way,
            "cosine": round(float(cosines.mean()), 4),
            "worst": round(float(cosines.min()), 3),
            "megabytes": round(size / 1e6, 1),
            "same_first": round(100 * first),
            "of_five": round(100 * five, 1),
        }
        for batch, seconds in taken.items():
            float_ones, own = seconds["float", "float32"], seconds[by, way]
            ratios = sorted(base / mine for base, mine in zip(float_ones, own, strict=True))
            row[f"batch_{batch}"] = significant(ratios[len(ratios) // 2])
        aims = AIMS.get(way, {}) if by == "quantutils" else {}
        row["note"], row["aim"] = note, ", ".join(f"{name} {value}" for name, value in aims.items()) or None
        row["met"] = all(_meets(name, row[name], value) for name, value in aims.items()) if aims else None
        rows.append(row)
    return rows


def _meets(name, found, value):
    return found < value if name == "megabytes" else found >= value


def _embedding(encoder, sentences):
    return lambda: encoder.embed(sentences, batch=len(sentences))

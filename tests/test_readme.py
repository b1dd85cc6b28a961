"""What README.md shows of the package runs as it stands there."""

import re
from pathlib import Path

import pytest
import torch

README = Path(__file__).resolve().parents[1] / "README.md"


def test_five_lines_quantize_a_model_and_bring_it_back(tmp_path, monkeypatch, capsys):
    (code,) = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    lines = [line for line in code.splitlines() if line and not line.startswith("from")]
    assert len(lines) == 5
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(code, names)
    said = capsys.readouterr().out
    assert "encoder.layer.5.output.dense" in said
    assert "in float: a normalization" in said
    encoder = names["encoder"]
    vectors = [encoder.with_model(names[name]).embed(["Both say the same."]) for name in ("small", "again")]
    assert torch.equal(*vectors)
    assert (tmp_path / "small.safetensors").stat().st_size == pytest.approx(23.0e6, rel=0.01)

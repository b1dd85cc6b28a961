"""quantize_dynamic and report on a stranger's models: a new model, the given one untouched, errors that help."""

import copy

import pytest
import torch
from torch import nn

from quantutils.nn import ActivationScheme, DynamicLinear, DynamicLSTM, QuantizedEmbedding, WeightScheme
from quantutils.workflow import quantize_dynamic, report

PLAIN = {"weights": WeightScheme(), "activations": ActivationScheme(per="token")}


@pytest.fixture(autouse=True)
def _one_thread_and_a_seed():
    torch.set_num_threads(1)
    torch.manual_seed(0)


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(16, 16), nn.Linear(16, 16)

    def forward(self, x):
        return x + self.second(torch.relu(self.first(x)))


class Reader(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(30, 16)
        self.lstm = nn.LSTM(16, 16, batch_first=True)
        self.norm = nn.LayerNorm(16)
        self.head = nn.Linear(16, 30)

    def forward(self, indices):
        return self.head(self.norm(self.lstm(self.embedding(indices))[0]))


MODELS = {
    "sequential": (lambda: nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 4)), lambda: torch.randn(6, 16)),
    "residual": (Residual, lambda: torch.randn(6, 16)),
    "lstm": (Reader, lambda: torch.randint(0, 30, (3, 7))),
    "a single layer": (lambda: nn.Linear(16, 4), lambda: torch.randn(6, 16)),
    "transformer": (
        lambda: nn.TransformerEncoderLayer(16, 2, 32, batch_first=True),
        lambda: torch.randn(3, 5, 16),
    ),
}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("options", [{}, PLAIN], ids=["default rule", "per token"])
def test_model_comes_back_close_and_the_given_one_is_untouched(name, options):
    make, data = MODELS[name]
    model, x = make().eval(), data()
    before, wanted = copy.deepcopy(model.state_dict()), model(x)
    quantized = quantize_dynamic(model, **options)
    error = float((quantized(x) - wanted).detach().norm() / wanted.detach().norm())
    assert 0 < error < 0.05
    assert torch.equal(model(x), wanted)
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())


def test_layers_are_swapped_by_type():
    quantized = quantize_dynamic(Reader(), **PLAIN)
    kinds = [type(quantized.embedding), type(quantized.lstm), type(quantized.norm), type(quantized.head)]
    assert kinds == [QuantizedEmbedding, DynamicLSTM, nn.LayerNorm, DynamicLinear]
    only = quantize_dynamic(Reader(), layers=[nn.Linear], **PLAIN)
    assert isinstance(only.embedding, nn.Embedding)
    assert isinstance(only.head, DynamicLinear)


def test_a_layer_used_in_two_places_stays_one_layer():
    shared = nn.Linear(8, 8)
    quantized = quantize_dynamic(nn.Sequential(shared, nn.ReLU(), shared), **PLAIN)
    assert quantized[0] is quantized[2]


class Optional(nn.Module):
    """Two of its layers may be missing, or not be run."""

    def __init__(self):
        super().__init__()
        self.first, self.second, self.skipped = nn.Linear(4, 4), None, nn.Linear(4, 2)

    def forward(self, x):
        return self.first(x)


def test_a_layer_that_is_missing_stays_missing_and_one_that_does_not_run_has_no_decibels():
    quantized = quantize_dynamic(Optional(), **PLAIN)
    assert quantized.second is None
    rows = {row.name: row for row in report(quantized, torch.randn(3, 4)).layers}
    assert rows["first"].alone_db > 20
    assert rows["skipped"].alone_db is rows["skipped"].running_db is None
    assert rows["skipped"].size < rows["skipped"].float_size


def test_fewer_bits_are_smaller_and_noisier():
    model, x = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64)), torch.randn(32, 64)
    token = ActivationScheme(per="token")
    reports = [report(quantize_dynamic(model, WeightScheme(bits), token), x) for bits in (8, 4, 2)]
    assert reports[0].output_db > reports[1].output_db + 10 > reports[2].output_db + 15
    assert reports[0].size > reports[1].size > reports[2].size


def test_report_says_what_each_layer_costs_and_what_stayed_in_float():
    model, x = Reader(), torch.randint(0, 30, (3, 7))
    found = report(quantize_dynamic(model, **PLAIN), x)
    rows = {row.name: row for row in found.layers}
    assert rows["head"].bits == 8
    assert rows["head"].float_size == 4 * (16 * 30 + 30)
    assert rows["head"].size == 16 * 30 + 4 * 30 + 4 * 30
    assert rows["head"].alone_db > rows["head"].running_db > 20
    assert rows["norm"].note.startswith("in float: a normalization")
    assert found.float_size == sum(4 * p.numel() for p in model.parameters())
    for word in ("embedding", "lstm", "head", "norm", "output"):
        assert word in repr(found)


def test_report_names_attention_left_in_float():
    layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True).eval()
    found = report(quantize_dynamic(layer, **PLAIN), torch.randn(2, 3, 16))
    notes = {row.name: row.note for row in found.layers}
    assert "reads its float weights directly" in notes["self_attn"]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: quantize_dynamic("model"), "model is a str; accepted: a torch.nn.Module"),
        (
            lambda: quantize_dynamic(nn.Sequential(nn.ReLU())),
            "holds only ReLU, Sequential; accepted: a model with Linear",
        ),
        (lambda: quantize_dynamic(nn.Linear(2, 2), weights=8), "weights is 8; accepted: a WeightScheme"),
        (lambda: quantize_dynamic(nn.Linear(2, 2), activations=8), "activations is 8"),
        (lambda: quantize_dynamic(nn.Linear(2, 2), rule="gemmlowp"), "rule is 'gemmlowp'; accepted: onnx, fbgemm"),
        (lambda: quantize_dynamic(nn.Linear(2, 2), WeightScheme(4), rule="fbgemm"), "8 bits per tensor or per channel"),
        (lambda: quantize_dynamic(nn.Linear(2, 2), activations=ActivationScheme(), rule="onnx"), "one of the two"),
        (lambda: quantize_dynamic(nn.Linear(2, 2), layers=[nn.Conv2d]), "layers holds"),
        (lambda: quantize_dynamic(nn.Linear(2, 2), layers=[]), "layers holds nothing"),
        (lambda: report(nn.Linear(2, 2), torch.ones(1, 2)), "float_model is None"),
        (lambda: report(nn.Linear(2, 2), torch.ones(1, 2), nn.Linear(2, 2)), "no quantized layer"),
        (
            lambda: report(quantize_dynamic(nn.Sequential(nn.Linear(2, 2))), torch.ones(1, 2), nn.Linear(2, 2)),
            "float_model lacks 0; accepted: the model that model was made from",
        ),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises((ValueError, TypeError), match=message):
        call()


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
def test_a_transformer_encoder_takes_a_padding_mask_as_before():
    torch.manual_seed(0)
    model = nn.TransformerEncoder(nn.TransformerEncoderLayer(16, 2, 32, batch_first=True), 2).eval()
    x, padded = torch.randn(2, 5, 16), torch.tensor([[False] * 5, [False] * 3 + [True] * 2])
    with torch.no_grad():
        wanted = model(x, src_key_padding_mask=padded)
        found = quantize_dynamic(model)(x, src_key_padding_mask=padded)
    assert float((found - wanted)[~padded].abs().max()) < 0.1


def test_a_report_of_an_output_that_is_all_zero_can_be_printed():
    model = nn.Sequential(nn.Linear(4, 2, bias=False))
    nn.init.zeros_(model[0].weight)
    assert "output is all zero" in str(report(quantize_dynamic(model), torch.ones(2, 4)))

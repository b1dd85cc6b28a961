"""A layer stepped through in integers: every intermediate of a small dynamic linear layer, number by number."""

import numpy as np

from quantutils.checks import one_of
from quantutils.course.plots.drawing import Drawing
from quantutils.course.plots.style import BLACK, in_style, new_figure
from quantutils.errors import sqnr_db
from quantutils.matmul import integer_matmul
from quantutils.observers import MinMax

TITLES = (
    "1 · weights",
    "2 · activations",
    "3 · integer sums\nΣ(qx − zx)·qw",
    "4 · back to float\n+ bias",
    "5 · minus the\nfloat layer",
)


class LayerStepsDrawing(Drawing):
    """Codes of weights and activations, integer sums, float outputs and their errors, as matrices with numbers in.

    x: real, (rows, K). weight: real, (outputs, K). bias: real, (outputs,). Settings of `update`: weight_bits,
    activation_bits, and per, "tensor" or "token" (one range for the batch, or one for each row).
    """

    def __init__(self, x, weight, bias):
        self.x, self.weight, self.bias = (np.asarray(array, np.float64) for array in (x, weight, bias))
        self.wanted = self.x @ self.weight.T + self.bias  # (rows, outputs)

    @in_style
    def build(self):
        """Make the figure and its artists; return the Figure."""
        (rows, k), outputs = self.x.shape, len(self.weight)
        figure, axes = new_figure(columns=5, height=3.3, widths=(k, k, outputs + 0.6, outputs + 0.6, outputs + 0.6))
        shapes = ((outputs, k), (rows, k), (rows, outputs), (rows, outputs), (rows, outputs))
        self.images, self.texts = [], []
        for axis, title, shape in zip(axes, TITLES, shapes, strict=True):
            image = axis.imshow(np.zeros(shape), cmap="PuOr_r", vmin=-1.6, vmax=1.6, aspect="auto")
            labels = [
                [axis.text(j, i, "", ha="center", va="center", fontsize=11, color=BLACK) for j in range(shape[1])]
                for i in range(shape[0])
            ]
            axis.set_title(title)
            axis.set(xticks=[], yticks=[])
            axis.grid(visible=False)
            self.images.append(image)
            self.texts.append(labels)
        self.moving = (*self.images, *(label for labels in self.texts for row in labels for label in row))
        return figure

    def update(self, weight_bits, activation_bits, per):
        """Move the artists to the settings; return the read-out."""
        one_of(per, "per", ("tensor", "token"))
        w_qparams = MinMax(axis=0).observe(self.weight).qparams(weight_bits, symmetric=True)
        x_observer = MinMax(axis=0 if per == "token" else None).observe(self.x)
        x_qparams = x_observer.qparams(activation_bits, signed=False)
        qw, qx = w_qparams.quantize(self.weight), x_qparams.quantize(self.x)
        zero_points = np.reshape(x_qparams.zero_point, (-1, 1))  # (rows, 1)
        sums = integer_matmul(qx.astype(np.int32) - zero_points.astype(np.int32), qw.T)
        out = sums * (np.reshape(x_qparams.scale, (-1, 1)) * w_qparams.scale) + self.bias
        error = out - self.wanted
        shown = ((qw, "d"), (qx, "d"), (sums, "d"), (out, "z.2f"), (error, "+z.2f"))
        for image, labels, (matrix, style) in zip(self.images, self.texts, shown, strict=True):
            peak = np.abs(self.wanted).max() if style == "+z.2f" else max(float(np.abs(matrix).max()), 1e-9)
            image.set_data(matrix / peak)
            for row, values in zip(labels, matrix, strict=True):
                for label, value in zip(row, values, strict=True):
                    label.set_text(format(value, style))
        scales = np.ravel(x_qparams.scale)
        return (
            f"Weights {weight_bits} bits a channel, activations {activation_bits} bits a {per} (scales from"
            f" {scales.min():.4f} to {scales.max():.4f}): largest sum {int(np.abs(sums).max())}, largest error"
            f" {np.abs(error).max():.3f}, SQNR {sqnr_db(self.wanted, out):.1f} dB."
        )

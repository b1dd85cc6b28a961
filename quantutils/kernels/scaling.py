"""How each rule turns exact sums into outputs. Read two rules side by side: only the lines that differ are different.

a: exact sums Σ(qx − zx)·qw, integers (…, N). sx, sw, sy: scales of activations, weights and output, float64, as the
caller gave them; sw is one number or one for each of N channels. b: bias, float32 (zeros without one). zy: zero point
of the output. Every operation below rounds to float32; fma rounds once for two.
"""

from quantutils.kernels.rounding import double, fl, fma, inverted, inverted_twice, rint, rint_int32, whole

# Dynamic: real numbers.


def dynamic_fbgemm(a, sx, sw, b):
    """fbgemm ReQuantizeForFloat; torch engines fbgemm and x86."""
    return fma(fl(a), fl(sx) * fl(sw), b)


def dynamic_qnnpack(a, sx, sw, b):
    """QNNPACK pytorch_q8gemm_dquant kernels; torch engine qnnpack."""
    return fl(a) * (fl(sx) * fl(sw)) + b


def dynamic_onnx(a, sx, sw, b):
    """MatMulInteger, Cast, Mul by the product of the scales, Add: what ONNX Runtime's quantize_dynamic writes."""
    return fl(a) * (fl(sx) * fl(sw)) + b


def dynamic_torchao(a, sx, sw, b):
    """Function int_scaled_matmul, then times the weight scales; torchao/quantization, Int8Tensor."""
    return fl(a) * fl(sx) * fl(sw) + b


def dynamic_onednn_vnni(a, sx, sw, b):
    """oneDNN's brgemm matmul with AVX-512 or VNNI; torch engine onednn."""
    return fl(a) * inverted_twice(sx) * _onednn_weight_scale(sw) + b


def dynamic_onednn_amx(a, sx, sw, b):
    """oneDNN's matmul with AMX tiles, and with plain AVX2; torch engine onednn."""
    return fl(a) * (inverted_twice(sx) * _onednn_weight_scale(sw)) + b


# Static: codes, before they are clamped.


def static_fbgemm(a, sx, sw, b, sy, zy):
    """fbgemm ReQuantizeOutput; torch engines fbgemm and x86: the bias is counted in steps of the sum, unrounded."""
    product = fl(sx) * fl(sw)
    steps = fl(a) + b / product if product.ndim else fma(b, inverted(product), fl(a))
    return rint_int32(steps * (product / fl(sy))) + zy


def static_qnnpack(a, sx, sw, b, sy, zy):
    """QNNPACK's q8gemm and q8conv; torch engine qnnpack: the bias is rounded to whole steps of the sum."""
    product = fl(sx) * fl(sw)
    steps = fl(a + whole(rint(b * inverted(fl(sx * sw))), a))
    return rint_int32(steps * (product * inverted(fl(sy)))) + zy


def static_onnx(a, sx, sw, b, sy, zy):
    """ONNX Runtime's QLinearMatMul, QGemm and QLinearConv; the bias is rounded as its quantization tools do it."""
    product = fl(sx) * fl(sw)
    steps = fl(a + whole(rint(double(b) / double(product)), a))
    return rint(steps * (product / fl(sy))) + zy


def static_onednn_vnni(a, sx, sw, b, sy, zy):
    """As dynamic_onednn_vnni, then times the output scale's reciprocal; the zero point is added before rounding."""
    return rint(dynamic_onednn_vnni(a, sx, sw, b) * inverted_twice(inverted(sy)) + zy)


def static_onednn_amx(a, sx, sw, b, sy, zy):
    """As dynamic_onednn_amx, then times the output scale's reciprocal; the zero point is added before rounding."""
    return rint(dynamic_onednn_amx(a, sx, sw, b) * inverted_twice(inverted(sy)) + zy)


def conv_onednn_vnni(a, sx, sw, b, sy, zy):
    """As static_onednn_vnni, but weight scales of a convolution are not inverted; torch engines onednn and x86."""
    return rint((fl(a) * inverted_twice(sx) * fl(sw) + b) * inverted_twice(inverted(sy)) + zy)


def conv_onednn_amx(a, sx, sw, b, sy, zy):
    """As static_onednn_amx, but weight scales of a convolution are not inverted; torch engines onednn and x86."""
    return rint((fl(a) * (inverted_twice(sx) * fl(sw)) + b) * inverted_twice(inverted(sy)) + zy)


def _onednn_weight_scale(sw):
    """Weight scales of a linear layer come back from reciprocals: per-tensor of a double, per-channel of a float32."""
    return inverted_twice(fl(sw) if sw.ndim else sw)

"""From a prepared model to integers, whichever way it was prepared."""

from torch.ao.quantization import DeQuantStub

from quantutils.nn import Dequantize
from quantutils.nn.fake import FakeQuantized
from quantutils.workflow.qat import convert_qat
from quantutils.workflow.replacing import finished, need_module, replaced
from quantutils.workflow.static import Observed, converted_layer


def convert(prepared):
    """The integer form of what `prepare` or `prepare_qat` returned, after data went through it or it was trained.

    The prepared model is left as it was.
    Between converted layers integers travel (quantutils.nn.Codes); what the model returns is float.
    Raises ValueError for a model that `prepare` did not make, for a layer that saw no data or only zeros, and for a
    module that is used in two places, whose one range would have to serve both.
    """
    need_module(prepared, "prepared")
    choices = getattr(prepared, "choices", None)
    if choices is None:
        raise ValueError(
            "prepared was not made by prepare(model); accepted: what it returned, with data run through it"
        )

    if any(isinstance(module, FakeQuantized) for module in prepared.modules()):
        return convert_qat(prepared)

    def make(_name, layer):
        if isinstance(layer, Observed):
            return converted_layer(layer, *choices)
        return Dequantize() if type(layer) is DeQuantStub else None

    new, _ = replaced(prepared, make)
    new._forward_pre_hooks.clear()
    return finished(new, prepared.float_model)

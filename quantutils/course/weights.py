"""The trained weights that ship with the course, as NumPy arrays: lessons 00 to 04 see real layers without torch."""

from pathlib import Path

from safetensors import safe_open

from quantutils.checks import one_of

FOLDER = Path(__file__).parent / "zoo" / "weights"


def shipped_weights(name):
    """{name of a tensor: float32 array} of a trained model that ships: its matrices are (outputs, inputs).

    name: "digits_mlp", "digits_cnn", "char_lstm" or "char_transformer". Raises ValueError for another.

    >>> shipped_weights("digits_cnn")["12.weight"].shape
    (40, 256)
    """
    one_of(name, "name", sorted(path.stem for path in FOLDER.glob("*.safetensors")))
    with safe_open(FOLDER / f"{name}.safetensors", framework="numpy") as file:
        return {key: file.get_tensor(key) for key in sorted(file.keys())}

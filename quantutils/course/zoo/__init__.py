"""Data and small models of the lessons: offline, in seconds, the same on every machine.

Trained weights ship as safetensors in weights/; tools/train_zoo.py made them.
"""

from quantutils.course.zoo.characters import CharLSTM, CharTransformer, char_lstm, char_transformer
from quantutils.course.zoo.classifiers import ACTIVATIONS, MLP_KINDS, digits_cnn, digits_mlp, mlp_768, mnist_cnn
from quantutils.course.zoo.encoder import SentenceEncoder, mean_cosine, sentence_encoder
from quantutils.course.zoo.images import Digits, correct, digits, harder_digits, mnist_5000
from quantutils.course.zoo.search import Search, agreement
from quantutils.course.zoo.sentences import course_passages, course_questions, frozen_sentences
from quantutils.course.zoo.shipped import shipped_names, training_record
from quantutils.course.zoo.simulated import fake_quantized_run, five_runs, runs_by_bits
from quantutils.course.zoo.text import ALPHABET, bits_per_character, decode, encode, frozen_text
from quantutils.course.zoo.trained import qat_file, qat_record
from quantutils.course.zoo.training import trained_on, trained_on_digits

__all__ = [
    "ACTIVATIONS",
    "ALPHABET",
    "MLP_KINDS",
    "CharLSTM",
    "CharTransformer",
    "Digits",
    "Search",
    "SentenceEncoder",
    "agreement",
    "bits_per_character",
    "char_lstm",
    "char_transformer",
    "correct",
    "course_passages",
    "course_questions",
    "decode",
    "digits",
    "digits_cnn",
    "digits_mlp",
    "encode",
    "fake_quantized_run",
    "five_runs",
    "frozen_sentences",
    "frozen_text",
    "harder_digits",
    "mean_cosine",
    "mlp_768",
    "mnist_5000",
    "mnist_cnn",
    "qat_file",
    "qat_record",
    "runs_by_bits",
    "sentence_encoder",
    "shipped_names",
    "trained_on",
    "trained_on_digits",
    "training_record",
]

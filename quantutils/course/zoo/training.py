"""One way to train every classifier of images here: Adam, a rate that falls to 0, batches in the order of a seed."""

import math

import torch
from torch.nn import functional

from quantutils.course.zoo.images import digits
from quantutils.nn.fake import FakeActivation, FakeWeight

BATCH = 64  # images


def trained_on_digits(model, epochs, rate, seed=0, moved=0):
    """The model itself, trained in place on digits() with Adam and a rate that falls to 0; in eval mode.

    model: (images, 1, 8, 8) to (images, 10), in training mode. seed: of the order of the batches of 64. moved: as
    for `trained_on`.
    """
    data = digits()
    return trained_on(model, data.train_images, data.train_labels, epochs, rate, seed, moved)


def trained_on(model, images, labels, epochs, rate, seed=0, moved=0, teacher=None, affine=None, scale_rate=1):
    """The model itself, trained in place with Adam, batches of 64 and a rate that falls to 0; in eval mode.

    model: float32 (images, 1, height, width) to (images, classes), in training mode. images, labels: float32 as the
    model takes them, int64 (images,). rate: at the start; it falls along half a cosine, epoch by epoch. seed: of the
    order of the batches. moved: move each batch by up to so many pixels, down and right, drawn by the same seed.
    teacher: a model whose answers are half of the target (distillation, Hinton, Vinyals & Dean 2015); the labels are
    the other half. None is labels alone. affine: the other arguments of `random_affine`, by name, which each batch then
    goes through with the same seed; None leaves the images. scale_rate: rate of the trained scales of `prepare_qat`'s
    "lsq", as a part of `rate`: Adam moves a number by about its rate whatever its gradient, and a scale is much smaller
    than 1.
    """
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(_with_rates(model, rate, scale_rate))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    for _ in range(epochs):
        for batch in torch.randperm(len(labels), generator=generator).split(BATCH):
            shown = _moved(images[batch], moved, generator) if moved else images[batch]
            shown = shown if affine is None else random_affine(shown, generator, **affine)
            taught = None if teacher is None else _answers(teacher, shown)
            loss = _loss(model(shown), labels[batch], taught)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        schedule.step()
    return model.eval()


def _with_rates(model, rate, scale_rate):
    fakes = [part for part in model.modules() if isinstance(part, (FakeActivation, FakeWeight))]
    scales = [fake.scale for fake in fakes if fake.method == "lsq"]
    others = [parameter for parameter in model.parameters() if all(parameter is not scale for scale in scales)]
    return [{"params": others, "lr": rate}, {"params": scales, "lr": rate * scale_rate}]


def _moved(images, most, generator):
    down, right = torch.randint(0, 2 * most + 1, (2,), generator=generator).tolist()
    height, width = images.shape[2:]
    padded = functional.pad(images, (most,) * 4)
    return padded[:, :, down : down + height, right : right + width]


def random_affine(images, generator, degrees=0.0, scale=0.0, shift=0.0, shear=0.0):
    """The images, each turned, stretched, moved and sheared by amounts of its own, drawn evenly from −most to most.

    images: float32 (images, channels, height, width). generator: torch.Generator of the draws. degrees: most of the
    turn. scale, shear: most by which height and width are stretched, each of its own, and rows are slanted, as parts
    of 1. shift: most of the move, in pixels, down and right. Bilinear; what comes in from outside is 0.
    """

    def drawn(most):
        return most * (2 * torch.rand(len(images), generator=generator) - 1)

    turn, width, height, slant = drawn(math.radians(degrees)), 1 + drawn(scale), 1 + drawn(scale), drawn(shear)
    right, down = (drawn(2 * shift / side) for side in (images.shape[3], images.shape[2]))
    rows = (turn.cos() * width, slant - turn.sin() * width, right, turn.sin() * height, turn.cos() * height, down)
    where = functional.affine_grid(torch.stack(rows, dim=1).reshape(-1, 2, 3), list(images.shape), align_corners=False)
    return functional.grid_sample(images, where, align_corners=False)


def _answers(teacher, images):
    with torch.no_grad():
        return teacher(images).softmax(dim=1)


def _loss(logits, labels, taught):
    loss = functional.cross_entropy(logits, labels)
    return loss if taught is None else (loss + functional.cross_entropy(logits, taught)) / 2

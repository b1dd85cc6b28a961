"""One way to train every classifier of images here: Adam, a rate that falls to 0, batches in the order of a seed."""

import torch
from torch.nn import functional

from quantutils.zoo.images import digits

BATCH = 64  # images


def trained_on_digits(model, epochs, rate, seed=0, moved=0):
    """The model itself, trained in place on digits() with Adam and a rate that falls to 0; in eval mode.

    model: (images, 1, 8, 8) to (images, 10), in training mode. seed: of the order of the batches of 64. moved: as
    for `trained_on`.
    """
    data = digits()
    return trained_on(model, data.train_images, data.train_labels, epochs, rate, seed, moved)


def trained_on(model, images, labels, epochs, rate, seed=0, moved=0, teacher=None):
    """The model itself, trained in place with Adam, batches of 64 and a rate that falls to 0; in eval mode.

    model: float32 (images, 1, height, width) to (images, classes), in training mode. images, labels: float32 as the
    model takes them, int64 (images,). rate: at the start; it falls along half a cosine, epoch by epoch. seed: of the
    order of the batches. moved: move each batch by up to so many pixels, down and right, drawn by the same seed.
    teacher: a model whose answers are half of the target (distillation, Hinton, Vinyals & Dean 2015); the labels are
    the other half. None is labels alone.
    """
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(model.parameters(), rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    for _ in range(epochs):
        for batch in torch.randperm(len(labels), generator=generator).split(BATCH):
            shown = _moved(images[batch], moved, generator) if moved else images[batch]
            taught = None if teacher is None else _answers(teacher, shown)
            loss = _loss(model(shown), labels[batch], taught)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        schedule.step()
    return model.eval()


def _moved(images, most, generator):
    down, right = torch.randint(0, 2 * most + 1, (2,), generator=generator).tolist()
    height, width = images.shape[2:]
    padded = functional.pad(images, (most,) * 4)
    return padded[:, :, down : down + height, right : right + width]


def _answers(teacher, images):
    with torch.no_grad():
        return teacher(images).softmax(dim=1)


def _loss(logits, labels, taught):
    loss = functional.cross_entropy(logits, labels)
    return loss if taught is None else (loss + functional.cross_entropy(logits, taught)) / 2

"""Warps, shifts and mirrors: what moves, what does not, and that equal seeds move alike."""

import pytest
import torch

from sbnn.train.augment import shifted, warp, warped_copies


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def images():
    return torch.randint(1, 256, (40, 6, 9, 3), generator=seeded(1), dtype=torch.uint8)


def test_nothing_to_move_draws_nothing(images):
    generator = seeded()
    before = generator.get_state()
    assert shifted(images, 0, False, generator) is images
    assert torch.equal(generator.get_state(), before)


def test_every_image_is_one_shift_or_its_mirror(images):
    moved = shifted(images, 2, True, seeded())
    found = set()
    for image, result in zip(images, moved, strict=True):
        padded = torch.zeros(10, 13, 3, dtype=torch.uint8)
        padded[2:8, 2:11] = image
        crops = {
            (y, x, flip): (crop.flip(1) if flip else crop)
            for y in range(5)
            for x in range(5)
            for crop in [padded[y : y + 6, x : x + 9]]
            for flip in (False, True)
        }
        (which,) = [key for key, crop in crops.items() if torch.equal(crop, result)]
        found.add(which)
    assert {y for y, _, _ in found} == {x for _, x, _ in found} == set(range(5))
    assert {flip for _, _, flip in found} == {False, True}


def test_flip_alone_mirrors_about_half(images):
    moved = shifted(images.float(), 0, True, seeded())
    same = (moved == images).flatten(1).all(1)
    mirrored = (moved == images.flip(2)).flatten(1).all(1)
    assert (same ^ mirrored).all()
    assert 10 < int(mirrored.sum()) < 30


def test_grey_and_colour_move_alike(images):
    colour = shifted(images, 3, True, seeded(5))
    grey = shifted(images[..., 0], 3, True, seeded(5))
    assert torch.equal(colour[..., 0], grey)
    assert torch.equal(warp(images, 0.5, seeded(5))[..., 1], warp(images[..., 1], 0.5, seeded(5)))


def test_warped_copies_keep_the_originals_first(images):
    copies = warped_copies(images, 3, 1.0, 7, lambda _: None)
    assert copies.shape == (3, *images.shape)
    assert torch.equal(copies[0], images)
    assert torch.equal(copies, warped_copies(images, 3, 1.0, 7, lambda _: None))
    assert not torch.equal(copies[1], copies[2])

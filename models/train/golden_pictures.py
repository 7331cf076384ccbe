"""Renders the golden pictures: awkward shapes for the parity test, in files of a few kilobytes.

python -m models.train.golden_pictures OUT writes OUT/NAME.png. Grain is smoothed away and colours
are rounded to 32 levels a channel, which is what keeps the files small.
"""

import os
import sys

import cv2
import numpy as np

from . import render

SEED = 320
# name: (number of the scene, width, height); chosen for what render.py draws there
SCENES = {
    "odd": (4, 97, 211),
    "portrait": (18, 240, 336),
    "large": (15, 640, 427),
    "gray": (11, 200, 150),
}
EMPTY = ("empty", 26, 300, 200)  # a street without anybody


def tidy(pixels):
    smooth = cv2.medianBlur(pixels, 3).astype(np.uint16)
    return ((smooth + 4) // 8 * 8).clip(0, 255).astype(np.uint8)


def pictures():
    """{name: uint8 RGB, or one channel}"""
    made = {}
    for name, (number, width, height) in SCENES.items():
        pixels = tidy(render.scene(SEED, number, width, height)[0])
        made[name] = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY) if name == "gray" else pixels
    name, number, width, height = EMPTY
    canvas = render.Canvas(width, height)
    render.draw_street(canvas, np.random.default_rng((SEED, number)))
    made[name] = tidy(canvas.finish())
    return made


def main(out):
    os.makedirs(out, exist_ok=True)
    for name, pixels in pictures().items():
        file = os.path.join(out, name + ".png")
        if not cv2.imwrite(file, pixels[..., ::-1] if pixels.ndim == 3 else pixels,
                           [cv2.IMWRITE_PNG_COMPRESSION, 9]):
            raise SystemExit(f"{file}: cannot be written")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit("usage: python -m models.train.golden_pictures OUT")
    main(sys.argv[1])

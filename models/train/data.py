"""The labelled photos: labels.csv beside the pictures, one row a box, decoded once into memory.

A data folder holds any of maskset/ (labels.csv with train/ and val/), cc0/plain/, cc0/masked/ and
rendered/ (what render.py writes; train/ and val/ like maskset). Portraits have no split of their
own, so the person's number decides: the plain and the masked picture of one person, which share
pixels, always fall on the same side.
"""

import collections
import csv
import hashlib
import os
import re

import cv2
import numpy as np

from . import network

Photo = collections.namedtuple("Photo", "name pixels boxes labels source")


def held_out(name):
    """True for the fifth of the portraits that evaluation keeps."""
    person = re.sub(r"\D", "", os.path.basename(name).split("_", 1)[-1])
    return hashlib.sha256(person.encode()).digest()[0] % 5 == 0


def read_labels(path):
    """{file: [(class, xmin, ymin, xmax, ymax)]}; a file without boxes has an empty list."""
    faces = collections.OrderedDict()
    with open(path, newline="") as stream:
        for row in csv.DictReader(stream):
            boxes = faces.setdefault(row["file"], [])
            if row["class"] in network.CLASSES:
                sides = [float(row[k]) for k in ("xmin", "ymin", "xmax", "ymax")]
                boxes.append((network.CLASSES.index(row["class"]), *sides))
    return faces


def read_photo(path):
    pixels = cv2.imread(path, cv2.IMREAD_COLOR)
    if pixels is None:
        raise SystemExit(f"{path}: not a picture that can be decoded")
    return np.ascontiguousarray(pixels[:, :, ::-1])


def load(folder, split):
    """Photos of `split`, "train" or "val", as RGB bytes."""
    photos = []
    for part in ("maskset", "cc0/plain", "cc0/masked", "rendered"):
        path = os.path.join(folder, part, "labels.csv")
        if not os.path.exists(path):
            continue
        for name, rows in read_labels(path).items():
            if part.startswith("cc0"):
                if held_out(name) != (split == "val"):
                    continue
            elif not name.startswith(split + "/"):
                continue
            pixels = read_photo(os.path.join(folder, part, name))
            array = np.array(rows, np.float32).reshape(-1, 5)
            photos.append(Photo(name, pixels, array[:, 1:].copy(), array[:, 0].astype(np.int64),
                                part.split("/")[0]))
    if not photos:
        raise SystemExit(f"{folder}: no labelled {split} photos (maskset, cc0 or rendered)")
    return photos


def stretch(pixels, side):
    """The picture as the product resizes it: TensorFlow.js bilinear, source = i * in / out, no
    half pixel, no antialiasing. float32 in 0..255."""
    height, width = pixels.shape[:2]
    steps = np.arange(side, dtype=np.float32)
    x, y = steps * np.float32(width / side), steps * np.float32(height / side)
    x0, y0 = np.floor(x).astype(int), np.floor(y).astype(int)
    x1, y1 = np.minimum(x0 + 1, width - 1), np.minimum(y0 + 1, height - 1)
    fx, fy = (x - np.floor(x))[None, :, None], (y - np.floor(y))[:, None, None]
    rows0, rows1 = pixels[y0].astype(np.float32), pixels[y1].astype(np.float32)
    top = rows0[:, x0] * (1 - fx) + rows0[:, x1] * fx
    bottom = rows1[:, x0] * (1 - fx) + rows1[:, x1] * fx
    return top * (1 - fy) + bottom * fy

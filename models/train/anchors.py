"""Anchors: where the boxes of the network start, and the SSD centre-size coding on top of them.

Order: level, row, column, size. Every size has the level's one ratio, so a model card describes a
level by its map, its sizes and [ratio]: a box of size s and ratio r is s * sqrt(r) wide and
s / sqrt(r) high, in fractions of the input's side, centred on (column + 0.5) / map.
"""

import math

import torch

VARIANCES = (0.1, 0.1, 0.2, 0.2)
SIDE = 320  # the input the sizes below are fractions of
RATIO = 0.66  # faces are about 0.8 as wide as high, and photos are mostly stretched narrower
# stride -> sizes; a geometric ladder of step 1.5 over what the training boxes span
SIZES = {
    4: (0.027, 0.042),
    8: (0.064, 0.096),
    16: (0.145, 0.22),
    32: (0.33, 0.5),
}


def levels(side):
    """[(stride, map, sizes)] for a square picture of `side` pixels. Anchors keep their size in
    pixels, so that training may look through smaller windows than the input."""
    return [(stride, side // stride, tuple(s * SIDE / side for s in sizes))
            for stride, sizes in SIZES.items()]


def generate(side):
    """(N, 4) float32 centre-size anchors: cx cy w h."""
    boxes = []
    for _, cells, sizes in levels(side):
        for row in range(cells):
            for column in range(cells):
                for size in sizes:
                    boxes.append(
                        (
                            (column + 0.5) / cells,
                            (row + 0.5) / cells,
                            size * math.sqrt(RATIO),
                            size / math.sqrt(RATIO),
                        )
                    )
    return torch.tensor(boxes, dtype=torch.float32)


def corners(boxes):
    """centre-size -> xmin ymin xmax ymax"""
    half = boxes[..., 2:] / 2
    return torch.cat((boxes[..., :2] - half, boxes[..., :2] + half), -1)


def decode(codes, anchors):
    """codes (..., 4) and centre-size anchors -> corners"""
    centre = codes[..., :2] * VARIANCES[0] * anchors[..., 2:] + anchors[..., :2]
    size = torch.exp((codes[..., 2:] * VARIANCES[2]).clamp(max=6)) * anchors[..., 2:]
    return torch.cat((centre - size / 2, centre + size / 2), -1)


def iou(a, b, generalised=False):
    """IoU of corner boxes, element by element with broadcasting; with `generalised` GIoU
    (Rezatofighi et al. 2019)."""
    inner = (torch.minimum(a[..., 2:], b[..., 2:]) - torch.maximum(a[..., :2], b[..., :2])).clamp(0)
    inter = inner[..., 0] * inner[..., 1]
    area_a = (a[..., 2] - a[..., 0]) * (a[..., 3] - a[..., 1])
    area_b = (b[..., 2] - b[..., 0]) * (b[..., 3] - b[..., 1])
    union = area_a + area_b - inter + 1e-9
    overlap = inter / union
    if not generalised:
        return overlap
    outer = torch.maximum(a[..., 2:], b[..., 2:]) - torch.minimum(a[..., :2], b[..., :2])
    hull = outer[..., 0] * outer[..., 1] + 1e-9
    return overlap - (hull - union) / hull


class Matcher:
    """ATSS (Zhang et al. 2020): an anchor is positive for a face when it is among the nearest of
    its level, its IoU is above mean + deviation of those candidates, and its centre lies in the
    face. Every face keeps at least its best anchor, so that the smallest ones train too."""

    def __init__(self, side, window=3):
        self.side = side
        self.anchors = generate(side)
        self.window = window

    def __call__(self, boxes):
        """boxes (G, 5): image index, corners. Returns for the positives (image, anchor, face)."""
        if not len(boxes):
            empty = torch.zeros(0, dtype=torch.long)
            return empty, empty, empty
        box = boxes[:, 1:]
        centre = (box[:, :2] + box[:, 2:]) / 2
        reach = torch.arange(self.window) - self.window // 2
        candidates, base = [], 0
        for _, cells, sizes in levels(self.side):
            cell = (centre * cells).long().clamp(0, cells - 1)
            column = (cell[:, 0, None] + reach).clamp(0, cells - 1)
            row = (cell[:, 1, None] + reach).clamp(0, cells - 1)
            index = row[:, :, None] * cells + column[:, None, :]
            index = index.reshape(len(box), -1, 1) * len(sizes) + torch.arange(len(sizes))
            candidates.append(base + index.reshape(len(box), -1))
            base += cells * cells * len(sizes)
        candidates = torch.cat(candidates, 1)
        anchor = self.anchors[candidates]
        overlap = iou(corners(anchor), box[:, None])
        inside = (anchor[..., :2] > box[:, None, :2]) & (anchor[..., :2] < box[:, None, 2:])
        inside = inside.all(-1)
        threshold = overlap.mean(1, keepdim=True) + overlap.std(1, keepdim=True)
        positive = inside & (overlap >= threshold)
        positive.scatter_(1, overlap.argmax(1, keepdim=True), True)
        face, place = positive.nonzero(as_tuple=True)
        quality = overlap[face, place]
        index = boxes[face, 0].long() * len(self.anchors) + candidates[face, place]
        # an anchor that two faces want goes to the one it overlaps more: the last write wins
        order = quality.argsort()
        owner = torch.full((int(index.max()) + 1,), -1, dtype=torch.long)
        owner[index[order]] = face[order]
        index = index.unique()
        return index // len(self.anchors), index % len(self.anchors), owner[index]

"""Training pictures: photos placed on the input's canvas by one affine sampling each, with faces
pasted, masks drawn, colours and sharpness disturbed. Sampling is bilinear without antialiasing,
like the product's, so that shrunk faces look the same in training and in use.
"""

import cv2
import numpy as np

MASK, NO_MASK = 0, 1
SMALLEST = 4.0  # pixels of the input; a face smaller than this is erased or ignored, not learnt


def place(canvas, window, pixels, boxes, scale, rng, about=None):
    """Draws `pixels` into window = (x, y, w, h) of canvas at `scale` = (sx, sy), so that the point
    `about`, if any, is seen; returns the boxes there and how much of each is visible."""
    x, y, w, h = window
    height, width = pixels.shape[:2]
    sx, sy = scale
    flip = rng.random() < 0.5
    # anywhere between both edges: a crop when the picture is larger, a margin when smaller
    ox = x + rng.uniform(min(0, w - width * sx), max(0, w - width * sx))
    oy = y + rng.uniform(min(0, h - height * sy), max(0, h - height * sy))
    if about is not None:
        if width * sx > w:
            centre = (width - about[0] if flip else about[0]) * sx
            ox = x + np.clip(w * rng.uniform(0.2, 0.8) - centre, w - width * sx, 0)
        if height * sy > h:
            oy = y + np.clip(h * rng.uniform(0.2, 0.8) - about[1] * sy, h - height * sy, 0)
    matrix = np.array([[-sx if flip else sx, 0, ox - x + (width * sx if flip else 0)],
                       [0, sy, oy - y]], np.float32)
    view = canvas[y:y + h, x:x + w]
    cv2.warpAffine(pixels, matrix, (w, h), dst=view, flags=cv2.INTER_LINEAR,
                   borderMode=cv2.BORDER_TRANSPARENT)
    placed = boxes * np.array([sx, sy, sx, sy], np.float32)
    if flip:
        placed = np.stack((width * sx - placed[:, 2], placed[:, 1],
                           width * sx - placed[:, 0], placed[:, 3]), 1)
    placed = placed + np.array([ox, oy, ox, oy], np.float32)
    clipped = placed.copy()
    clipped[:, 0::2] = clipped[:, 0::2].clip(x, x + w)
    clipped[:, 1::2] = clipped[:, 1::2].clip(y, y + h)
    area = lambda b: (b[:, 2] - b[:, 0]).clip(0) * (b[:, 3] - b[:, 1]).clip(0)
    return clipped, area(clipped) / area(placed).clip(1e-3)


def draw_mask(pixels, box, rng, below_nose=False):
    """Paints a mask over the lower half of the face in `box`, in place; below_nose leaves the nose
    bare, which counts as no mask."""
    x0, y0, x1, y1 = box
    w, h = x1 - x0, y1 - y0
    top = y0 + h * (rng.uniform(0.68, 0.76) if below_nose else rng.uniform(0.42, 0.56))
    bottom = y1 + h * rng.uniform(-0.06, 0.03)
    middle = (x0 + x1) / 2 + w * rng.uniform(-0.08, 0.08)
    bulge = h * rng.uniform(0.0, 0.1)
    edge = w * rng.uniform(-0.02, 0.08)
    outline = np.array([(x0 + edge, top), (middle, top - bulge), (x1 - edge, top),
                        (x1 - edge - w * 0.04, (top + bottom) / 2 + h * 0.1),
                        (middle + w * 0.2, bottom), (middle - w * 0.2, bottom),
                        (x0 + edge + w * 0.04, (top + bottom) / 2 + h * 0.1)])
    pad = 3
    left, upper = int(max(x0 - pad, 0)), int(max(top - bulge - pad, 0))
    view = pixels[upper:int(bottom) + pad + 1, left:int(x1) + pad + 1]
    if view.shape[0] < 3 or view.shape[1] < 3:
        return
    cover = np.zeros(view.shape[:2], np.uint8)
    fixed = np.round((outline - (left, upper)) * 16).astype(np.int32)
    cv2.fillPoly(cover, [fixed], 255, cv2.LINE_AA, 4)
    kind = rng.random()
    if kind < 0.35:
        colour = np.array((150, 190, 215)) + rng.uniform(-35, 35, 3)
    elif kind < 0.65:
        colour = np.full(3, rng.uniform(200, 250)) + rng.uniform(-8, 8, 3)
    elif kind < 0.85:
        colour = np.full(3, rng.uniform(15, 60)) + rng.uniform(-8, 8, 3)
    else:
        colour = rng.uniform(30, 220, 3)
    # keep half of the face's own shading, so that the cloth is lit like the head
    own = view.mean(axis=2, keepdims=True).astype(np.float32)
    light = 1 + rng.uniform(0.2, 0.6) * (own / max(float(own.mean()), 1.0) - 1)
    rows = np.arange(view.shape[0], dtype=np.float32)[:, None, None]
    if rng.random() < 0.5:  # pleats
        light = light * (1 - 0.1 * (np.sin(rows / max(h * 0.05, 1.0)) > 0.5))
    alpha = cover[:, :, None].astype(np.float32) / 255
    view[:] = (view * (1 - alpha) + (colour * light).clip(0, 255) * alpha).astype(np.uint8)


class Faces:
    """Face cut-outs for pasting: (pixels with a margin, box inside them, class)."""

    def __init__(self, photos, smallest=18):
        self.cuts = {MASK: [], NO_MASK: []}
        for photo in photos:
            height, width = photo.pixels.shape[:2]
            for box, label in zip(photo.boxes, photo.labels):
                w, h = box[2] - box[0], box[3] - box[1]
                if min(w, h) < smallest:
                    continue
                x0, y0 = int(max(box[0] - 0.35 * w, 0)), int(max(box[1] - 0.45 * h, 0))
                x1, y1 = int(min(box[2] + 0.35 * w, width)), int(min(box[3] + 0.35 * h, height))
                cut = photo.pixels[y0:y1, x0:x1]
                longest = max(cut.shape[:2])
                inner = box - np.array([x0, y0, x0, y0], np.float32)
                if longest > 160:
                    cut = cv2.resize(cut, None, fx=160 / longest, fy=160 / longest,
                                     interpolation=cv2.INTER_AREA)
                    inner = inner * (160 / longest)
                self.cuts[int(label)].append((cut, inner))

    def paste(self, canvas, boxes, rng):
        """Blends one face in where it hides none; returns (box, class) or None."""
        label = NO_MASK if rng.random() < 0.72 else MASK
        cuts = self.cuts[label]
        if not cuts:
            return None
        cut, inner = cuts[rng.integers(len(cuts))]
        if label == NO_MASK and min(inner[2] - inner[0], inner[3] - inner[1]) > 20:
            chance = rng.random()
            if chance < 0.22:
                cut = cut.copy()
                draw_mask(cut, inner, rng, below_nose=chance < 0.06)
                label = NO_MASK if chance < 0.06 else MASK
        side = canvas.shape[0]
        tall = float(np.exp(rng.uniform(np.log(9), np.log(80))))
        sy = tall / (inner[3] - inner[1])
        sx = sy * rng.uniform(0.62, 1.05)
        w, h = int(cut.shape[1] * sx), int(cut.shape[0] * sy)
        if w < 4 or h < 4 or w >= side or h >= side:
            return None
        for _ in range(4):
            x, y = int(rng.integers(side - w)), int(rng.integers(side - h))
            if not len(boxes) or not ((boxes[:, 0] < x + w) & (boxes[:, 2] > x) &
                                      (boxes[:, 1] < y + h) & (boxes[:, 3] > y)).any():
                break
        else:
            return None
        if rng.random() < 0.5:
            cut = cut[:, ::-1]
            inner = np.array([cut.shape[1] - inner[2], inner[1], cut.shape[1] - inner[0],
                              inner[3]], np.float32)
        small = cv2.warpAffine(np.ascontiguousarray(cut), np.array([[sx, 0, 0], [0, sy, 0]]),
                               (w, h), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        box = inner * np.array([w / cut.shape[1], h / cut.shape[0]] * 2, np.float32)
        u = (np.arange(w) - (box[0] + box[2]) / 2) / (0.72 * (box[2] - box[0]))
        v = (np.arange(h) - (box[1] + box[3]) / 2) / (0.78 * (box[3] - box[1]))
        alpha = ((1.15 - np.hypot(u[None, :], v[:, None])) * 5).clip(0, 1)[:, :, None]
        view = canvas[y:y + h, x:x + w]
        gain = rng.uniform(0.75, 1.2)
        view[:] = (view * (1 - alpha) + (small * gain).clip(0, 255) * alpha).astype(np.uint8)
        return box + np.array([x, y, x, y], np.float32), label


def disturb(canvas, rng):
    """Colour, light, sharpness, noise and JPEG."""
    if rng.random() < 0.8:
        gain = rng.uniform(0.65, 1.35) * rng.uniform(0.9, 1.1, 3)
        table = np.arange(256, dtype=np.float32)[:, None] * gain + rng.uniform(-25, 25)
        gamma = np.exp(rng.uniform(-0.3, 0.3))
        table = 255 * (table.clip(0, 255) / 255) ** gamma
        canvas = cv2.LUT(canvas, table.astype(np.uint8)[None])
    chance = rng.random()
    if chance < 0.3:
        gray = cv2.cvtColor(canvas, cv2.COLOR_RGB2GRAY)
        rest = 0.0 if chance < 0.04 else rng.uniform(0.3, 1.6)
        canvas = cv2.addWeighted(canvas, rest, cv2.merge((gray, gray, gray)), 1 - rest, 0)
    chance = rng.random()
    if chance < 0.12:
        canvas = cv2.GaussianBlur(canvas, (0, 0), rng.uniform(0.4, 1.2))
    elif chance < 0.2:
        k = int(rng.integers(2, 4))
        canvas = cv2.blur(canvas, (k, 1) if rng.random() < 0.5 else (1, k))
    elif chance < 0.3:
        noise = rng.normal(0, rng.uniform(2, 9), (canvas.shape[0], canvas.shape[1], 1))
        canvas = (canvas + noise).clip(0, 255).astype(np.uint8)
    if rng.random() < 0.2:
        quality = int(rng.integers(30, 85))
        _, packed = cv2.imencode(".jpg", canvas, [cv2.IMWRITE_JPEG_QUALITY, quality])
        canvas = cv2.imdecode(packed, cv2.IMREAD_COLOR)
    return canvas


class Maker:
    """Makes training samples from photos; `gentle` is for the last epochs: whole pictures, little
    paste, as in use."""

    def __init__(self, photos, side, reference, portraits=0.5):
        """portraits: how often a portrait is drawn, a street photo of no bare face being 1."""
        self.photos = photos
        self.side = side  # of the canvas, a window on the input of `reference`
        self.reference = reference
        self.faces = Faces(photos)
        weight = np.array([1.0 + 1.0 * min((p.labels == NO_MASK).sum(), 2) for p in photos])
        weight *= np.array([{"maskset": 1.0, "cc0": portraits, "rendered": 0.4}[p.source]
                            for p in photos])
        self.weight = weight / weight.sum()

    def pick(self, rng):
        photo = self.photos[rng.choice(len(self.photos), p=self.weight)]
        pixels, labels = photo.pixels, photo.labels
        bare = [i for i in np.flatnonzero(labels == NO_MASK)
                if photo.source != "rendered" and min(photo.boxes[i][2:] - photo.boxes[i][:2]) > 20]
        if bare and rng.random() < 0.25:
            pixels, labels = pixels.copy(), labels.copy()
            for i in bare:
                chance = rng.random()
                if chance < 0.5:
                    draw_mask(pixels, photo.boxes[i], rng)
                    labels[i] = MASK
                elif chance < 0.6:
                    draw_mask(pixels, photo.boxes[i], rng, below_nose=True)
        return photo, pixels, labels

    def sample(self, rng, gentle=False):
        """uint8 (side, side, 3), boxes (G, 4) in fractions, labels (G,), and ignored boxes."""
        side = self.side
        canvas = np.empty((side, side, 3), np.uint8)
        canvas[:] = rng.integers(60, 160, 3)
        if rng.random() < (0.1 if gentle else 0.5):  # mosaic
            mx, my = (int(side * rng.uniform(0.3, 0.7)) for _ in range(2))
            windows = [(0, 0, mx, my), (mx, 0, side - mx, my), (0, my, mx, side - my),
                       (mx, my, side - mx, side - my)]
        else:
            windows = [(0, 0, side, side)]
        boxes, labels, seen = [], [], []
        for window in windows:
            photo, pixels, kinds = self.pick(rng)
            height, width = pixels.shape[:2]
            # the product stretches the whole picture over the input; zoom around that
            if len(windows) > 1:
                zoom = np.exp(rng.uniform(np.log(0.45), np.log(1.4)))
            elif gentle and rng.random() < 0.6:
                zoom = np.exp(rng.uniform(-0.12, 0.12))
            else:
                zoom = np.exp(rng.uniform(np.log(0.5), np.log(2.2)))
            aspect = np.exp(rng.uniform(-0.2, 0.2) * (0.5 if gentle else 1))
            scale = (self.reference / width * zoom * aspect,
                     self.reference / height * zoom / aspect)
            about = None
            if len(photo.boxes) and rng.random() < (0.0 if gentle else 0.6):
                box = photo.boxes[rng.integers(len(photo.boxes))]
                about = (box[:2] + box[2:]) / 2
            placed, visible = place(canvas, window, pixels, photo.boxes, scale, rng, about)
            boxes.append(placed)
            labels.append(kinds)
            seen.append(visible)
        boxes = np.concatenate(boxes)
        labels, seen = np.concatenate(labels), np.concatenate(seen)
        if rng.random() < (0.3 if gentle else 0.5):
            for _ in range(int(rng.integers(1, 3 if gentle else 6))):
                pasted = self.faces.paste(canvas, boxes, rng)
                if pasted is not None:
                    boxes = np.concatenate((boxes, pasted[0][None]))
                    labels, seen = np.append(labels, pasted[1]), np.append(seen, 1.0)
        canvas = disturb(canvas, rng)
        small = np.minimum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]) < SMALLEST
        keep = (seen > 0.5) & ~small
        ignored = (seen > 0.05) & ~keep
        return canvas, boxes[keep] / side, labels[keep], boxes[ignored] / side

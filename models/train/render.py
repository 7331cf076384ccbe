"""Renders street-like scenes with people, some masked, and labels them: our own pictures.

python -m models.train.render OUT --count N [--seed S] writes OUT/labels.csv and OUT/train/,
OUT/val/ (every fifth) as PNG. A picture depends on the seed and its number alone. Everything is
drawn from polygons and ellipses at twice the size and reduced; boxes run from the brow to the
chin, like those of the photos.
"""

import argparse
import csv
import os

import cv2
import numpy as np

SKINS = ((255, 224, 196), (241, 194, 160), (224, 172, 130), (198, 134, 92), (160, 104, 66),
         (120, 76, 48), (86, 54, 36))
HAIRS = ((28, 22, 20), (58, 38, 26), (96, 62, 36), (150, 108, 60), (196, 164, 104), (150, 148, 146),
         (110, 44, 28))
MASKS = ((158, 200, 222), (122, 178, 210), (236, 238, 240), (246, 246, 242), (34, 34, 38),
         (52, 56, 66), (176, 206, 190), (206, 150, 160), (92, 110, 150), (150, 60, 66))
OVER = 2  # supersampling
FRACTION = 3  # bits of sub-pixel position in OpenCV's drawing


def jitter(colour, rng, spread=12):
    return tuple(float(np.clip(c + rng.uniform(-spread, spread), 0, 255)) for c in colour)


class Canvas:
    """RGB pixels with sub-pixel drawing in the picture's own coordinates."""

    def __init__(self, width, height):
        self.width, self.height = width, height
        self.pixels = np.zeros((height * OVER, width * OVER, 3), np.uint8)

    def polygon(self, points, colour):
        fixed = np.round(np.asarray(points) * OVER * (1 << FRACTION)).astype(np.int32)
        cv2.fillPoly(self.pixels, [fixed], colour, cv2.LINE_AA, FRACTION)

    def rectangle(self, x0, y0, x1, y1, colour):
        self.polygon([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], colour)

    def ellipse(self, x, y, rx, ry, colour, start=0.0, end=360.0, turn=0.0):
        angle = np.radians(np.linspace(start, end, 48))
        u, v = rx * np.cos(angle), ry * np.sin(angle)
        c, s = np.cos(turn), np.sin(turn)
        self.polygon(np.stack((x + u * c - v * s, y + u * s + v * c), 1), colour)

    def line(self, points, colour, width):
        fixed = np.round(np.asarray(points) * OVER * (1 << FRACTION)).astype(np.int32)
        cv2.polylines(self.pixels, [fixed], False, colour, max(1, round(width * OVER)),
                      cv2.LINE_AA, FRACTION)

    def finish(self):
        return cv2.resize(self.pixels, (self.width, self.height), interpolation=cv2.INTER_AREA)


def draw_street(canvas, rng):
    """Sky, houses with windows and shop fronts, pavement, trees and signs."""
    w, h = canvas.width, canvas.height
    horizon = h * rng.uniform(0.35, 0.6)
    top, low = rng.uniform(120, 235, 3), rng.uniform(170, 245, 3)
    ramp = np.linspace(0, 1, canvas.pixels.shape[0])[:, None, None]
    canvas.pixels[:] = (top * (1 - ramp) + low * ramp).astype(np.uint8)
    x = -rng.uniform(0, 40)
    while x < w:
        wide, tall = rng.uniform(40, 140), rng.uniform(0.3, 1.1) * h
        wall = rng.uniform(50, 215) + rng.uniform(-28, 28, 3)
        canvas.rectangle(x, horizon - tall, x + wide, h, tuple(wall.clip(0, 255)))
        pane = jitter(wall * rng.uniform(0.4, 1.3), rng, 20)
        step = rng.uniform(12, 28)
        for wy in np.arange(horizon - tall + step / 2, horizon - step, step * 1.3):
            for wx in np.arange(x + step / 3, x + wide - step * 0.6, step):
                if rng.random() < 0.85:
                    canvas.rectangle(wx, wy, wx + step * 0.5, wy + step * 0.75,
                                     jitter(pane, rng, 18))
        if rng.random() < 0.5:
            band = jitter(rng.uniform(20, 240, 3), rng)
            canvas.rectangle(x, horizon - 26, x + wide, horizon - 12, band)
            ink = tuple(255.0 - c for c in band)
            for sx in np.arange(x + 6, x + wide - 8, rng.uniform(6, 11)):
                canvas.rectangle(sx, horizon - 23, sx + rng.uniform(2, 5), horizon - 15, ink)
        x += wide
    ground = rng.uniform(70, 180) + rng.uniform(-12, 12, 3)
    canvas.rectangle(0, horizon, w, h, tuple(ground.clip(0, 255)))
    for _ in range(int(rng.integers(3, 9))):
        far = rng.uniform(horizon, h)
        canvas.line([(0, far), (w, far + rng.uniform(-20, 20))], jitter(ground, rng, 25),
                    rng.uniform(0.5, 2.5))
    for _ in range(int(rng.integers(0, 4))):
        tx, ty, crown = rng.uniform(0, w), rng.uniform(horizon * 0.4, horizon), rng.uniform(14, 45)
        canvas.rectangle(tx - 3, ty, tx + 3, horizon + 12, (82, 62, 46))
        for _ in range(14):
            canvas.ellipse(tx + rng.normal(0, crown / 2), ty + rng.normal(0, crown / 2.5),
                           crown * 0.4, crown * 0.35, jitter((60, 104, 52), rng, 30))
    for _ in range(int(rng.integers(0, 5))):  # balls, lamps, plates: round things that are no face
        px, py, r = rng.uniform(0, w), rng.uniform(0, h), rng.uniform(4, 18)
        canvas.ellipse(px, py, r, r * rng.uniform(0.7, 1.3), jitter(rng.uniform(0, 255, 3), rng))


def draw_body(canvas, rng, x, y, s):
    """Neck, torso and arms under a head of height s centred at x, y."""
    cloth = jitter(rng.uniform(15, 235, 3), rng)
    dark = tuple(c * 0.75 for c in cloth)
    shoulder, top = s * rng.uniform(0.85, 1.15), y + s * 0.62
    base = top + s * rng.uniform(2.2, 3.0)
    canvas.polygon([(x - shoulder * 0.35, top), (x + shoulder * 0.35, top),
                    (x + shoulder, top + s * 0.3), (x + shoulder * 0.85, base),
                    (x - shoulder * 0.85, base), (x - shoulder, top + s * 0.3)], cloth)
    for side in (-1, 1):
        canvas.polygon([(x + side * shoulder, top + s * 0.28),
                        (x + side * shoulder * 1.22, top + s * 1.1),
                        (x + side * shoulder * 1.1, base * 0.97),
                        (x + side * shoulder * 0.84, base * 0.97),
                        (x + side * shoulder * 0.8, top + s * 0.8)], dark)
    canvas.rectangle(x - shoulder * 0.6, base, x + shoulder * 0.6, base + s * 3, dark)
    if rng.random() < 0.5:
        canvas.line([(x, top + s * 0.1), (x, base)], dark, s * 0.03)
    if rng.random() < 0.3:
        canvas.polygon([(x - s * 0.2, top), (x + s * 0.2, top), (x, top + s * 0.4)],
                       jitter((230, 230, 228), rng))


def draw_mask(canvas, rng, at, rx, ry, cover):
    """A mask whose upper edge lies at `cover` (-1 top .. 1 chin of the head)."""
    colour = jitter(MASKS[rng.integers(len(MASKS))], rng)
    shade = tuple(c * 0.84 for c in colour)
    upper, lower = cover, rng.uniform(0.96, 1.06)
    reach = lambda v: 0.98 * np.sqrt(max(0.0, 1 - min(abs(v), 0.98) ** 2))
    lift = rng.uniform(0.06, 0.2)
    left = [(-reach(v), v) for v in np.linspace(upper, 0.93, 7)]
    right = [(-u, v) for u, v in left[::-1]]
    shape = left + [(-0.22, lower), (0.22, lower)] + right + [(0.3, upper - lift * 0.7),
                                                           (0.0, upper - lift),
                                                           (-0.3, upper - lift * 0.7)]
    for side in (-1, 1):
        canvas.line([at(side * 0.9, upper + 0.1), at(side * 1.02, upper - 0.2)], colour, rx * 0.05)
    canvas.polygon([at(u, v) for u, v in shape], colour)
    kind = rng.random()
    if kind < 0.5:  # pleats
        for v in np.linspace(upper + 0.18, 0.82, 3):
            canvas.line([at(-reach(v) * 0.9, v - 0.03), at(0, v + 0.02), at(reach(v) * 0.9, v - 0.03)],
                        shade, ry * 0.035)
    elif kind < 0.75:  # a seam
        canvas.line([at(0, upper - lift), at(0.06, (upper + lower) / 2), at(0, lower)], shade,
                    ry * 0.03)
        if kind < 0.6:
            x, y = at(0.45, (upper + lower) / 2)
            canvas.ellipse(x, y, rx * 0.14, ry * 0.11, shade)


def draw_person(canvas, rng, x, y, s, state):
    """A person with a head of height s around x, y; state: "bare", "masked", "below_nose" or
    "chin". Returns the face's box, brow to chin."""
    rx, ry = s * rng.uniform(0.34, 0.4), s * 0.5
    yaw, tilt = rng.uniform(-0.4, 0.4), rng.uniform(-0.16, 0.16)
    c, si = np.cos(tilt), np.sin(tilt)

    def at(u, v, turned=True):
        # features slide with the head's turn, most in the middle of the face
        if turned:
            u = u + yaw * max(0.0, 1 - u * u) * 0.8
        return x + u * rx * c - v * ry * si, y + u * rx * si + v * ry * c

    skin = jitter(SKINS[rng.integers(len(SKINS))], rng, 10)
    dim = tuple(v * 0.85 for v in skin)
    hair = jitter(HAIRS[rng.integers(len(HAIRS))], rng, 8)
    style = rng.integers(4)
    if style == 2:  # long
        hx, hy = at(0, 0.15, False)
        canvas.ellipse(hx, hy, rx * 1.22, ry * 1.25, hair, turn=tilt)
    draw_body(canvas, rng, x, y, s)
    canvas.rectangle(x - rx * 0.45, y + ry * 0.6, x + rx * 0.45, y + ry * 1.4, dim)
    if style != 3:
        hx, hy = at(0, -0.2, False)
        canvas.ellipse(hx, hy, rx * 1.12, ry * 1.0, hair, turn=tilt)
    for side in (-1, 1):
        ex, ey = at(side * 1.0, 0.0, False)
        canvas.ellipse(ex, ey, rx * 0.13, ry * 0.17, dim, turn=tilt)
    canvas.ellipse(x, y, rx, ry, skin, turn=tilt)
    shadow = 1 if rng.random() < 0.5 else -1
    canvas.polygon([at(shadow * np.cos(t), np.sin(t), False) for t in np.linspace(-1.2, 1.2, 12)]
                   + [at(shadow * 0.62 * np.cos(t), np.sin(t), False)
                      for t in np.linspace(1.2, -1.2, 12)], tuple(v * 0.93 for v in skin))
    if style != 3:  # the fringe
        line = rng.uniform(-0.62, -0.42)
        canvas.polygon([at(np.cos(t) * 1.02, np.sin(t) * 1.04, False)
                        for t in np.linspace(np.pi + 0.45, 2 * np.pi - 0.45, 16)]
                       + [at(0.7, line, False), at(rng.uniform(-0.4, 0.4), line - 0.08, False),
                          at(-0.7, line, False)], hair)
    for side in (-1, 1):
        ex, ey = at(side * 0.4, -0.08)
        canvas.ellipse(ex, ey, rx * 0.17, ry * 0.065, (238, 236, 232), turn=tilt)
        canvas.ellipse(ex + rng.uniform(-0.03, 0.03) * rx, ey, rx * 0.08, ry * 0.06, (44, 32, 26))
        canvas.line([at(side * 0.6, -0.2), at(side * 0.4, -0.26), at(side * 0.2, -0.21)], hair,
                    ry * 0.05)
    nose = tuple(v * 0.78 for v in skin)
    canvas.line([at(0.02, -0.05), at(0.1, 0.24), at(-0.08, 0.27)], nose, rx * 0.06)
    lip = tuple(np.array(skin) * (0.8, 0.58, 0.58))
    mx, my = at(0, 0.55)
    if rng.random() < 0.3:
        canvas.ellipse(mx, my, rx * 0.3, ry * 0.1, lip)
        canvas.ellipse(mx, my - ry * 0.01, rx * 0.24, ry * 0.05, (236, 232, 226))
    else:
        canvas.line([at(-0.3, 0.53), at(0, 0.57), at(0.3, 0.53)], lip, ry * 0.07)
    if rng.random() < 0.2:  # beard
        canvas.polygon([at(u, v) for u, v in ((-0.9, 0.3), (-0.35, 0.42), (0, 0.4), (0.35, 0.42),
                                             (0.9, 0.3), (0.6, 0.85), (0, 1.03), (-0.6, 0.85))], hair)
        canvas.line([at(-0.25, 0.56), at(0.25, 0.56)], lip, ry * 0.06)
    if rng.random() < 0.25:
        frame = jitter((40, 36, 34), rng, 30)
        for side in (-1, 1):
            ring = [at(side * 0.4 + 0.27 * np.cos(t), -0.07 + 0.14 * np.sin(t))
                    for t in np.linspace(0, 2 * np.pi, 20)]
            canvas.line(ring, frame, rx * 0.05)
        canvas.line([at(-0.13, -0.09), at(0.13, -0.09)], frame, rx * 0.05)
    if state != "bare":
        cover = {"masked": rng.uniform(0.02, 0.2), "below_nose": rng.uniform(0.36, 0.44),
                 "chin": rng.uniform(0.7, 0.78)}[state]
        draw_mask(canvas, rng, at, rx, ry, cover)
    if rng.random() < 0.2:
        hat = jitter(rng.uniform(20, 230, 3), rng)
        hx, hy = at(0, -0.55, False)
        canvas.ellipse(hx, hy, rx * 1.12, ry * 0.62, hat, 180, 360, tilt)
        canvas.line([at(-1.15, -0.52, False), at(1.2 + yaw, -0.5, False)], hat, ry * 0.1)
    # the tilted ellipse's own extent; the brow is at 0.42 of the upper half
    half = np.hypot(rx * c, ry * si * 0.7)
    return x - half, y - ry * 0.42, x + half, y + np.hypot(ry * c, rx * si)


def scene(seed, number, width=400, height=300):
    """One picture: uint8 RGB, [(class name, xmin, ymin, xmax, ymax)]."""
    rng = np.random.default_rng((seed, number))
    canvas = Canvas(width, height)
    draw_street(canvas, rng)
    people = int(rng.choice((1, 2, 3, 5, 8, 12)))
    largest = height * (0.5 if people == 1 else 0.33 if people < 4 else 0.16)
    sizes = np.sort(np.exp(rng.uniform(np.log(16 if people > 3 else 36), np.log(largest), people)))
    faces = []
    for s in sizes:
        for _ in range(20):
            x = rng.uniform(s * 0.5, width - s * 0.5)
            y = rng.uniform(height * 0.2, height - s * 0.7)
            near = [f for f in faces if abs((f[1] + f[3]) / 2 - x) < s * 0.9 + (f[3] - f[1])
                    and f[4] > y - s * 0.8]
            if not near:
                break
        else:
            continue
        chance = rng.random()
        state = ("masked" if chance < 0.45 else "bare" if chance < 0.85
                 else "below_nose" if chance < 0.93 else "chin")
        box = draw_person(canvas, rng, x, y, s, state)
        faces.append(("mask" if state == "masked" else "no_mask", *box))
    pixels = canvas.finish().astype(np.float32)
    pixels = cv2.GaussianBlur(pixels, (0, 0), rng.uniform(0.3, 0.9))
    light = np.linspace(rng.uniform(0.7, 1.15), rng.uniform(0.7, 1.15), width)[None, :, None]
    tint = rng.uniform(0.9, 1.08, 3)
    grain = rng.normal(0, rng.uniform(1, 6), pixels.shape)
    pixels = (pixels * light * tint + grain).clip(0, 255).astype(np.uint8)
    clip = lambda v, most: float(np.clip(v, 0, most))
    return pixels, [(k, clip(a, width), clip(b, height), clip(c, width), clip(d, height))
                    for k, a, b, c, d in faces]


def write(folder, count, seed=1, width=400, height=300):
    """Pictures and labels.csv in the layout of the photos; every fifth is for val."""
    with_labels = [("file", "width", "height", "xmin", "ymin", "xmax", "ymax", "class")]
    for number in range(count):
        pixels, faces = scene(seed, number, width, height)
        split = "val" if number % 5 == 4 else "train"
        os.makedirs(os.path.join(folder, split), exist_ok=True)
        name = f"{split}/street{number:04d}.png"
        cv2.imwrite(os.path.join(folder, name), pixels[:, :, ::-1])
        with_labels += [(name, width, height, *(round(v, 1) for v in box), kind)
                        for kind, *box in faces]
    with open(os.path.join(folder, "labels.csv"), "w", newline="") as stream:
        csv.writer(stream).writerows(with_labels)


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("out")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--width", type=int, default=400)
    parser.add_argument("--height", type=int, default=300)
    options = parser.parse_args(argv)
    write(options.out, options.count, options.seed, options.width, options.height)


if __name__ == "__main__":
    main()

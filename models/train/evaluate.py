"""Detections of a trained network, and their accuracy.

python -m models.train.evaluate WEIGHTS.pt --data DIR --out FILE.ndjson [--float32] writes one JSON
object a val photo ({"image", "width", "height", "detections": [{"class_id", "score", "box"}]}), the
format of `vkdet detect`, and prints AP50. The network is the one that export writes, weights
rounded to float16 unless --float32.
"""

import argparse
import json

import numpy as np
import torch

from . import anchors, data, export, network


def suppress(boxes, scores, threshold=0.5):
    """TensorFlow.js's NMS over all classes: best first, a box goes when IoU >= threshold."""
    order = np.argsort(-scores, kind="stable")
    kept = []
    for i in order:
        if kept:
            other = boxes[kept]
            inner = (np.minimum(boxes[i, 2:], other[:, 2:])
                     - np.maximum(boxes[i, :2], other[:, :2])).clip(0)
            inter = inner[:, 0] * inner[:, 1]
            area = np.prod(boxes[i, 2:] - boxes[i, :2])
            areas = np.prod(other[:, 2:] - other[:, :2], axis=1)
            if (inter / (area + areas - inter + 1e-12) >= threshold).any():
                continue
        kept.append(i)
        if len(kept) == 200:
            break
    return kept


def detect(net, photos, floor=0.01, batch=8):
    """For every photo its (boxes in pixels, scores, classes) after NMS."""
    net.eval()
    prior = anchors.generate(net.side)
    found = []
    for start in range(0, len(photos), batch):
        group = photos[start:start + batch]
        inputs = np.stack([data.stretch(p.pixels, net.side) for p in group])
        with torch.no_grad():
            x = torch.from_numpy(inputs).permute(0, 3, 1, 2) / 127.5 - 1
            codes, logits = net(x.contiguous(memory_format=torch.channels_last))
            boxes = anchors.decode(codes, prior).numpy()
            scores = logits.sigmoid().numpy()
        for i, photo in enumerate(group):
            height, width = photo.pixels.shape[:2]
            best = scores[i].max(1)
            chosen = np.flatnonzero(best > floor)
            chosen = chosen[np.argsort(-best[chosen], kind="stable")][:2000]
            kept = chosen[suppress(boxes[i, chosen], best[chosen])]
            scale = np.array([width, height, width, height])
            found.append((boxes[i, kept] * scale, best[kept], scores[i, kept].argmax(1)))
    return found


def average_precision(photos, found, kind, threshold=0.5):
    """All-point interpolated AP of one class."""
    truth = [p.boxes[p.labels == kind] for p in photos]
    used = [np.zeros(len(t), bool) for t in truth]
    total = sum(map(len, truth))
    if not total:
        return float("nan")
    ranked = sorted(((s, i, b) for i, (boxes, scores, classes) in enumerate(found)
                     for b, s, c in zip(boxes, scores, classes) if c == kind),
                    key=lambda d: -d[0])
    hits = []
    for _, i, box in ranked:
        hit = 0
        if len(truth[i]):
            overlap = anchors.iou(torch.from_numpy(box), torch.from_numpy(truth[i])).numpy()
            overlap[used[i]] = -1
            j = overlap.argmax()
            if overlap[j] >= threshold:
                used[i][j], hit = True, 1
        hits.append(hit)
    hits = np.cumsum(hits)
    if not len(hits):
        return 0.0
    recall, precision = hits / total, hits / np.arange(1, len(hits) + 1)
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.sum(np.diff(np.concatenate([[0], recall])) * precision))


def measure(net, photos):
    """{source: [AP50 of every class]} of the val photos."""
    figures = {}
    for source in sorted({p.source for p in photos}):
        part = [p for p in photos if p.source == source]
        found = detect(net, part)
        figures[source] = [average_precision(part, found, k) for k in range(len(network.CLASSES))]
    return figures


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("weights")
    parser.add_argument("--data", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--float32", action="store_true", help="weights as they are")
    options = parser.parse_args(argv)
    net = network.Network()
    net.load_state_dict(torch.load(options.weights, weights_only=True))
    net = export.as_exported(net, not options.float32)
    photos = data.load(options.data, "val")
    with open(options.out, "w") as stream:
        for photo, (boxes, scores, classes) in zip(photos, detect(net, photos)):
            height, width = photo.pixels.shape[:2]
            record = {"image": photo.name, "width": width, "height": height, "detections": [
                {"class_id": int(c), "score": float(s), "box": [float(v) for v in b]}
                for b, s, c in zip(boxes, scores, classes)]}
            stream.write(json.dumps(record) + "\n")
    for source, figures in measure(net, photos).items():
        print(source, "AP50", *(f"{c} {v:.4f}" for c, v in zip(network.CLASSES, figures)),
              f"mAP50 {np.mean(figures):.4f}")


if __name__ == "__main__":
    main()

"""Trains the detector: python -m models.train.train --data DIR --out DIR [--hours H | --epochs N].

Writes OUT/last.pt (everything needed to go on: weights, their average, optimiser), OUT/best.pt
(averaged weights with the best mAP50 on the val photos), OUT/final.pt (those of the end) and
OUT/curve.csv. Seeded; two runs agree
bit for bit only on the same machine, thread count and library versions, and when the length is
given in epochs.
"""

import argparse
import copy
import csv
import math
import os
import queue
import threading
import time

import cv2
import numpy as np
import torch
from torch.nn import functional as F

from . import anchors, augment, data, evaluate, network


def losses(codes, logits, matcher, boxes, labels, ignored):
    """Quality focal loss (Li et al. 2020): a positive's target is the IoU its box reaches, so that
    scores rank boxes by how well they fit. GIoU for the boxes, weighted the same way."""
    image, anchor, face = matcher(boxes)
    target = torch.zeros_like(logits)
    giou_loss = codes.sum() * 0
    total = torch.tensor(1.0)
    if len(image):
        decoded = anchors.decode(codes[image, anchor], matcher.anchors[anchor])
        wanted = boxes[face, 1:]
        with torch.no_grad():
            quality = anchors.iou(decoded, wanted).clamp(0.05, 1)
        target[image, anchor, labels[face]] = quality
        total = quality.sum().clamp(min=4)
        giou_loss = ((1 - anchors.iou(decoded, wanted, generalised=True)) * quality).sum()
    weight = (target - logits.sigmoid()).abs().detach().square()
    if len(ignored):  # anchors centred in a face that is cut off or too small teach nothing
        centre = matcher.anchors[:, :2]
        for i in ignored[:, 0].unique().long().tolist():
            rest = ignored[ignored[:, 0] == i][:, None, 1:]
            hit = ((centre > rest[..., :2]) & (centre < rest[..., 2:])).all(-1).any(0)
            weight[i] *= ((target[i].sum(-1) > 0) | ~hit)[:, None]
    score_loss = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    return (score_loss * weight).sum() / total, giou_loss / total


class Feeder:
    """Makes batches in a thread beside the training (OpenCV lets go of the interpreter lock)."""

    def __init__(self, maker, batch, seed, gentle):
        """gentle(n): whether the n-th batch from here on is of gentle samples."""
        self.maker, self.batch, self.gentle = maker, batch, gentle
        self.made = 0
        self.rng = np.random.default_rng(seed)
        self.queue = queue.Queue(4)
        self.stopping = False
        self.thread = threading.Thread(target=self.work, daemon=True)
        self.thread.start()

    def work(self):
        while not self.stopping:
            made = self.make()
            while not self.stopping:
                try:
                    self.queue.put(made, timeout=0.5)
                    break
                except queue.Full:
                    continue

    def make(self):
        pixels, boxes, labels, ignored = [], [], [], []
        gentle = self.gentle(self.made)
        self.made += 1
        for i in range(self.batch):
            picture, box, label, rest = self.maker.sample(self.rng, gentle)
            pixels.append(picture)
            boxes.append(np.concatenate((np.full((len(box), 1), i), box), 1))
            labels.append(label)
            ignored.append(np.concatenate((np.full((len(rest), 1), i), rest), 1))
        return (torch.from_numpy(np.stack(pixels)),
                torch.from_numpy(np.concatenate(boxes)).float(),
                torch.from_numpy(np.concatenate(labels)).long(),
                torch.from_numpy(np.concatenate(ignored)).float())

    def close(self):
        self.stopping = True
        self.thread.join()


def normalise(pixels):
    """uint8 NHWC -> the network's input, channels last in memory: 0..255 to -1..1."""
    return pixels.permute(0, 3, 1, 2).float() / 127.5 - 1


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--epochs", type=int, default=150, help="passes of the training photos")
    parser.add_argument("--hours", type=float, help="stop by the clock; overrides --epochs")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--window", type=int, default=192, help="side of the windows on the input "
                        "that training looks through, faces mostly inside: a third of the work")
    parser.add_argument("--whole", type=float, default=0.6, help="from this part of the schedule "
                        "on the whole input is trained")
    parser.add_argument("--portraits", type=float, default=0.5, help="how often a portrait is drawn, "
                        "a street photo being 1")
    parser.add_argument("--average", type=float, default=500, help="steps that the averaged weights "
                        "look back over")
    parser.add_argument("--every", type=int, default=4, help="epochs between two evaluations")
    parser.add_argument("--resume", help="a last.pt; its optimiser and average go on, the schedule "
                        "starts anew")
    options = parser.parse_args(argv)
    os.makedirs(options.out, exist_ok=True)
    if os.path.exists(os.path.join(options.out, "best.pt")):
        raise SystemExit(f"{options.out}: holds the best.pt of another run; name another folder")
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(1)
    torch.manual_seed(options.seed)

    photos = data.load(options.data, "train")
    held = data.load(options.data, "val")
    steps = max(len(photos) // options.batch, 1)
    net = network.Network().to(memory_format=torch.channels_last)
    average = copy.deepcopy(net)
    decayed = [p for p in net.parameters() if p.ndim > 1]
    rest = [p for p in net.parameters() if p.ndim <= 1]
    optimiser = torch.optim.AdamW([{"params": decayed, "weight_decay": 0.02},
                                   {"params": rest, "weight_decay": 0.0}], lr=options.rate, fused=True)
    updates = 0
    if options.resume:
        state = torch.load(options.resume, weights_only=True)
        net.load_state_dict(state["net"])
        average.load_state_dict(state["average"])
        optimiser.load_state_dict(state["optimiser"])
        updates = state["updates"]
    began = time.time()
    progress = 0.0
    side, feeder = 0, None
    averaged, followed = ([v for v in m.state_dict().values() if v.is_floating_point()]
                          for m in (average, net))
    best, epoch = 0.0, 0
    with open(os.path.join(options.out, "curve.csv"), "w", newline="") as stream:
        curve = csv.writer(stream)
        sources = sorted({p.source for p in held})
        curve.writerow(("epoch", "seconds", "rate", "score_loss", "box_loss",
                        *(f"{s}_{c}_AP50" for s in sources for c in network.CLASSES)))
        while progress < 1:
            wanted = options.window if progress < options.whole else network.SIDE
            if wanted != side:
                side = wanted
                if feeder:
                    feeder.close()
                matcher = anchors.Matcher(side)
                maker = augment.Maker(photos, side, network.SIDE,
                                      portraits=options.portraits)
                feeder = Feeder(maker, options.batch, (options.seed, side),
                                lambda made, done=epoch * steps:
                                (progress if options.hours else
                                 (done + made) / (options.epochs * steps)) > 0.9)
            net.train()
            sums = np.zeros(2)
            for step in range(steps):
                if options.hours:
                    progress = (time.time() - began) / (options.hours * 3600)
                else:
                    progress = (epoch + step / steps) / options.epochs
                warm = min(1.0, (epoch * steps + step + 1) / 100)
                rate = options.rate * warm * (0.02 + 0.98 * 0.5 * (1 + math.cos(
                    math.pi * min(progress, 1))))
                for group in optimiser.param_groups:
                    group["lr"] = rate
                pixels, boxes, labels, ignored = feeder.queue.get()
                x = normalise(pixels)
                with torch.autocast("cpu", torch.bfloat16):
                    codes, logits = net(x)
                score_loss, box_loss = losses(codes.float(), logits.float(), matcher, boxes,
                                              labels, ignored)
                optimiser.zero_grad(set_to_none=True)
                (score_loss + 2 * box_loss).backward()
                torch.nn.utils.clip_grad_norm_(net.parameters(), 10)
                optimiser.step()
                updates += 1
                keep = (1 - 1 / options.average) * (1 - math.exp(-updates / 300))
                torch._foreach_lerp_(averaged, followed, 1 - keep)
                sums += (score_loss.item(), box_loss.item())
            epoch += 1
            if options.hours:
                progress = (time.time() - began) / (options.hours * 3600)
            else:
                progress = epoch / options.epochs
            row = [epoch, round(time.time() - began), f"{rate:.6f}",
                   *(f"{v / steps:.4f}" for v in sums)]
            torch.save({"net": net.state_dict(), "average": average.state_dict(),
                        "optimiser": optimiser.state_dict(), "updates": updates},
                       os.path.join(options.out, "last.pt"))
            if epoch % options.every == 0 or progress >= 1:
                figures = evaluate.measure(average, held)
                row += [f"{v:.4f}" for s in sources for v in figures[s]]
                # the photos of streets decide; the other sources only stand in where they lack
                worth = float(np.mean(figures.get("maskset", figures[sources[0]])))
                if worth >= best:
                    best = worth
                    torch.save(average.state_dict(), os.path.join(options.out, "best.pt"))
            curve.writerow(row)
            stream.flush()
            print(*row, flush=True)
    feeder.close()
    torch.save(average.state_dict(), os.path.join(options.out, "final.pt"))


if __name__ == "__main__":
    main()

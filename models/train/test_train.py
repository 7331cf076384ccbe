"""python -m unittest models.train.test_train: the recipe on a tiny rendered set, in seconds."""

import csv
import hashlib
import json
import os
import tempfile
import unittest

import numpy as np
import torch

from . import anchors, augment, data, evaluate, export, network, render, train

WIDTHS = {2: 8, 4: 8, 8: 8, 16: 8, 32: 8}
DEPTHS = {4: 1, 8: 1, 16: 1, 32: 1}
COUNT = 10


class Recipe(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.data = os.path.join(cls.folder.name, "data")
        render.write(os.path.join(cls.data, "rendered"), COUNT)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def test_rendering_depends_on_seed_and_number_alone(self):
        first, boxes = render.scene(3, 5)
        again, same = render.scene(3, 5)
        other, _ = render.scene(4, 5)
        np.testing.assert_array_equal(first, again)
        self.assertEqual(boxes, same)
        self.assertFalse(np.array_equal(first, other))

    def test_split(self):
        self.assertEqual(len(data.load(self.data, "train")), COUNT * 4 // 5)
        self.assertEqual(len(data.load(self.data, "val")), COUNT // 5)
        for number in range(200):
            plain, masked = f"cc0_{number:03d}.jpg", f"cc0m_{number:03d}.jpg"
            self.assertEqual(data.held_out(plain), data.held_out(masked))

    def test_stretch_samples_like_tensorflow_js(self):
        ramp = np.arange(6, dtype=np.uint8)[None, :, None].repeat(3, 2).repeat(2, 0)
        got = data.stretch(ramp, 4)[0, :, 0]
        np.testing.assert_allclose(got, [0, 1.5, 3, 4.5])
        np.testing.assert_array_equal(data.stretch(ramp, 12)[0, -1], [5, 5, 5])

    def test_codes_of_a_face_decode_to_it(self):
        prior = anchors.generate(64)
        face = torch.tensor([0.2, 0.3, 0.5, 0.7])
        centre, size = (face[:2] + face[2:]) / 2, face[2:] - face[:2]
        codes = torch.cat(((centre - prior[:, :2]) / prior[:, 2:] / anchors.VARIANCES[0],
                           torch.log(size / prior[:, 2:]) / anchors.VARIANCES[2]), 1)
        near = anchors.iou(anchors.corners(prior), face) > 0.1
        decoded = anchors.decode(codes, prior)[near]
        torch.testing.assert_close(decoded, face.expand(len(decoded), 4), atol=1e-5, rtol=0)

    def test_every_face_gets_an_anchor(self):
        matcher = anchors.Matcher(network.SIDE)
        rng = np.random.default_rng(11)
        corner = rng.uniform(0, 0.4, (40, 2))
        size = np.exp(rng.uniform(np.log(0.012), np.log(0.55), (40, 2)))
        boxes = np.concatenate((np.arange(40)[:, None], corner, corner + size), 1)
        image, anchor, face = matcher(torch.from_numpy(boxes).float())
        self.assertEqual(set(face.tolist()), set(range(40)))
        self.assertEqual(image.tolist(), face.tolist())
        self.assertLess(int(anchor.max()), len(matcher.anchors))
        nothing = matcher(torch.zeros(0, 5))
        self.assertEqual([len(n) for n in nothing], [0, 0, 0])

    def test_samples(self):
        maker = augment.Maker(data.load(self.data, "train"), 96, network.SIDE)
        faces = 0
        for i in range(30):
            pixels, boxes, labels, ignored = maker.sample(np.random.default_rng(i), i % 2 == 0)
            self.assertEqual((pixels.shape, pixels.dtype), ((96, 96, 3), np.uint8))
            self.assertEqual(len(boxes), len(labels))
            for box in (*boxes, *ignored):
                self.assertTrue((box >= 0).all() and (box <= 1).all() and box[2] > box[0], box)
            faces += len(boxes)
        self.assertGreater(faces, 30)

    def test_loss_falls(self):
        torch.manual_seed(5)
        net = network.Network(64, WIDTHS, DEPTHS)
        matcher = anchors.Matcher(64)
        maker = augment.Maker(data.load(self.data, "train"), 64, network.SIDE)
        feeder = train.Feeder(maker, 4, 5, lambda made: False)
        pixels, boxes, labels, ignored = feeder.queue.get()
        feeder.close()
        optimiser = torch.optim.Adam(net.parameters(), 1e-2)
        seen = []
        for _ in range(25):
            codes, logits = net(train.normalise(pixels))
            loss = sum(train.losses(codes, logits, matcher, boxes, labels, ignored))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            seen.append(loss.item())
        self.assertLess(seen[-1], 0.7 * seen[0])

    def test_budget(self):
        macs, weights = network.cost()
        self.assertLessEqual(macs, 250e6)
        self.assertLessEqual(weights, 700e3)

    def test_average_precision(self):
        photos = data.load(self.data, "val")
        perfect = [(p.boxes.astype(float), np.ones(len(p.boxes)), p.labels) for p in photos]
        nothing = [(np.zeros((0, 4)), np.zeros(0), np.zeros(0, int))] * len(photos)
        for kind in set(np.concatenate([p.labels for p in photos]).tolist()):
            self.assertEqual(evaluate.average_precision(photos, perfect, kind), 1.0)
            self.assertEqual(evaluate.average_precision(photos, nothing, kind), 0.0)

    def test_export_describes_what_pytorch_computes(self):
        torch.manual_seed(9)
        net = network.Network(64, WIDTHS, DEPTHS)
        for part in net.parts.values():
            if isinstance(part, torch.nn.BatchNorm2d):
                torch.nn.init.normal_(part.running_mean)
                torch.nn.init.uniform_(part.running_var, 0.5, 2)
        out = os.path.join(self.folder.name, "export")
        export.write(net, out)
        with open(os.path.join(out, "model.json")) as stream:
            model = json.load(stream)
        with open(os.path.join(out, "card.json")) as stream:
            about = json.load(stream)
        manifest = model["weightsManifest"][0]
        values = np.fromfile(os.path.join(out, manifest["paths"][0]), "<f2")
        total = sum(int(np.prod(w["shape"])) for w in manifest["weights"])
        self.assertEqual(len(values), total)
        for weight in manifest["weights"]:
            self.assertEqual((weight["dtype"], weight["quantization"]["dtype"]),
                             ("float32", "float16"))
        # halves are the float32 weights, rounded to the nearest
        whole = os.path.join(self.folder.name, "float32")
        export.write(net, whole, half=False)
        floats = np.fromfile(os.path.join(whole, manifest["paths"][0]), "<f4")
        np.testing.assert_array_equal(values, floats.astype("<f2"))
        self.assertEqual([label["language"] for label in about["labels"]], ["en", "zh"])
        with open(os.path.join(out, "card.json"), encoding="utf-8") as stream:
            self.assertIn('"mean": [127.5, 127.5, 127.5],\n', stream.read())
        for entry in about["files"]:
            with open(os.path.join(out, entry["file"]), "rb") as stream:
                self.assertEqual(hashlib.sha256(stream.read()).hexdigest(), entry["sha256"])
        boxes = sum(level["map"][0] * level["map"][1] * len(level["sizes"])
                    for level in about["anchors"]["levels"])
        self.assertEqual(boxes, len(anchors.generate(64)))
        # folded convolutions must equal convolution and norm
        x = torch.randn(1, 3, 65, 65)
        kernel, bias = export.fold(net)["stem"]
        folded = torch.nn.functional.conv2d(x, kernel.float(), bias.float(), 2)
        net.eval()
        wanted = net.parts["stem_norm"](net.parts["stem"](x))
        torch.testing.assert_close(folded, wanted, atol=1e-4, rtol=1e-4)
        # the network that stands for the export computes the same, and with halves nearly so
        x = torch.rand(2, 3, 64, 64) * 2 - 1
        with torch.no_grad():
            for half, bound in ((False, 1e-4), (True, 2e-2)):
                for got, wanted in zip(export.as_exported(net, half)(x), net(x)):
                    torch.testing.assert_close(got, wanted, atol=bound, rtol=bound)

    def test_weights_beyond_float16_are_refused(self):
        net = network.Network(64, WIDTHS, DEPTHS)
        torch.nn.init.constant_(net.parts["loc4"].bias, 7e4)
        out = os.path.join(self.folder.name, "beyond")
        with self.assertRaises(ValueError):
            export.write(net, out)
        export.write(net, out, half=False)

    def test_one_epoch_writes_what_export_reads(self):
        out = os.path.join(self.folder.name, "run")
        train.main(["--data", self.data, "--out", out, "--epochs", "1", "--batch", "2",
                    "--window", "64", "--whole", "1", "--every", "1"])
        with open(os.path.join(out, "curve.csv"), newline="") as stream:
            rows = list(csv.reader(stream))
        self.assertEqual(len(rows), 2)
        self.assertEqual(len(rows[0]), len(rows[1]))
        target = os.path.join(out, "export")
        export.main([os.path.join(out, "best.pt"), target, "--probe"])
        scores = np.fromfile(os.path.join(target, "scores.bin"), "<f4")
        self.assertEqual(len(scores), len(anchors.generate(network.SIDE)) * len(network.CLASSES))


if __name__ == "__main__":
    unittest.main()

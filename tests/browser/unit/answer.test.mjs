// Lines of the server: read, cut at a threshold without changing a byte, and the times beside them.
import assert from 'node:assert/strict';
import test from 'node:test';
import * as answer from '../../../host/serve/page/answer.mjs';

const line = (detections, image = 'a.png') =>
    `{"schema":1,"image":${JSON.stringify(image)},"index":0,"width":40,"height":30,"orientation":1,"detections":[${detections}]}`;
const one = (score, label = 'mask', id = 0) =>
    `{"class_id":${id},"label":${JSON.stringify(label)},"score":${score},"box":[1.5,2,3.25,1e-05]}`;

test('a line is read, its detections kept as they are written', () => {
    const read = answer.readAnswer(`${line([one('0.9'), one('0.25')])}\n`);
    assert.equal(read.width, 40);
    assert.equal(read.height, 30);
    assert.equal(read.detections.length, 2);
    assert.deepEqual(read.detections[0].box, [1.5, 2, 3.25, 0.00001]);
    assert.equal(read.detections[1].text, one('0.25'));
});

test('no detections, and an error line', () => {
    assert.deepEqual(answer.readAnswer(line([])).detections, []);
    const failed = answer.readAnswer('{"schema":1,"image":"x","index":0,"error":{"status":"image","message":"m"}}');
    assert.deepEqual(failed.error, { status: 'image', message: 'm' });
});

test('what is no answer is refused', () => {
    for (const text of ['', 'null', '{}', '[]', '<html>', '{"detections":3}', `${line([one('0.9')])}x`]) {
        assert.throws(() => answer.readAnswer(text), text);
    }
});

test('names and labels with braces, quotes and the key itself do not confuse it', () => {
    const nasty = '}],"detections":[{"\\';
    const read = answer.readAnswer(line([one('0.9', nasty), one('0.8', '{{')], nasty));
    assert.equal(read.image, nasty);
    assert.equal(read.detections[0].label, nasty);
    assert.equal(answer.lineAbove(read, 0.85), line([one('0.9', nasty)], nasty));
    assert.equal(answer.lineAbove(read, 0), line([one('0.9', nasty), one('0.8', '{{')], nasty));
    assert.equal(answer.lineAbove(read, 0.95), line([], nasty));
});

test('a score is compared as the single-precision number that it is', () => {
    const d = (score) => [{ score }];
    // 0.7 in single precision is 0.699999988, which is not above 0.7; 0.6 is 0.600000024, which is above 0.6
    assert.equal(answer.above(d(0.7), 0.7).length, 0);
    assert.equal(answer.above(d(0.6), 0.6).length, 1);
    assert.equal(answer.above(d(0.5), 0.5).length, 0);
    assert.equal(answer.above(d(0.50001), 0.5).length, 1);
});

test('which settings an answer holds for', () => {
    const asked = { model: 'a', version: '1', iou: 0.5, labels: 'en', conf: 0.5 };
    assert.ok(answer.stillHolds(asked, asked));
    assert.ok(answer.stillHolds(asked, { ...asked, conf: 0.9 }));
    assert.ok(!answer.stillHolds(asked, { ...asked, conf: 0.49 }));
    for (const other of [{ model: 'b' }, { version: '2' }, { iou: 0.6 }, { iou: 0.4 }, { labels: 'zh' }]) {
        assert.ok(!answer.stillHolds(asked, { ...asked, ...other }), JSON.stringify(other));
    }
});

test('Server-Timing', () => {
    assert.deepEqual(answer.readTimes('decode;dur=1.5, queue;dur=0,compute;desc="x";dur="20.25"'), {
        decode: 1.5,
        queue: 0,
        compute: 20.25,
    });
    assert.deepEqual(answer.readTimes(null), {});
    assert.deepEqual(answer.readTimes('cache, x;dur=no, ;dur=1'), {});
});

test('the stages add up to the whole request', () => {
    const sum = (cut) => cut.reduce((total, { ms }) => total + ms, 0);
    const cut = answer.stages({ decode: 1, queue: 2, compute: 3, total: 7 }, 10);
    assert.deepEqual(
        cut.map(({ name, ms }) => [name, ms]),
        [['decode', 1], ['queue', 2], ['compute', 3], ['other', 1], ['travel', 3]],
    );
    assert.equal(sum(cut), 10);
    // without a total, and with a browser's clock that is coarser than the server's, nothing is negative
    for (const c of [answer.stages({ decode: 4, compute: 8 }, 10), answer.stages({}, 5)]) {
        assert.ok(c.every(({ ms }) => ms >= 0));
    }
});

test('counts are in order of class', () => {
    const counts = answer.countByClass([{ class_id: 2 }, { class_id: 0 }, { class_id: 2 }]);
    assert.deepEqual([...counts], [[0, 1], [2, 2]]);
});

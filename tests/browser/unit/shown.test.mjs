// What is shown: colours, numbers, languages, orientation, where labels go.
import assert from 'node:assert/strict';
import test from 'node:test';
import { errorKind, retrySeconds } from '../../../host/serve/page/api.mjs';
import { cameraErrorKind } from '../../../host/serve/page/camera.mjs';
import { classColour, CONTRAST, contrastWithWhite, css } from '../../../host/serve/page/colours.mjs';
import * as format from '../../../host/serve/page/format.mjs';
import { pasteKey } from '../../../host/serve/page/inputs.mjs';
import { languages, pickLanguage } from '../../../host/serve/page/language.mjs';
import { boxAt, labelPlace } from '../../../host/serve/page/marks.mjs';
import { summary } from '../../../host/serve/page/results.mjs';
import { pictureLine } from '../../../host/serve/page/save.mjs';

test('a mask is green, none is red, whatever their numbers', () => {
    for (const id of [0, 1, 7]) {
        const [r, g, b] = classColour(id, 'mask');
        assert.ok(g > 2 * r && g > 2 * b);
        const [r2, g2, b2] = classColour(id, 'no_mask');
        assert.ok(r2 > 2 * g2 && r2 > 2 * b2);
    }
    assert.equal(css([1, 2, 3]), 'rgb(1, 2, 3)');
});

test('colours of eighty classes: stable, white can be read on each, none like another near it', () => {
    const colours = Array.from({ length: 80 }, (_, id) => classColour(id, `class ${id}`));
    colours.forEach((colour, id) => {
        assert.deepEqual(colour, classColour(id, null));
        assert.ok(contrastWithWhite(colour) >= CONTRAST, `${id}: ${colour}`);
        for (const other of colours.slice(Math.max(0, id - 6), id)) {
            const distance = Math.hypot(...colour.map((c, i) => c - other[i]));
            assert.ok(distance > 40, `${id}: ${colour} is like ${other}`);
        }
    });
    assert.ok(contrastWithWhite(classColour(0, 'mask')) >= CONTRAST);
    assert.ok(contrastWithWhite(classColour(1, 'no_mask')) >= CONTRAST);
    assert.equal(contrastWithWhite([255, 255, 255]), 1);
    assert.equal(Math.round(contrastWithWhite([0, 0, 0])), 21);
});

test('numbers', () => {
    assert.equal(format.milliseconds(0.1234), '0.12 ms');
    assert.equal(format.milliseconds(12.34), '12.3 ms');
    assert.equal(format.milliseconds(123.4), '123 ms');
    assert.equal(format.milliseconds(2345), '2.35 s');
    assert.equal(format.bytes(0), '0 B');
    assert.equal(format.bytes(999), '999 B');
    assert.equal(format.bytes(12345), '12.3 kB');
    assert.equal(format.bytes(67108864), '67.1 MB');
    assert.equal(format.bytes(5e12), '5000 GB');
    assert.equal(format.score(0.9998926), '0.999');
    assert.equal(format.score(1), '1.000');
    assert.equal(format.threshold(0.5), '0.50');
    assert.equal(format.box([1.4, 2.6, 300, 4.5]), '1, 3 – 300, 5');
    assert.equal(format.stem('C:\\a\\photo.one.jpg'), 'photo.one');
    assert.equal(format.stem('.jpg'), 'picture');
});

test('both languages say the same things', () => {
    const keys = (strings) =>
        Object.entries(strings)
            .map(([key, value]) =>
                typeof value === 'object' ? `${key}: ${keys(value)}` : `${key} ${typeof value} ${value.length * (typeof value === 'function')}`,
            )
            .sort()
            .join('\n');
    assert.equal(keys(languages.zh), keys(languages.en));
});

test('which language', () => {
    assert.equal(pickLanguage('zh', ['en-US']), 'zh');
    assert.equal(pickLanguage(null, ['zh-Hans-CN', 'en']), 'zh');
    assert.equal(pickLanguage(null, ['fr', 'ZH-TW']), 'zh');
    assert.equal(pickLanguage('constructor', ['fr']), 'en');
    assert.equal(pickLanguage(null, []), 'en');
});

test('a label is above its box, else below or inside, and never off the canvas', () => {
    const canvas = { width: 100, height: 80 };
    const size = { width: 30, height: 10 };
    const at = (box, taken) => {
        const { x, y } = labelPlace(box, size, canvas, taken);
        return [x, y];
    };
    assert.deepEqual(at([20, 40, 60, 60]), [20, 30]);
    assert.deepEqual(at([20, 4, 60, 60]), [20, 60]);
    assert.deepEqual(at([-9, -9, 60, 90]), [0, 0]); // no edge of it is to be seen
    assert.deepEqual(at([20, 4, 60, 75]), [20, 4]);
    assert.deepEqual(at([95, 60, 99, 70]), [70, 50]);
    const large = labelPlace([5, 5, 6, 6], { width: 300, height: 90 }, canvas);
    assert.deepEqual([large.x, large.y], [0, 0]);
});

test('labels do not hide each other as long as there is room', () => {
    const canvas = { width: 100, height: 80 };
    const size = { width: 30, height: 10 };
    const boxes = [[10, 30, 50, 60], [12, 30, 52, 60], [14, 30, 54, 60], [11, 30, 51, 60]];
    const taken = [];
    for (const box of boxes) {
        const place = labelPlace(box, size, canvas, taken);
        for (const other of taken) {
            const across = Math.min(place.x, other.x) + 30 - Math.max(place.x, other.x);
            const down = Math.min(place.y, other.y) + 10 - Math.max(place.y, other.y);
            assert.ok(across <= 0 || down <= 0, `${box}`);
        }
        taken.push(place);
    }
    assert.deepEqual(taken.map(({ y }) => y), [20, 60, 30, 50]);
});

test('of boxes within each other the smallest is pointed at', () => {
    const boxes = [[0, 0, 100, 100], [10, 10, 20, 20], [15, 15, 90, 90]];
    assert.equal(boxAt(boxes, 16, 16), 1);
    assert.equal(boxAt(boxes, 50, 50), 2);
    assert.equal(boxAt(boxes, 5, 5), 0);
    assert.equal(boxAt(boxes, 200, 5), -1);
});

test('what an HTTP status means', () => {
    const cases = [[400, 'image', 'image'], [400, 'argument', 'request'], [415, '', 'image'], [401, '', 'token']];
    cases.push([404, '', 'request'], [408, '', 'deadline'], [413, '', 'largeUnknown'], [429, '', 'busy']);
    cases.push([500, '', 'server'], [503, 'deadline', 'deadline'], [503, 'draining', 'draining'], [503, 'memory', 'server'], [504, '', 'deadline']);
    for (const [status, name, kind] of cases) {
        assert.equal(errorKind(status, name), kind, `${status} ${name}`);
        assert.ok(languages.en.errors[kind], kind);
    }
});

test('Retry-After', () => {
    assert.equal(retrySeconds('3', 0), 3);
    assert.equal(retrySeconds('0', 0), 1);
    assert.equal(retrySeconds('86400', 0), 60);
    assert.equal(retrySeconds(null, 0), 1);
    assert.equal(retrySeconds('soon', 0), 1);
    assert.equal(retrySeconds('Thu, 01 Jan 1970 00:00:10 GMT', 4000), 6);
});

test('every way a camera is refused has its words', () => {
    for (const name of ['NotAllowedError', 'NotFoundError', 'NotReadableError', 'Insecure', 'TypeError']) {
        assert.ok(languages.en.errors[cameraErrorKind(name)], name);
    }
});

test('the sentence about results', () => {
    const label = (id) => ['mask', 'no_mask'][id];
    const found = [{ class_id: 1 }, { class_id: 0 }, { class_id: 1 }];
    assert.equal(summary(found, label, 0.5, 200, languages.en), '3 objects: 1 mask, 2 no_mask');
    assert.equal(summary([], label, 0.5, 200, languages.en), 'Nothing found above 0.50.');
    assert.match(summary(found, label, 0.5, 3, languages.en), /No more than 3/);
    assert.equal(summary(found, label, 0.5, 200, languages.zh), '共 3 个目标：mask 1 个，no_mask 2 个');
});

test('a picture that failed has a line that says why', () => {
    const line = pictureLine({ name: 'a "b".png', error: { kind: 'image', name: 'image', detail: 'no picture' } }, 0.5);
    const error = { status: 'image', message: 'no picture' };
    assert.deepEqual(JSON.parse(line), { schema: 1, image: 'a "b".png', index: 0, error });
    assert.equal(JSON.parse(pictureLine({ name: 'x', error: { kind: 'empty' } }, 0.5)).error.status, 'empty');
});

test('how paste is called here', () => {
    assert.equal(pasteKey('MacIntel'), '⌘V');
    assert.equal(pasteKey('Linux x86_64'), 'Ctrl+V');
});

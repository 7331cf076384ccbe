// What is shown of an answer: pixels, thresholds, times, languages, orientation, and what can be saved.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { classColour } from '../../../host/serve/page/colours.mjs';
import { orientedJpeg, portablePixmap, readPixels } from '../pictures.mjs';
import * as s from '../support.mjs';

const sample = s.samplePath(s.samples[0]);

// Colours of the canvas at the middle of each box's lower edge and of its right one, and inside it
function probe(page, boxes, size) {
    return page.evaluate(
        ([all, { width, height }]) => {
            const canvas = document.getElementById('canvas');
            const at = (x, y) => {
                const px = Math.min(canvas.width - 1, Math.floor((x * canvas.width) / width));
                const py = Math.min(canvas.height - 1, Math.floor((y * canvas.height) / height));
                return [...canvas.getContext('2d').getImageData(px, py, 1, 1).data.slice(0, 3)];
            };
            return all.map(([l, t, r, b]) => [at((l + r) / 2, b), at(r, (t + b) / 2), at((l + r) / 2, t + 0.6 * (b - t))]);
        },
        [boxes, size],
    );
}

const far = (a, b) => Math.max(...a.map((c, i) => Math.abs(c - b[i])));

// Mean difference of what the canvas shows from other pixels of the same shape, both made small
function differenceFrom(page, { width, height, data }) {
    return page.evaluate(
        ([w, h, base64]) => {
            const small = (from) => {
                const to = new OffscreenCanvas(40, 30);
                const context = to.getContext('2d');
                context.imageSmoothingQuality = 'high';
                context.drawImage(from, 0, 0, 40, 30);
                return context.getImageData(0, 0, 40, 30).data;
            };
            const other = new OffscreenCanvas(w, h);
            other.getContext('2d').putImageData(new ImageData(Uint8ClampedArray.from(atob(base64), (c) => c.charCodeAt(0)), w, h), 0, 0);
            const [a, b] = [small(document.getElementById('canvas')), small(other)];
            return a.reduce((sum, v, i) => sum + Math.abs(v - b[i]), 0) / a.length;
        },
        [width, height, data.toString('base64')],
    );
}

// Selects a picture and says what is then to be seen, in one go: there are many of them
function lookAt(page, index) {
    return page.evaluate(async (i) => {
        const frame = () => new Promise((done) => requestAnimationFrame(done));
        const [tile, canvas, failure] = [document.querySelectorAll('.tile')[i], document.getElementById('canvas'), document.getElementById('failure')];
        tile.querySelector('.tile-open').click();
        while (canvas.hidden && failure.hidden) {
            await frame();
        }
        await frame();
        await frame();
        const boxes = [...document.querySelectorAll('#rows tr')].map((row) => JSON.parse(row.dataset.box));
        return { state: tile.dataset.state, failure: !failure.hidden, boxes, width: canvas.width, height: canvas.height };
    }, index);
}

export function results({ browser, server }) {
    test('the canvas has the boxes where the answer has them, in the colours of their classes', async () => {
        const page = await s.open(browser(), server().url);
        await s.openSample(page, 0);
        const detections = s.detect(sample);
        const { width, height } = await readPixels(page, readFileSync(sample));
        const probes = await probe(page, detections.map((d) => d.box), { width, height });
        assert.ok(detections.length > 0);
        detections.forEach((d, i) => {
            const colour = classColour(d.class_id, d.label);
            assert.ok(far(probes[i][0], colour) <= 8, `lower edge of ${i}: ${probes[i][0]}`);
            assert.ok(far(probes[i][1], colour) <= 8, `right edge of ${i}: ${probes[i][1]}`);
            assert.ok(far(probes[i][2], colour) > 8, `inside of ${i}: ${probes[i][2]}`);
        });
        // without boxes the same places have other colours
        await slideTo(page, 'conf', 0.99);
        await s.drawn(page);
        assert.equal((await s.rows(page)).length, 0);
        const bare = await probe(page, detections.map((d) => d.box), { width, height });
        detections.forEach((d, i) => assert.ok(far(bare[i][0], classColour(d.class_id, d.label)) > 8));
        assert.match(await page.textContent('#summary'), /Nothing found above 0\.99/);
        await page.end();
    });

    test('what is pointed at on the canvas is marked in the table, and brought into sight there', async () => {
        const page = await s.open(browser(), server().url);
        await s.openSample(page, 0);
        await slideTo(page, 'conf', 0.01);
        await s.drawn(page);
        const all = s.detect(sample, '--conf', '0.01');
        assert.ok(all.length > 30); // more than the table has room for
        const { width, height } = await readPixels(page, readFileSync(sample));
        const room = await page.locator('#canvas').boundingBox();
        // the weakest box that is pointed at by its middle: no smaller one lies there
        const area = ([l, t, r, b]) => (r - l) * (b - t);
        const middle = ([l, t, r, b]) => [(l + r) / 2, (t + b) / 2];
        const holds = ([l, t, r, b], [x, y]) => x >= l && x <= r && y >= t && y <= b;
        const alone = (d) => !all.some((o) => o !== d && area(o.box) <= area(d.box) && holds(o.box, middle(d.box)));
        const index = all.findLastIndex((d) => alone(d) && holds([5, 5, width - 5, height - 5], middle(d.box)));
        const [x, y] = middle(all[index].box);
        await page.mouse.move(room.x + (x * room.width) / width, room.y + (y * room.height) / height);
        await page.waitForSelector(`#rows tr.looked-at[data-index="${index}"]`);
        const seen = await page.$eval('#rows tr.looked-at', (row) => {
            const [r, all] = [row.getBoundingClientRect(), row.closest('.table-scroll').getBoundingClientRect()];
            return r.top >= all.top && r.bottom <= all.bottom + 1;
        });
        assert.ok(index > 12 && seen, `row ${index}`);
        await page.mouse.move(5, 5);
        await page.waitForFunction(() => !document.querySelector('.looked-at'));
        await page.end();
    });

    async function slideTo(page, id, value) {
        await s.slide(page, id, value);
        await page.waitForTimeout(400); // longer than the page waits before it asks again
        await s.settled(page, await page.locator('.tile').count());
    }

    test('thresholds: up is left out at once, the rest is asked; always what vkdet detect says', async () => {
        const page = await s.open(browser(), server().url);
        await s.openSample(page, 0);
        assert.equal(page.asked.length, 1);
        await slideTo(page, 'conf', 0.8);
        assert.equal(page.asked.length, 1);
        assert.equal(await page.textContent('#conf-value'), '0.80');
        s.sameRows(await s.rows(page), s.detect(sample, '--conf', '0.8'));
        for (const value of [0.3, 0.2, 0.1]) {
            await s.slide(page, 'conf', value); // a hand on its way: one question at the end of it
        }
        await slideTo(page, 'conf', 0.05);
        assert.equal(page.asked.length, 2);
        const many = s.detect(sample, '--conf', '0.05');
        s.sameRows(await s.rows(page), many);
        assert.ok(many.length > s.detect(sample).length);
        await slideTo(page, 'iou', 0.95);
        assert.equal(page.asked.length, 3);
        s.sameRows(await s.rows(page), s.detect(sample, '--conf', '0.05', '--iou', '0.95'));
        await slideTo(page, 'conf', 0.37);
        s.sameRows(await s.rows(page), s.detect(sample, '--conf', '0.37', '--iou', '0.95'));
        await page.click('#reset');
        await page.waitForTimeout(400);
        await s.settled(page, 1);
        s.sameRows(await s.rows(page), s.detect(sample));
        await page.end();
    });

    test('times, device, driver, precision, model and version are the server\'s', async () => {
        const page = await s.open(browser(), server().url);
        await s.openSample(page, 0);
        const info = await (await fetch(`${server().url}v1/info`)).json();
        const facts = await page.textContent('#server');
        const [device] = info.devices;
        for (const what of [device.name, device.driver, device.precision, `vkdet ${info.version}`, 'street-320 1.1', 'MIT']) {
            assert.ok(what && facts.includes(what), `${what} in ${facts}`);
        }
        const times = await page.$$eval('#times dt', (all) => all.map((dt) => [dt.textContent, dt.nextSibling.textContent]));
        assert.deepEqual(
            times.map(([name]) => name),
            ['Decode', 'Queue', 'Compute', 'Rest of the server', 'Network and browser', 'Request to answer', 'Draw'],
        );
        assert.ok(times.every(([, value]) => /^\d+(\.\d+)? m?s$/.test(value)));
        assert.notEqual(times[2][1], '0.00 ms');
        await page.end();
    });

    test('several models: one is chosen, with its own thresholds, and asked', async () => {
        const repository = join(s.folder, 'models');
        mkdirSync(repository);
        const street = join(s.source, 'models/street-320');
        const card = JSON.parse(readFileSync(join(street, 'card.json'), 'utf8'));
        const strict = s.saveBytes('strict.json', JSON.stringify({ ...card, nms: { ...card.nms, score_threshold: 0.8 } }));
        for (const [name, from] of [['loose', join(street, 'card.json')], ['strict', strict]]) {
            const container = join(repository, `${name}.vkdet`);
            execFileSync(s.vkdet, ['convert', '-q', join(street, 'model.json'), '--card', from, '--output', container]);
        }
        const own = await s.serve(['--model-repository', repository]);
        const page = await s.open(browser(), own.url);
        await s.openSample(page, 0);
        const offered = await page.$$eval('#model option', (all) => all.map((option) => option.textContent.split(' ')[0]));
        assert.deepEqual(offered.sort(), ['loose', 'strict']);
        for (const name of ['strict', 'loose']) {
            const value = await page.$$eval('#model option', (all, n) => all.find((o) => o.textContent.startsWith(n)).value, name);
            await page.selectOption('#model', value);
            await page.waitForTimeout(400);
            await s.settled(page, 1);
            assert.equal(page.asked.at(-1).query.get('model'), name);
            assert.equal(await page.textContent('#conf-value'), name === 'strict' ? '0.80' : '0.50');
            s.sameRows(await s.rows(page), s.detect(sample, '-m', join(repository, `${name}.vkdet`)));
            assert.match(await page.textContent('#server'), new RegExp(name));
        }
        await page.end();
        await own.end();
    });

    test('saved: the line byte for byte, the picture in its own size with the boxes in it', async () => {
        const page = await s.open(browser(), server().url);
        await s.openSample(page, 0);
        const name = s.samples[0];
        const json = await s.download(page, '#save-json');
        assert.equal(json.name, name.replace('.png', '.json'));
        assert.equal(json.bytes.toString(), s.detectLine(sample, name));
        await slideTo(page, 'conf', 0.8);
        assert.equal((await s.download(page, '#save-json')).bytes.toString(), s.detectLine(sample, name, '--conf', '0.8'));
        await slideTo(page, 'conf', 0.5);
        const saved = await s.download(page, '#save-picture');
        assert.equal(saved.name, name.replace('.png', '-boxes.png'));
        const [before, after] = [await readPixels(page, readFileSync(sample)), await readPixels(page, saved.bytes)];
        assert.deepEqual([after.width, after.height], [before.width, before.height]);
        for (const d of s.detect(sample)) {
            const at = 4 * (Math.floor((d.box[1] + d.box[3]) / 2) * after.width + Math.floor(d.box[2]));
            assert.ok(far([...after.data.subarray(at, at + 3)], classColour(d.class_id, d.label)) <= 40, `right edge at ${at}`);
        }
        assert.deepEqual(after.data.subarray(0, 40), before.data.subarray(0, 40)); // a corner that no box touches
        await s.drop(page, [s.sampleFile(s.samples[1]), { name: 'bad.png', bytes: 'no picture' }]);
        await s.settled(page, 3);
        const lines = (await s.download(page, '#save-all')).bytes.toString().split('\n');
        assert.equal(`${lines[0]}\n`, s.detectLine(sample, name));
        assert.equal(`${lines[1]}\n`, s.detectLine(s.samplePath(s.samples[1]), s.samples[1]));
        assert.equal(JSON.parse(lines[2]).image, 'bad.png');
        assert.ok(JSON.parse(lines[2]).error.message);
        assert.equal(lines.length, 4);
        await page.end();
    });

    test('language: the browser\'s at first, then the chosen one, remembered; labels are the card\'s', async () => {
        const page = await s.open(browser(), server().url, { locale: 'zh-CN' });
        assert.equal(await page.getAttribute('html', 'lang'), 'zh-Hans');
        assert.match(await page.textContent('#open'), /打开/);
        await s.openSample(page, 0);
        s.sameRows(await s.rows(page), s.detect(sample, '--labels', 'zh'));
        assert.match(await page.textContent('#summary'), /佩戴口罩/);
        assert.equal((await s.download(page, '#save-json')).bytes.toString(), s.detectLine(sample, s.samples[0], '--labels', 'zh'));
        await page.click('[data-language="en"]');
        assert.equal(await page.getAttribute('html', 'lang'), 'en');
        assert.match(await page.textContent('#open'), /Open pictures/);
        s.sameRows(await s.rows(page), s.detect(sample)); // at once: the labels of both are known
        await page.waitForTimeout(400);
        await s.settled(page, 1);
        assert.equal((await s.download(page, '#save-json')).bytes.toString(), s.detectLine(sample, s.samples[0], '--labels', 'en'));
        await page.reload();
        assert.equal(await page.getAttribute('html', 'lang'), 'en');
        await page.end();
    });

    test('EXIF: all eight orientations stand upright under their boxes', async () => {
        const page = await s.open(browser(), server().url);
        const upright = await readPixels(page, readFileSync(sample));
        await page.waitForSelector('#empty .sample-list img');
        const turned = [];
        for (let n = 1; n <= 8; n++) {
            const bytes = await orientedJpeg(page, sample, n);
            turned.push({ n, name: `turned-${n}.jpg`, bytes, path: s.saveBytes(`turned-${n}.jpg`, bytes), type: 'image/jpeg' });
        }
        await s.drop(page, turned);
        await s.settled(page, 8);
        for (const { n, name, path } of turned) {
            await page.click(`.tile:nth-child(${n}) .tile-open`);
            await s.drawn(page);
            const expected = JSON.parse(s.detectLine(path, name));
            assert.equal(expected.orientation, n);
            assert.deepEqual([expected.width, expected.height], [upright.width, upright.height]);
            s.sameRows(await s.rows(page), expected.detections);
            assert.equal(await page.textContent('#caption-size'), `${upright.width} × ${upright.height}`);
        }
        await slideTo(page, 'conf', 0.99); // without boxes
        for (const { n } of turned) {
            await page.click(`.tile:nth-child(${n}) .tile-open`);
            await s.drawn(page);
            const difference = await differenceFrom(page, upright);
            assert.ok(difference < 4, `orientation ${n} differs by ${difference}`);
            const [w, h] = await page.$eval(`.tile:nth-child(${n}) canvas`, (c) => [c.width, c.height]);
            assert.ok(w > h, `thumbnail of ${n}`);
        }
        await page.end();
    });

    test('a format that the browser lacks is shown as the server decodes it', async () => {
        const page = await s.open(browser(), server().url);
        const pixels = await readPixels(page, readFileSync(sample));
        const bytes = portablePixmap(pixels);
        const path = s.saveBytes('street.ppm', bytes);
        await s.drop(page, [{ name: 'street.ppm', bytes }]);
        await s.settled(page, 1);
        await s.drawn(page);
        s.sameRows(await s.rows(page), s.detect(path));
        await slideTo(page, 'conf', 0.99);
        await s.drawn(page);
        assert.ok((await differenceFrom(page, pixels)) < 1);
        await page.end();
    });

    test('odd pictures: each shown with its boxes, or told', async (t) => {
        const odd = join(process.env.VKDET_TEST_DATA || join(s.source, '../shared'), 'photos/odd');
        if (!existsSync(odd)) {
            console.log(`SKIPPED browser, odd pictures: needs ${odd} (VKDET_TEST_DATA)`);
            t.skip(`needs ${odd}`);
            return;
        }
        const names = readdirSync(odd).filter((name) => /^(exif|base|px1x1|bad|tiny|tall|wide)/.test(name) && !name.endsWith('.csv'));
        const page = await s.open(browser(), server().url);
        await page.setInputFiles('#files', names.map((name) => join(odd, name)));
        await s.settled(page, names.length);
        const lines = s.detectLines(names.map((name) => ({ name, path: join(odd, name) })));
        for (const [i, name] of names.entries()) {
            const expected = JSON.parse(lines[i]);
            const seen = await lookAt(page, i);
            if (expected.error) {
                assert.ok(seen.state === 'failed' && seen.failure, name);
                continue;
            }
            assert.deepEqual(seen.boxes, expected.detections.map(({ box }) => box), name);
            const ratio = expected.width / expected.height;
            if (seen.width > 50 && seen.height > 50) {
                assert.ok(Math.abs(seen.width / seen.height / ratio - 1) < 0.03, `${name}: ${seen.width} by ${seen.height}`);
            }
        }
        await page.end();
    });
}

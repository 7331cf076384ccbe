// The camera: Chromium's own test film, a film with faces in it, and no camera at all.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { film, readPixels } from '../pictures.mjs';
import * as s from '../support.mjs';

const FAKE = ['--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream'];

async function frames(page, count) {
    await page.waitForFunction((n) => window.framesSeen >= n, count, { timeout: 20000 });
}

// Counts the answers that come while the camera runs
async function countFrames(page) {
    await page.evaluate(() => {
        window.framesSeen = 0;
        new MutationObserver(() => window.framesSeen++).observe(document.getElementById('live'), { childList: true });
    });
}

export function cameras({ browser, server }) {
    test('camera: one frame at a time, with a frame rate, stopped by its button and by Escape', async () => {
        const fake = await s.launch('--use-fake-device-for-media-stream=device-count=2', '--use-fake-ui-for-media-stream');
        const page = await s.open(fake, server().url);
        await countFrames(page);
        let most = 0;
        page.on('request', () => (most = Math.max(most, page.asked.filter((a) => !a.ended).length)));
        await page.click('#camera');
        await frames(page, 8);
        assert.equal(most, 1);
        assert.match(await page.textContent('#live'), /Live · \d+\.\d frames\/s/);
        assert.match(await page.textContent('#times'), /Frame rate\d+\.\d frames\/s/);
        assert.equal(await page.getAttribute('#camera', 'aria-pressed'), 'true');
        assert.match(await page.textContent('#camera'), /Stop camera/);
        assert.equal(await page.getAttribute('#summary', 'aria-live'), 'off');
        const [width, height] = (await page.textContent('#caption-size')).split(' × ').map(Number);
        assert.ok(width >= 320 && height >= 240);
        // the other camera, and answers from it
        const cameras = await page.$$eval('#camera-device option', (all) => all.map((option) => option.value));
        assert.equal(cameras.length, 2);
        const before = await page.$eval('#camera-device', (choice) => choice.value);
        await page.selectOption('#camera-device', cameras.find((id) => id !== before));
        await page.evaluate(() => (window.framesSeen = 0));
        await frames(page, 4);
        assert.notEqual(await page.$eval('#camera-device', (choice) => choice.value), before);
        await page.click('#camera');
        assert.equal(await page.getAttribute('#camera', 'aria-pressed'), 'false');
        assert.ok(await page.isVisible('#empty'));
        assert.equal(await page.getAttribute('#summary', 'aria-live'), 'polite');
        await page.waitForTimeout(300);
        const asked = page.asked.length;
        await page.waitForTimeout(300);
        assert.equal(page.asked.length, asked); // nothing is sent once it has stopped
        await page.click('#camera');
        await page.waitForFunction(() => document.getElementById('live').textContent.includes('frames'));
        await page.keyboard.press('Escape');
        assert.ok(!(await page.isVisible('#live')));
        await page.end();
        await fake.end();
    });

    test('camera: faces in the film are found, and a kept frame is a picture like others', async () => {
        const blank = await s.open(browser(), server().url);
        const pixels = await readPixels(blank, readFileSync(s.samplePath(s.samples[0])));
        await blank.end();
        const path = s.saveBytes('street.y4m', film(pixels));
        const fake = await s.launch(...FAKE, `--use-file-for-fake-video-capture=${path}`);
        const page = await s.open(fake, server().url);
        await page.click('#camera');
        await page.waitForSelector('#rows tr');
        const expected = s.detect(s.samplePath(s.samples[0]));
        await page.waitForFunction((n) => document.querySelectorAll('#rows tr').length === n, expected.length);
        const { width, height } = pixels;
        const [w, h] = (await page.textContent('#caption-size')).split(' × ').map(Number);
        const labels = (all) => all.map(({ label }) => label).sort();
        const found = await s.rows(page);
        assert.deepEqual(labels(found), labels(expected));
        for (const { label, box } of expected) {
            // film is scaled and has less colour: the same faces, not the same digits
            const near = ({ box: other }) => other.every((v, i) => Math.abs(v / [w, h][i % 2] - box[i] / [width, height][i % 2]) < 0.05);
            assert.ok(found.some((f) => f.label === label && near(f)), `${label} at ${box}`);
        }
        await page.screenshot({ path: join(s.shots, 'camera.png') });
        // the focus stays on a row while the rows come anew with every frame
        await page.locator('#rows tr').nth(1).focus();
        await page.waitForTimeout(300);
        assert.equal(await page.evaluate(() => document.activeElement.dataset.index), '1');
        await page.click('#keep');
        await s.settled(page, 1);
        assert.ok(!(await page.isVisible('#live')));
        assert.match(await page.textContent('#caption-name'), /^camera-.*\.jpg$/);
        assert.deepEqual(labels(await s.rows(page)), labels(expected));
        await page.end();
        await fake.end();
    });

    test('camera: refused by the browser, absent, and in a page that may not have one', async () => {
        // headless Chromium has nobody to ask, and refuses
        const page = await s.open(browser(), server().url);
        await page.click('#camera');
        await page.waitForSelector('#notices [data-kind="cameraRefused"], #notices [data-kind="cameraNone"]');
        assert.equal(await page.getAttribute('#camera', 'aria-pressed'), 'false');
        assert.ok(await page.isVisible('#empty'));
        for (const [name, kind] of [['NotAllowedError', 'cameraRefused'], ['NotReadableError', 'cameraTaken']]) {
            await page.evaluate((error) => {
                navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('told', error));
            }, name);
            await page.click('#camera');
            await page.waitForSelector(`#notices [data-kind="${kind}"]`);
        }
        await page.evaluate(() => Object.defineProperty(navigator, 'mediaDevices', { value: undefined }));
        await page.click('#camera');
        await page.waitForSelector('#notices [data-kind="cameraInsecure"]');
        await page.click('#notices button');
        assert.equal(await page.locator('#notices > *').count(), 0);
        await page.end();
    });
}

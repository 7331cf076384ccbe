// The page without a mouse.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as s from '../support.mjs';

// What has the focus, and whether that can be seen
const focus = (page) =>
    page.evaluate(() => {
        const element = document.activeElement;
        const { outlineStyle, outlineWidth } = getComputedStyle(element);
        return {
            id: element.id || element.dataset?.sample || element.className || element.tagName,
            seen: outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2,
        };
    });

async function tabTo(page, wanted, most = 40) {
    const way = [];
    for (let i = 0; i < most; i++) {
        await page.keyboard.press('Tab');
        const { id, seen } = await focus(page);
        way.push(id);
        assert.ok(seen || id === 'BODY' || id === 'skip', `the focus cannot be seen on ${id}`);
        if (id === wanted) {
            return way;
        }
    }
    assert.fail(`no ${wanted} on the way ${way}`);
}

export function keyboard({ browser, server }) {
    test('keyboard: a sample, thresholds, results, pictures, and everything away again', async () => {
        const page = await s.open(browser(), server().url);
        await page.waitForSelector('#empty .sample-list img');
        await page.keyboard.press('Tab');
        assert.equal((await focus(page)).id, 'skip');
        const way = await tabTo(page, s.samples[0]);
        assert.ok(way.includes('open') && way.includes('camera'));
        await page.keyboard.press('Enter');
        await s.settled(page, 1);
        await s.drawn(page);
        assert.equal((await focus(page)).id, 'stage'); // where the sample was
        const all = s.detect(s.samplePath(s.samples[0]), '--conf', '0.05');

        await tabTo(page, 'conf');
        await page.keyboard.press('Home'); // 0.01
        for (let i = 0; i < 4; i++) {
            await page.keyboard.press('ArrowRight');
        }
        assert.equal(await page.textContent('#conf-value'), '0.05');
        await page.waitForTimeout(400);
        await s.settled(page, 1);
        s.sameRows(await s.rows(page), all);

        await tabTo(page, 'looked-at'); // the first row, marked because it has the focus
        await page.keyboard.press('ArrowDown');
        assert.equal(await page.$eval('.looked-at', (row) => row.dataset.index), '1');
        await page.keyboard.press('End');
        assert.equal(await page.$eval('.looked-at', (row) => row.dataset.index), String(all.length - 1));
        await page.keyboard.press('Home');
        await page.keyboard.press('ArrowUp'); // no further
        assert.equal(await page.$eval('.looked-at', (row) => row.dataset.index), '0');

        await page.locator('#samples summary').focus();
        await page.keyboard.press('Enter');
        await tabTo(page, s.samples[1]);
        await page.keyboard.press('Enter');
        await s.settled(page, 2);
        assert.equal(await page.textContent('#caption-name'), s.samples[1]);
        await tabTo(page, 'tile-open');
        await page.keyboard.press('ArrowRight');
        await page.keyboard.press('ArrowLeft');
        assert.equal(await page.textContent('#caption-name'), s.samples[0]);
        assert.equal(await page.getAttribute('.tile:nth-child(1) .tile-open', 'aria-current'), 'true');
        await page.keyboard.press('Delete');
        assert.equal(await page.locator('.tile').count(), 1);
        assert.equal((await focus(page)).id, 'tile-open');
        await page.keyboard.press('Delete');
        assert.ok(await page.isVisible('#empty'));
        assert.equal((await focus(page)).id, 'open');
        await page.end();
    });

    test('Escape closes the samples, and leaves the focus on their button', async () => {
        const page = await s.open(browser(), server().url);
        await page.locator('#samples summary').focus();
        await page.keyboard.press('Enter');
        assert.ok(await page.isVisible('#samples .sample-list'));
        await page.keyboard.press('Escape');
        assert.ok(!(await page.isVisible('#samples .sample-list')));
        assert.equal(await page.evaluate(() => document.activeElement.tagName), 'SUMMARY');
        await page.end();
    });

    test('what a screen reader is told: the result in a sentence, once, and the picture by name', async () => {
        const page = await s.open(browser(), server().url);
        await s.openSample(page, 0);
        const summary = await page.textContent('#summary');
        assert.match(summary, /^\d objects: \d mask, \d no_mask$/);
        assert.equal(await page.getAttribute('#summary', 'role'), 'status');
        const label = await page.getAttribute('#canvas', 'aria-label');
        assert.ok(label.startsWith(s.samples[0]) && label.endsWith(summary), label);
        const changes = await page.evaluate(async () => {
            let n = 0;
            new MutationObserver(() => n++).observe(document.getElementById('summary'), { childList: true, characterData: true, subtree: true });
            const slider = document.getElementById('conf');
            slider.value = '0.51'; // nothing lies between
            slider.dispatchEvent(new Event('input', { bubbles: true }));
            await new Promise((done) => setTimeout(done, 400));
            return n;
        });
        assert.equal(changes, 0);
        await page.end();
    });
}

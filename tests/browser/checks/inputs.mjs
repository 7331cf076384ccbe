// The ways a picture comes in, each on the real server, with the boxes of `vkdet detect`.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import * as s from '../support.mjs';

export function inputs({ browser, server }) {
    test('the page comes whole from its server, under a policy that lets it load nothing else', async () => {
        const page = await s.open(browser(), 'about:blank');
        const hosts = new Set();
        page.on('request', (request) => hosts.add(new URL(request.url()).host));
        const response = await page.goto(server().url);
        const policy = response.headers()['content-security-policy'];
        assert.match(policy, /default-src 'none'/);
        assert.doesNotMatch(policy, /unsafe|\*/);
        await page.waitForSelector('#empty .sample-list img');
        assert.equal(await page.locator('#empty .sample-list img').count(), s.samples.length);
        await page.waitForFunction(() => [...document.images].every((image) => image.complete && image.naturalWidth > 0));
        assert.deepEqual([...hosts], [new URL(server().url).host]);
        assert.match(await page.textContent('#note'), new RegExp(`${new URL(server().url).host}.*nowhere else.*stores none of them`));
        await page.end();
    });

    test('files have an ETag, and are not sent to those who have them', async () => {
        const first = await fetch(`${server().url}page.mjs`);
        const etag = first.headers.get('etag');
        assert.match(etag, /^"[0-9a-f]+"$/);
        assert.match(first.headers.get('content-type'), /javascript/);
        assert.equal(await first.text(), readFileSync(`${s.source}/host/serve/page/page.mjs`, 'utf8'));
        const second = await fetch(`${server().url}page.mjs`, { headers: { 'If-None-Match': etag } });
        assert.equal(second.status, 304);
        const list = await (await fetch(`${server().url}samples.json`)).json();
        assert.deepEqual(list, s.samples);
    });

    test('samples: every one has the boxes of vkdet detect', async () => {
        const page = await s.open(browser(), server().url);
        await s.openSample(page, 0);
        for (let i = 1; i < s.samples.length; i++) {
            await page.click('#samples summary');
            await page.click(`#samples [data-sample="${s.samples[i]}"]`);
            await s.settled(page, i + 1);
        }
        let found = 0;
        for (const [i, name] of s.samples.entries()) {
            await page.click(`.tile:nth-child(${i + 1}) .tile-open`);
            await s.drawn(page);
            const expected = s.detect(s.samplePath(name));
            s.sameRows(await s.rows(page), expected);
            assert.match(await page.textContent(`.tile:nth-child(${i + 1}) .tile-state`), new RegExp(`^${expected.length || 'none'}`));
            found += expected.length;
        }
        assert.ok(found >= s.samples.length);
        await page.end();
    });

    test('open: several files from the chooser', async () => {
        const page = await s.open(browser(), server().url);
        const chooser = page.waitForEvent('filechooser');
        await page.click('#open');
        assert.ok((await chooser).isMultiple());
        await (await chooser).setFiles(s.samples.slice(0, 2).map(s.samplePath));
        await s.settled(page, 2);
        await s.drawn(page);
        s.sameRows(await s.rows(page), s.detect(s.samplePath(s.samples[0])));
        assert.equal(await page.textContent('#caption-name'), s.samples[0]);
        await page.end();
    });

    test('drop: a file anywhere on the page; what is no file is told', async () => {
        const page = await s.open(browser(), server().url);
        await page.dispatchEvent('body', 'dragenter', { dataTransfer: await page.evaluateHandle(() => new DataTransfer()) });
        assert.ok(await page.isVisible('#veil'));
        await s.drop(page, [s.sampleFile(s.samples[1])], '#note');
        assert.ok(!(await page.isVisible('#veil')));
        await s.settled(page, 1);
        s.sameRows(await s.rows(page), s.detect(s.samplePath(s.samples[1])));
        await s.drop(page, []);
        assert.match(await page.textContent('[data-kind="notFiles"]'), /Only picture files/);
        await page.end();
    });

    test('paste: a picture from the clipboard, by the keyboard', async () => {
        const page = await s.open(browser(), server().url, { permissions: ['clipboard-read', 'clipboard-write'] });
        await page.evaluate(async (base64) => {
            const blob = new Blob([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))], { type: 'image/png' });
            await navigator.clipboard.write([new ClipboardItem({ 'image/png': blob })]);
        }, readFileSync(s.samplePath(s.samples[2])).toString('base64'));
        await page.keyboard.press('Control+V');
        await s.settled(page, 1);
        // the browser encodes it anew, from the same pixels
        s.sameRows(await s.rows(page), s.detect(s.samplePath(s.samples[2])));
        await page.end();
    });

    test('several at once: few in flight, each with its own answer or error', async () => {
        const page = await s.open(browser(), server().url);
        let most = 0;
        page.on('request', () => (most = Math.max(most, page.asked.filter((a) => !a.ended).length)));
        const entries = [];
        for (let i = 0; i < 3; i++) {
            entries.push(...s.samples.map((name) => ({ ...s.sampleFile(name), name: `${i}-${name}` })));
        }
        entries.splice(5, 0, { name: 'notes.txt', bytes: 'this is text', type: 'text/plain' }, { name: 'empty.png', bytes: '' });
        await s.drop(page, entries);
        await s.settled(page, entries.length);
        assert.ok(most >= 2 && most <= 4, `${most} in flight`);
        for (const [i, { name }] of entries.entries()) {
            const tile = page.locator('.tile').nth(i);
            const failed = ['notes.txt', 'empty.png'].includes(name);
            assert.equal(await tile.getAttribute('data-state'), failed ? 'failed' : 'done', name);
            assert.equal(await tile.locator('.tile-name').textContent(), name);
        }
        assert.match(await page.locator('.tile').nth(5).textContent(), /cannot be read/);
        assert.match(await page.locator('.tile').nth(6).textContent(), /empty/);
        await page.click('.tile:nth-child(6) .tile-open');
        assert.ok(await page.isVisible('#failure'));
        assert.match(await page.textContent('#failure'), /cannot be read.*notes\.txt|cannot be read.*picture/);
        await page.click('#clear');
        assert.equal(await page.locator('.tile').count(), 0);
        assert.ok(await page.isVisible('#empty'));
        await page.end();
    });
}

// What goes wrong: each time one clear message, beside the picture it concerns, and a way on.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as s from '../support.mjs';

const failure = (page) => page.textContent('#failure');

// Answers the next so many requests in the server's place
async function instead(page, count, answer) {
    let left = count;
    await page.route('**/v1/detect?**', (route) => (left-- > 0 ? route.fulfill(answer) : route.continue()));
}

const error = (status, message) => JSON.stringify({ error: { status, message } });

export function errors({ browser, server }) {
    test('the server is gone: told beside the picture, and asked again when it is back', async () => {
        const own = await s.serve();
        const page = await s.open(browser(), own.url);
        await s.openSample(page, 0);
        assert.equal(await own.end(), 0);
        await s.drop(page, [s.sampleFile(s.samples[1]), s.sampleFile(s.samples[2])]);
        await s.settled(page, 3);
        assert.match(await failure(page), /does not answer/);
        assert.equal(await page.locator('.tile').nth(0).getAttribute('data-state'), 'done');
        const again = await s.serve([], own.port);
        await page.click('#retry');
        await page.waitForFunction(() => document.querySelectorAll('.tile[data-state="done"]').length === 3);
        s.sameRows(await s.rows(page), s.detect(s.samplePath(s.samples[1])));
        assert.ok(!(await page.isVisible('#failure')));
        await page.end();
        await again.end();
    });

    test('the server is gone from the start: a notice with a way to try again', async () => {
        const page = await s.open(browser(), server().url);
        await page.route('**/v1/info', (route) => route.abort());
        await page.reload();
        await page.waitForSelector('#notices [data-kind="gone"]');
        await page.unroute('**/v1/info');
        await page.click('#notices button');
        await page.waitForFunction(() => document.getElementById('server').textContent.includes('street-320'));
        assert.equal(await page.locator('#notices > *').count(), 0);
        await page.end();
    });

    test('too large: known before anything is sent', async () => {
        const { max_body_bytes: most } = await (await fetch(`${server().url}v1/info`)).json();
        const page = await s.open(browser(), server().url);
        await page.waitForFunction(() => document.getElementById('server').textContent.includes('street-320'));
        await page.evaluate((size) => {
            const data = new DataTransfer();
            data.items.add(new File([new Uint8Array(size)], 'large.png'));
            document.body.dispatchEvent(new DragEvent('drop', { bubbles: true, cancelable: true, dataTransfer: data }));
        }, most + 1);
        await s.settled(page, 1);
        assert.match(await failure(page), /Too large: .* takes up to/);
        assert.equal(page.asked.length, 0);
        assert.ok(!(await page.isVisible('#retry')));
        await page.end();
    });

    test('bad pictures: what the server says of them is shown', async () => {
        const page = await s.open(browser(), server().url);
        const cut = s.sampleFile(s.samples[0]).bytes.subarray(0, 3000);
        await s.drop(page, [{ name: 'cut.png', bytes: cut }, { name: 'text.jpg', bytes: 'hello' }]);
        await s.settled(page, 2);
        for (const [i, name] of ['cut.png', 'text.jpg'].entries()) {
            await page.click(`.tile:nth-child(${i + 1}) .tile-open`);
            assert.match(await failure(page), /This picture cannot be read/);
            const path = s.saveBytes(name, i ? 'hello' : cut);
            const { message } = JSON.parse(s.detectLine(path, name)).error; // PATH: REASON
            assert.equal(await page.textContent('#failure-detail'), message.slice(path.length + 2));
        }
        await page.end();
    });

    test('busy: waits as long as it is told, then goes on; gives up after a while', async () => {
        const page = await s.open(browser(), server().url);
        const busy = { status: 429, headers: { 'Retry-After': '1' }, contentType: 'application/json', body: error('busy', 'the queue is full') };
        await instead(page, 1, busy);
        await s.drop(page, [s.sampleFile(s.samples[0]), s.sampleFile(s.samples[1])]);
        await page.waitForSelector('.tile[data-state="busy"]');
        assert.match(await page.textContent('.tile[data-state="busy"]'), /busy\. Next try in 1 s/);
        await s.settled(page, 2);
        assert.equal(await page.locator('.tile[data-state="done"]').count(), 2);
        await page.unroute('**/v1/detect?**');
        await instead(page, 100, busy);
        await page.click('#clear');
        await s.drop(page, [s.sampleFile(s.samples[0])]);
        await s.settled(page, 1);
        assert.match(await failure(page), /busy\. Try again later/);
        await page.unroute('**/v1/detect?**');
        await page.click('#retry');
        await page.waitForSelector('.tile[data-state="done"]');
        await page.end();
    });

    // The limits of a server itself, with nothing between the page and it

    test('a server that holds all it may: busy, and the picture goes through once another client lets go', async () => {
        const own = await s.serve(['--max-body', '1000000', '--max-held', '1000000']);
        const holder = await s.holdBody(own, 1000000);
        const page = await s.open(browser(), own.url);
        await s.drop(page, [s.sampleFile(s.samples[0])]);
        await page.waitForSelector('.tile[data-state="busy"]');
        assert.match(await page.textContent('.tile[data-state="busy"]'), /busy\. Next try in 1 s/);
        holder.destroy();
        await s.settled(page, 1);
        s.sameRows(await s.rows(page), s.detect(s.samplePath(s.samples[0])));
        assert.ok(page.asked.length > 1);
        await page.end();
        await own.end();
    });

    test('a server with few pixels and no time: what it refuses, and what comes too late for it', async () => {
        const own = await s.serve(['--max-pixels', '100000']);
        const page = await s.open(browser(), own.url);
        await s.drop(page, [s.sampleFile(s.samples[0])]);
        await s.settled(page, 1);
        assert.match(await failure(page), /Too large for this server/);
        assert.match(await page.textContent('#failure-detail'), /pixels/);
        assert.equal(page.asked.length, 1); // the server said it, not the page
        await page.end();
        await own.end();
        // of two pictures at once the second waits for the first, longer than it may
        const late = await s.serve(['--device', 'reference', '--max-batch', '1', '--timeout-ms', '1']);
        const other = await s.open(browser(), late.url);
        await s.drop(other, s.samples.slice(0, 4).map(s.sampleFile));
        await s.settled(other, 4);
        const failed = other.locator('.tile[data-state="failed"]');
        assert.ok((await failed.count()) >= 1);
        await failed.first().locator('.tile-open').click();
        assert.match(await failure(other), /in time/);
        await other.end();
        await late.end();
    });

    test('other refusals and failures have their own words', async () => {
        const page = await s.open(browser(), server().url);
        const cases = [
            [413, error('limit', 'more than this server takes'), /Too large for this server.*more than/],
            [503, error('draining', 'the server is ending'), /shutting down/],
            [504, error('timeout', 'the deadline passed'), /in time/],
            [500, error('internal', 'oh'), /The server failed.*oh/],
            [404, error('model', 'no such model'), /refused the request.*no such model/],
            [502, '<html>', /The server failed/],
            [200, '<html>', /could not be understood/],
        ];
        for (const [status, body, words] of cases) {
            await instead(page, 1, { status, body });
            await s.drop(page, [s.sampleFile(s.samples[0])]);
            await s.settled(page, 1);
            assert.match(await failure(page), words);
            await page.click('#clear');
            await page.unroute('**/v1/detect?**');
        }
        await page.end();
    });

    test('a token: asked for, wrong, right; kept in memory alone', async () => {
        const own = await s.serve(['--token-file', s.saveBytes('token', 'a-token-of-some-length-0123456789\n')]);
        const page = await s.open(browser(), own.url);
        await page.waitForSelector('#token:not([hidden])');
        assert.equal(await page.evaluate(() => document.activeElement.id), 'token-value');
        await page.fill('#token-value', 'wrong');
        await page.click('#token button');
        await page.waitForFunction(() => document.getElementById('token-title').textContent.includes('not accept'));
        await page.fill('#token-value', 'a-token-of-some-length-0123456789');
        await page.keyboard.press('Enter');
        await page.waitForFunction(() => document.getElementById('server').textContent.includes('street-320'));
        assert.ok(!(await page.isVisible('#token')));
        await s.openSample(page, 0);
        s.sameRows(await s.rows(page), s.detect(s.samplePath(s.samples[0])));
        const kept = await page.evaluate(() => [{ ...localStorage }, { ...sessionStorage }, document.cookie, location.href, document.getElementById('token-value').value]);
        assert.doesNotMatch(JSON.stringify(kept), /a-token/);
        await page.reload();
        await page.waitForSelector('#token:not([hidden])');
        await page.end();
        await own.end();
    });
}

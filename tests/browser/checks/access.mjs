// axe over every state of the page, in both languages and schemes, wide and narrow; what fits; and the screenshots.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import * as s from '../support.mjs';

const WIDTHS = { desktop: [1280, 860], phone: [390, 844] };

// Serious and critical findings, in words
async function findings(page) {
    if (!(await page.evaluate(() => 'axe' in window))) {
        await page.evaluate(s.axeSource);
    }
    const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
    return violations
        .filter(({ impact }) => impact === 'serious' || impact === 'critical')
        .map(({ id, nodes }) => `${id}: ${nodes.map((node) => `${node.html} ${node.failureSummary}`).join('; ')}`);
}

async function fits(page, what) {
    const [inner, whole] = await page.evaluate(() => [document.documentElement.clientWidth, document.documentElement.scrollWidth]);
    assert.ok(whole <= inner, `${what} is ${whole} wide in ${inner}`);
}

// The states of the page, each from the one before
function states(page) {
    return [
        ['empty', () => page.waitForSelector('#empty .sample-list img')],
        ['result', () => s.openSample(page, 0)],
        ['samples', () => page.click('#samples summary')],
        [
            'several',
            async () => {
                await page.keyboard.press('Escape');
                await s.drop(page, [s.sampleFile(s.samples[1]), { name: 'a-rather-long-name-of-a-file-that-is-no-picture.png', bytes: 'x' }, s.sampleFile(s.samples[2])]);
                await s.settled(page, 4);
                await page.waitForTimeout(200); // thumbnails
            },
        ],
        ['error', () => page.click('.tile:nth-child(3) .tile-open')],
        ['notice', () => s.drop(page, [])],
    ];
}

export function access({ browser, server }) {
    for (const [shape, [width, height]] of Object.entries(WIDTHS)) {
        for (const colorScheme of ['light', 'dark']) {
            for (const locale of ['en-US', 'zh-CN']) {
                test(`axe: ${shape}, ${colorScheme}, ${locale}`, async () => {
                    const phone = shape === 'phone' ? { isMobile: true, hasTouch: true, deviceScaleFactor: 2 } : {};
                    const page = await s.open(browser(), server().url, { width, height, colorScheme, locale, reducedMotion: 'reduce', ...phone });
                    for (const [state, enter] of states(page)) {
                        await enter();
                        // what only adds to a state is looked at in one language
                        if (locale !== 'en-US' && ['result', 'samples', 'notice'].includes(state)) {
                            continue;
                        }
                        await page.waitForFunction(() => document.getAnimations().length === 0);
                        await page.screenshot({ path: join(s.shots, `${shape}-${colorScheme}-${locale}-${state}.png`), fullPage: true });
                        assert.deepEqual(await findings(page), [], state);
                        await fits(page, state);
                    }
                    await page.end();
                });
            }
        }
    }

    test('the token form passes axe as well', async () => {
        const page = await s.open(browser(), server().url);
        await page.route('**/v1/info', (route) => route.fulfill({ status: 401, body: '{}' }));
        await page.reload();
        await page.waitForSelector('#token:not([hidden])');
        await page.screenshot({ path: join(s.shots, 'token.png') });
        assert.deepEqual(await findings(page), []);
        await page.end();
    });

    test('nothing sticks out at 320 and at 2560 pixels, and text may be twice as large', async () => {
        for (const [width, size] of [[320, 100], [360, 100], [2560, 100], [390, 200]]) {
            const page = await s.open(browser(), server().url, { width });
            await page.evaluate((percent) => (document.documentElement.style.fontSize = `${percent}%`), size);
            await s.openSample(page, 0);
            await fits(page, `${width} at ${size} %`);
            await page.screenshot({ path: join(s.shots, `width-${width}-${size}.png`) });
            await page.end();
        }
    });

    test('nothing moves for those who asked for that', async () => {
        const page = await s.open(browser(), server().url, { reducedMotion: 'reduce' });
        await page.evaluate(() => (document.getElementById('live').hidden = false));
        assert.equal(await page.$eval('#live', (live) => getComputedStyle(live, '::before').animationName), 'none');
        await page.end();
    });
}

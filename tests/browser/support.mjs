// What the checks of the page share: the server under test, browsers, the program to compare with, pictures.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

// The program, the source folder, the folder with node_modules, the folder for screenshots
export const [vkdet, source, modules, shots] = process.argv.slice(2);
const require = createRequire(join(modules, 'package.json'));
const { chromium } = require('playwright-core');
export const axeSource = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

const executablePath = process.env.VKDET_TEST_CHROMIUM || '/usr/bin/chromium';
const samplesFolder = join(source, 'models/street-320/samples');
export const samples = readdirSync(samplesFolder).filter((name) => name.endsWith('.png')).sort();
export const samplePath = (name) => join(samplesFolder, name);
export const folder = mkdtempSync(join(tmpdir(), 'vkdet-browser-'));
mkdirSync(shots, { recursive: true });

const running = new Set(); // what has to be ended whatever happens

export function launch(...args) {
    return chromium.launch({ executablePath, args: ['--no-sandbox', ...args] }).then((browser) => {
        const end = () => browser.close();
        running.add(end);
        return Object.assign(browser, { end: () => (running.delete(end), end()) });
    });
}

// Starts `vkdet serve` on a free port, or on a given one, and waits for its address.
export async function serve(args = [], port = 0) {
    const child = spawn(vkdet, ['serve', '--port', String(port), ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    const exit = new Promise((resolve) => child.once('exit', (code, signal) => resolve(code ?? signal)));
    const url = await new Promise((resolve, reject) => {
        const look = (text) => {
            said += text;
            const address = /http:\/\/[^\s/]+/.exec(said);
            if (address) {
                resolve(`${address[0]}/`);
            }
        };
        child.stdout.on('data', look);
        child.stderr.on('data', look);
        exit.then((code) => reject(new Error(`vkdet serve ended with ${code}: ${said}`)));
    });
    const server = {
        url,
        port: Number(new URL(url).port),
        async end() {
            running.delete(server.end);
            child.kill('SIGTERM');
            return exit;
        },
    };
    running.add(server.end);
    return server;
}

// A client that has sent all of a body but its last bytes: the server holds the rest of it
export async function holdBody(server, size) {
    const socket = connect(server.port, '127.0.0.1');
    const head = `POST /v1/detect HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${size}\r\n\r\n`;
    socket.on('error', () => {}); // it is ended in the middle
    await new Promise((sent) => socket.write(Buffer.concat([Buffer.from(head), Buffer.alloc(size - 9)]), sent));
    const held = /^vkdet_body_bytes (\d+)$/m;
    while (Number(held.exec(await (await fetch(`${server.url}metrics`)).text())[1]) < size) {
        await new Promise((later) => setTimeout(later, 10));
    }
    return socket;
}

export async function endAll() {
    await Promise.allSettled([...running].map((end) => end()));
    rmSync(folder, { recursive: true, force: true });
}

// The lines of the program for files, each under the name that the server was given for it
export function detectLines(files, ...args) {
    const { stdout } = spawnSync(vkdet, ['detect', '-q', ...args, '--', ...files.map(({ path }) => path)], { encoding: 'utf8' });
    const lines = stdout.split('\n').slice(0, -1);
    assert.equal(lines.length, files.length, stdout);
    return files.map(({ path, name }, index) => {
        const began = (image, number) => `{"schema":1,"image":${JSON.stringify(image)},"index":${number}`;
        assert.ok(lines[index].startsWith(began(path, index)), lines[index]);
        return `${began(name, 0)}${lines[index].slice(began(path, index).length)}\n`;
    });
}

export const detectLine = (path, name, ...args) => detectLines([{ path, name }], ...args)[0];
export const detect = (path, ...args) => JSON.parse(detectLine(path, 'x', ...args)).detections;

// A page on a server; what it says on its console fails the test
export async function open(browser, url, options = {}) {
    const { width = 1280, height = 900, ...rest } = options;
    const context = await browser.newContext({ viewport: { width, height }, locale: 'en-US', acceptDownloads: true, ...rest });
    const page = await context.newPage();
    const complaints = [];
    page.on('pageerror', (error) => complaints.push(String(error)));
    page.on('console', (message) => {
        // requests that fail are what some checks are about; reading pixels is what others do
        const expected = /^Failed to load resource|^Canvas2D: Multiple readback/.test(message.text());
        if (['error', 'warning'].includes(message.type()) && !expected) {
            complaints.push(message.text());
        }
    });
    const asked = []; // of /v1/detect: { url, begun, ended }
    page.on('request', (request) => {
        if (request.url().includes('/v1/detect')) {
            asked.push({ request, query: new URL(request.url()).searchParams, ended: false });
        }
    });
    const ended = (request) => asked.filter((a) => a.request === request).forEach((a) => (a.ended = true));
    page.on('requestfinished', ended);
    page.on('requestfailed', ended);
    await page.goto(url);
    return Object.assign(page, {
        asked,
        async end() {
            await context.close();
            assert.deepEqual(complaints, []);
        },
    });
}

// Waits until every open picture has its answer or its error
export async function settled(page, count) {
    await page.waitForFunction(
        (n) => {
            const tiles = [...document.querySelectorAll('.tile')];
            const busy = document.getElementById('canvas').getAttribute('aria-busy') === 'true';
            return !busy && tiles.length === n && tiles.every((t) => ['done', 'failed'].includes(t.dataset.state));
        },
        count,
        { timeout: 30000 },
    );
}

// The table as data
export function rows(page) {
    return page.$$eval('#rows tr', (all) =>
        all.map((row) => ({
            label: row.querySelector('th').textContent,
            score: Number(row.dataset.score),
            box: JSON.parse(row.dataset.box),
        })),
    );
}

// The picture that is shown has been drawn with the rows that are shown
export async function drawn(page) {
    await page.waitForSelector('#canvas:not([hidden])');
    await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
}

export function sameRows(shown, detections) {
    assert.deepEqual(shown, detections.map(({ label, score, box }) => ({ label, score, box })));
}

// Files as a page can be given them without a file chooser: base64 on the way in
export function asFiles(entries) {
    return entries.map(({ name, bytes, type = '' }) => ({ name, type, data: Buffer.from(bytes).toString('base64') }));
}

export async function drop(page, entries, target = 'body') {
    const transfer = await page.evaluateHandle((files) => {
        const data = new DataTransfer();
        for (const { name, type, data: base64 } of files) {
            data.items.add(new File([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))], name, { type }));
        }
        return data;
    }, asFiles(entries));
    for (const type of ['dragenter', 'dragover', 'drop']) {
        await page.dispatchEvent(target, type, { dataTransfer: transfer });
    }
}

export const sampleFile = (name) => ({ name, bytes: readFileSync(samplePath(name)), type: 'image/png' });

export async function openSample(page, index = 0) {
    await page.click(`#empty [data-sample="${samples[index]}"]`);
    await settled(page, 1);
    await drawn(page);
}

export function saveBytes(name, bytes) {
    const path = join(folder, name);
    writeFileSync(path, bytes);
    return path;
}

// Moves a slider as a hand does
export async function slide(page, id, value) {
    await page.locator(`#${id}`).evaluate((slider, to) => {
        slider.value = to;
        slider.dispatchEvent(new Event('input', { bubbles: true }));
    }, String(value));
}

export async function download(page, selector) {
    const [file] = await Promise.all([page.waitForEvent('download'), page.click(selector)]);
    return { name: file.suggestedFilename(), bytes: readFileSync(await file.path()) };
}

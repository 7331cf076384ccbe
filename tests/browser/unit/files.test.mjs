// The page's files as text: they parse, hold together, and need nothing from elsewhere.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { languages } from '../../../host/serve/page/language.mjs';

const folder = fileURLToPath(new URL('../../../host/serve/page/', import.meta.url));
const tests = fileURLToPath(new URL('..', import.meta.url));
const names = readdirSync(folder);
const read = (name) => readFileSync(folder + name, 'utf8');
const modules = names.filter((name) => name.endsWith('.mjs'));
const html = read('index.html');
const scripts = modules.map((name) => read(name)).join('\n');
const all = (text, pattern) => [...text.matchAll(pattern)].map((match) => match[1]);

test('every module parses', () => {
    const mine = readdirSync(tests, { recursive: true }).filter((name) => /^[^.]*\.mjs$/.test(name));
    const paths = [...modules.map((name) => folder + name), ...mine.map((name) => tests + name)];
    for (const path of paths.filter((path) => !path.includes('node_modules'))) {
        execFileSync(process.execPath, ['--check', path]);
    }
});

test('nothing is loaded from elsewhere', () => {
    for (const name of names) {
        const urls = all(read(name), /(?:https?:)?\/\/([a-z0-9-]+\.[a-z0-9.-]+)/gi);
        assert.deepEqual(urls.filter((host) => host !== 'www.w3.org'), [], name); // the namespace of SVG
        assert.doesNotMatch(read(name), /@import|url\(/, name);
    }
});

test('nothing that the content security policy forbids, nothing that makes markup of text', () => {
    assert.doesNotMatch(html, /\sstyle=|\son[a-z]+=|<style|javascript:/);
    assert.deepEqual(all(html, /<script([^>]*)>/g), [' type="module" src="page.mjs"']);
    assert.doesNotMatch(scripts, /innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|setAttribute\('style'/);
});

test('the table of the build has every file of the folder, once', () => {
    const listed = all(read('CMakeLists.txt'), /^ {4}"(?:\/\S*) ([^\s/]+)"$/gm); // files of other folders have a / in them
    const there = names.filter((name) => name !== 'CMakeLists.txt');
    assert.deepEqual([...listed].sort(), there.sort());
});

test('modules import what is there', () => {
    for (const name of modules) {
        for (const [, list, from] of read(name).matchAll(/import \{([^}]*)\} from '\.\/([^']+)'/g)) {
            assert.ok(names.includes(from), `${name} imports ${from}`);
            for (const what of list.split(',').map((word) => word.trim()).filter(Boolean)) {
                assert.match(read(from), new RegExp(`export (async )?(function|class|const) ${what}\\b`), `${name}: ${what}`);
            }
        }
    }
});

test('every element that is asked for is in the document, once', () => {
    const ids = all(html, /\sid="([^"]+)"/g);
    assert.equal(new Set(ids).size, ids.length);
    for (const id of [...all(scripts, /\$\('([^']+)'\)/g), ...all(html, /\s(?:for|aria-labelledby|aria-describedby)="([^"]+)"/g)]) {
        assert.ok(ids.includes(id), id);
    }
});

test('every text that is asked for exists, and every one that exists is asked for', () => {
    const { errors, ...texts } = languages.en;
    const speaking = modules.filter((name) => !['answer.mjs', 'api.mjs'].includes(name)); // there text is any text
    const asked = new Set([
        ...all(html, /data-(?:text|label)="([^"]+)"/g),
        ...all(speaking.map((name) => read(name)).join('\n'), /\btext\.(\w+)/g),
        ...all(scripts, /\b\w+: '(time\w+)'/g),
    ]);
    asked.delete('errors');
    for (const key of asked) {
        assert.ok(key in texts, key);
    }
    assert.deepEqual(Object.keys(texts).filter((key) => !asked.has(key)), []);
    const quoted = new Set(all(scripts, /'(\w+)'/g));
    const dotted = new Set(all(scripts, /errors\.(\w+)/g));
    assert.deepEqual(Object.keys(errors).filter((key) => !quoted.has(key) && !dotted.has(key)), []);
});

test('lines are no longer than they may be, and end where they end', () => {
    for (const name of names.filter((name) => name !== 'CMakeLists.txt')) {
        read(name).split('\n').forEach((line, i) => {
            const long = line.length > 120 && name.endsWith('.mjs') && !/^ +\w+: .*['`],$/.test(line); // but sentences
            assert.ok(!long && !/[ \t]$|\t/.test(line), `${name}:${i + 1}`);
        });
    }
});

// The requests that the page makes, all of them to the server it came from.
import { readAnswer, readTimes } from './answer.mjs';

// kind: a key of `errors` in the strings; detail: what the server said itself
export class ServerError extends Error {
    constructor(kind, detail = '', status = 0) {
        super(detail || kind);
        this.kind = kind;
        this.detail = detail;
        this.status = status;
        this.retryAfter = 0; // seconds
    }
}

// What an HTTP status means to somebody who sent a picture
export function errorKind(status, name) {
    if (status === 401 || status === 403) {
        return 'token';
    }
    if (status === 413) {
        return 'largeUnknown';
    }
    if (status === 429) {
        return 'busy';
    }
    if (status === 408 || status === 504 || name === 'deadline') {
        return 'deadline';
    }
    if (status >= 500) {
        return name === 'draining' ? 'draining' : 'server';
    }
    return status === 415 || name === 'image' ? 'image' : 'request';
}

// Seconds of a Retry-After header, which may be a date; one second where it says nothing sensible
export function retrySeconds(header, now) {
    const seconds = /^\d+$/.test(header ?? '') ? Number(header) : (Date.parse(header) - now) / 1000;
    return Number.isFinite(seconds) ? Math.min(Math.max(seconds, 1), 60) : 1;
}

async function refusal(response) {
    let detail = '';
    let name = '';
    try {
        const { error } = await response.json();
        detail = typeof error === 'string' ? error : (error?.message ?? '');
        name = error?.status ?? '';
    } catch {
        // no JSON: the status alone has to do
    }
    const error = new ServerError(errorKind(response.status, name), detail, response.status);
    error.name = name || 'http';
    error.retryAfter = retrySeconds(response.headers.get('Retry-After'), Date.now());
    return error;
}

export class Api {
    #token = ''; // in memory alone

    useToken(token) {
        this.#token = token;
    }

    async #fetch(path, options = {}) {
        const headers = { ...options.headers };
        if (this.#token) {
            headers.Authorization = `Bearer ${this.#token}`;
        }
        let response;
        try {
            response = await fetch(path, { ...options, headers, cache: 'no-store' });
        } catch (error) {
            if (error.name === 'AbortError') {
                throw error;
            }
            throw new ServerError('gone');
        }
        if (!response.ok) {
            throw await refusal(response);
        }
        return response;
    }

    async info() {
        return (await this.#fetch('v1/info')).json();
    }

    async samples() {
        return (await this.#fetch('samples.json')).json();
    }

    async sample(name) {
        const blob = await (await this.#fetch(`samples/${encodeURIComponent(name)}`)).blob();
        return new File([blob], name, { type: blob.type });
    }

    async #detect(blob, settings, more, options) {
        const query = new URLSearchParams({ ...settings, ...more });
        try {
            return await this.#fetch(`v1/detect?${query}`, {
                ...options,
                method: 'POST',
                body: blob,
                headers: { 'Content-Type': 'application/octet-stream', ...options.headers },
            });
        } catch (error) {
            if (error.kind === 'gone' && !(await readable(blob))) {
                throw new ServerError('unreadable');
            }
            throw error;
        }
    }

    // settings: model, version, conf, iou, labels. Resolves to the answer and what came with it.
    async detect(blob, name, settings, signal) {
        const began = performance.now();
        const response = await this.#detect(blob, settings, { name }, { signal });
        const text = await response.text();
        const roundTrip = performance.now() - began;
        let answer;
        try {
            answer = readAnswer(text);
        } catch {
            throw new ServerError('answer', text.slice(0, 200));
        }
        if (answer.error) {
            const error = new ServerError('image', answer.error.message);
            error.name = answer.error.status;
            throw error;
        }
        const { headers } = response;
        return {
            answer,
            roundTrip,
            times: readTimes(headers.get('Server-Timing')),
            device: headers.get('X-Vkdet-Device') ?? '',
            precision: headers.get('X-Vkdet-Precision') ?? '',
        };
    }

    // The picture as the server decoded it, upright: nothing has a score above 1, so nothing is drawn on it.
    async plain(blob, settings, signal) {
        const more = { annotate: '1', conf: '1' };
        return (await this.#detect(blob, settings, more, { signal, headers: { Accept: 'image/png' } })).blob();
    }
}

async function readable(blob) {
    try {
        await blob.slice(0, 1).arrayBuffer();
        return true;
    } catch {
        return false;
    }
}

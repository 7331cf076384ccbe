// The pictures that are open: which there are, which one is looked at, and how far the server is with each.
//
// state of a picture: waiting (for a turn), asking, busy (the server asked to wait), done, failed.
import { stillHolds } from './answer.mjs';
import { Queue } from './queue.mjs';

const IN_FLIGHT = 4;
const MOST_TRIES = 6; // of a busy server, one picture

// Events: 'list' (added, removed), 'select', 'change' with the picture as detail, 'token' (the server wants one).
export class Collection extends EventTarget {
    pictures = [];
    selected = null;
    #api;
    #settings;
    #limits;
    #queue = new Queue(IN_FLIGHT);
    #nextId = 1;

    // settings, limits: functions that say what holds now
    constructor(api, settings, limits) {
        super();
        this.#api = api;
        this.#settings = settings;
        this.#limits = limits;
    }

    // Opens files; the first of them is looked at.
    add(files) {
        const added = [...files].map((file) => ({
            id: this.#nextId++,
            file,
            name: file.name || 'pasted.png',
            state: 'waiting',
            reply: null,
            asked: null,
            error: null,
            tries: 0,
            wait: 0,
            controller: null,
            ticket: null,
        }));
        if (added.length === 0) {
            return;
        }
        this.pictures.push(...added);
        this.#tell('list');
        this.select(added[0]);
        added.forEach((picture) => this.#ask(picture, false));
    }

    select(picture) {
        this.selected = picture;
        this.#tell('select', picture);
    }

    // Selects the one that is so many places further on, as far as there are any.
    step(by) {
        const at = this.pictures.indexOf(this.selected);
        const next = this.pictures[Math.min(Math.max(at + by, 0), this.pictures.length - 1)];
        if (next) {
            this.select(next);
        }
        return next;
    }

    remove(picture) {
        const at = this.pictures.indexOf(picture);
        this.#cancel(picture);
        this.pictures.splice(at, 1);
        this.#tell('list');
        if (picture === this.selected) {
            this.selected = null;
            this.select(this.pictures[Math.min(at, this.pictures.length - 1)] ?? null);
        }
    }

    clear() {
        this.pictures.forEach((picture) => this.#cancel(picture));
        this.pictures = [];
        this.selected = null;
        this.#tell('list');
        this.#tell('select', null);
    }

    // Asks again where other settings need another answer; the one that is looked at first.
    refresh() {
        const wanted = this.#settings();
        const stale = this.pictures.filter(
            (p) => p.state !== 'failed' && !(p.asked && stillHolds(p.asked, wanted)),
        );
        stale.sort((a, b) => (b === this.selected) - (a === this.selected));
        stale.forEach((picture) => this.#ask(picture, false));
    }

    // Asks again for all that failed for that reason
    retryFailed(kind) {
        for (const picture of this.pictures.filter((p) => p.error?.kind === kind)) {
            picture.tries = 0;
            this.#ask(picture, picture === this.selected);
        }
    }

    #tell(type, detail) {
        this.dispatchEvent(new CustomEvent(type, { detail }));
    }

    #cancel(picture) {
        this.#queue.remove(picture.ticket);
        picture.controller?.abort();
        picture.controller = null;
    }

    #become(picture, state, more = {}) {
        Object.assign(picture, { state, ...more });
        this.#tell('change', picture);
    }

    #fail(picture, error) {
        this.#become(picture, 'failed', { error, reply: null, asked: null });
        if (error.kind === 'token') {
            this.#tell('token');
        }
    }

    #ask(picture, first) {
        this.#cancel(picture);
        const most = this.#limits().max_body_bytes ?? Infinity;
        if (picture.file.size === 0) {
            this.#fail(picture, { kind: 'empty' });
        } else if (picture.file.size > most) {
            this.#fail(picture, { kind: 'large', size: picture.file.size, limit: most });
        } else {
            const { model, version } = this.#settings();
            const same = picture.asked?.model === model && picture.asked?.version === version;
            // the boxes of another model are not shown while this one is asked
            this.#become(picture, 'waiting', { error: null, reply: same ? picture.reply : null });
            picture.ticket = this.#queue.add(() => this.#run(picture), first);
        }
    }

    async #run(picture) {
        const controller = new AbortController();
        const asked = this.#settings();
        picture.controller = controller;
        this.#become(picture, 'asking', { asked });
        try {
            const reply = await this.#api.detect(picture.file, picture.name, asked, controller.signal);
            if (picture.controller === controller) {
                this.#become(picture, 'done', { reply, tries: 0 });
            }
        } catch (error) {
            if (picture.controller !== controller) {
                return; // taken back: removed, or asked anew
            }
            if (error.kind === 'busy' && ++picture.tries < MOST_TRIES) {
                this.#queue.hold(error.retryAfter * 1000);
                this.#become(picture, 'busy', { wait: error.retryAfter });
                picture.ticket = this.#queue.add(() => this.#run(picture), true);
                return;
            }
            this.#fail(picture, error);
        }
    }
}

// The strip of open pictures: one button each, with its state or its error, and another to remove it.
import * as format from './format.mjs';
import { decodePicture, decodeUpright, thumbnail } from './picture.mjs';
import { Queue } from './queue.mjs';
import { above } from './answer.mjs';

const THUMB = { width: 132, height: 88 };

// What went wrong with a picture, in words
export function errorText(error, text) {
    if (error.kind === 'large') {
        return text.errors.large(format.bytes(error.size), format.bytes(error.limit));
    }
    return text.errors[error.kind] ?? text.errors.server;
}

export class Gallery {
    #list;
    #collection;
    #api;
    #view; // () => { text, settings }
    #tiles = new Map();
    #decoding = new Queue(2);

    constructor(list, collection, api, view) {
        this.#list = list;
        this.#collection = collection;
        this.#api = api;
        this.#view = view;
        collection.addEventListener('list', () => this.#sync());
        collection.addEventListener('select', () => this.#mark());
        collection.addEventListener('change', ({ detail }) => this.#update(detail));
        list.addEventListener('keydown', (event) => this.#key(event));
    }

    // Everything anew: another language or threshold
    refresh() {
        this.#collection.pictures.forEach((picture) => this.#update(picture));
    }

    #sync() {
        const { pictures } = this.#collection;
        for (const [picture, tile] of this.#tiles) {
            if (!pictures.includes(picture)) {
                tile.item.remove();
                this.#tiles.delete(picture);
            }
        }
        for (const picture of pictures) {
            if (!this.#tiles.has(picture)) {
                this.#tiles.set(picture, this.#build(picture));
                this.#update(picture);
            }
        }
    }

    #build(picture) {
        const item = document.createElement('li');
        item.className = 'tile';
        const open = document.createElement('button');
        open.type = 'button';
        open.className = 'tile-open';
        open.addEventListener('click', () => this.#collection.select(picture));
        const frame = document.createElement('span');
        frame.className = 'tile-frame';
        const name = document.createElement('span');
        name.className = 'tile-name';
        name.textContent = picture.name;
        const state = document.createElement('span');
        state.className = 'tile-state';
        open.append(frame, name, state);
        const remove = document.createElement('button');
        remove.type = 'button';
        remove.className = 'tile-remove';
        remove.textContent = '×';
        remove.addEventListener('click', () => this.#remove(picture));
        item.append(open, remove);
        this.#list.append(item);
        return { item, open, frame, state, remove, drawn: null };
    }

    #update(picture) {
        const tile = this.#tiles.get(picture);
        if (!tile) {
            return;
        }
        const { text, settings } = this.#view();
        const words = {
            waiting: () => text.waiting,
            asking: () => text.asking,
            busy: () => text.busy(picture.wait),
            done: () => text.count(above(picture.reply.answer.detections, settings.conf).length),
            failed: () => errorText(picture.error, text),
        };
        tile.state.textContent = words[picture.state]();
        tile.item.dataset.state = picture.state;
        tile.remove.setAttribute('aria-label', text.remove(picture.name));
        const settled = picture.state === 'done' || picture.state === 'failed';
        const drawn = picture.state;
        if (settled && tile.drawn !== drawn) {
            tile.drawn = drawn;
            this.#decoding.add(() => this.#draw(picture, tile));
        }
        this.#mark();
    }

    async #draw(picture, tile) {
        const { settings } = this.#view();
        try {
            const plain = () => this.#api.plain(picture.file, settings);
            const shown = picture.reply
                ? await decodeUpright(picture.file, picture.reply.answer, plain)
                : await decodePicture(picture.file);
            const ratio = Math.min(window.devicePixelRatio || 1, 2);
            tile.frame.replaceChildren(thumbnail(shown, THUMB.width * ratio, THUMB.height * ratio));
            shown.close();
        } catch {
            tile.frame.replaceChildren(); // an empty frame; the name and the state say the rest
        }
    }

    #mark() {
        for (const [picture, tile] of this.#tiles) {
            const selected = picture === this.#collection.selected;
            tile.open.setAttribute('aria-current', String(selected));
            if (selected) {
                tile.item.scrollIntoView?.({ block: 'nearest', inline: 'nearest' });
            }
        }
    }

    #remove(picture) {
        this.#collection.remove(picture);
        this.#tiles.get(this.#collection.selected)?.open.focus();
    }

    #key(event) {
        const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1, Home: -Infinity, End: Infinity };
        if (event.key in step) {
            event.preventDefault();
            const next = this.#collection.step(step[event.key]);
            this.#tiles.get(next)?.open.focus();
        } else if (event.key === 'Delete') {
            event.preventDefault();
            const item = event.target.closest('.tile');
            this.#remove([...this.#tiles.keys()].find((picture) => this.#tiles.get(picture).item === item));
        }
    }
}

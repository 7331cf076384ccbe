// The panel beside the picture: the table of detections, the times, and what it all runs on.
import { countByClass, stages } from './answer.mjs';
import * as format from './format.mjs';

function cell(row, tag, content, className) {
    const element = document.createElement(tag);
    element.className = className;
    element.append(content);
    row.append(element);
    return element;
}

// The class in words and as a spot of its colour
function classCell(row, mark) {
    const spot = document.createElement('span');
    spot.className = 'spot';
    spot.style.background = mark.colour;
    const head = cell(row, 'th', spot, 'class');
    head.scope = 'row';
    head.append(mark.label);
}

// Rows for the arrow keys: one of them is in the tab order, the others follow from it.
export class ResultTable {
    #body;
    #onLook;

    // onLook(index or -1): a row is pointed at, or has the focus
    constructor(body, onLook) {
        this.#body = body;
        this.#onLook = onLook;
        body.addEventListener('pointerover', (event) => this.#look(event.target));
        body.addEventListener('pointerleave', () => this.#look(document.activeElement));
        body.addEventListener('focusin', (event) => this.#look(event.target));
        body.addEventListener('focusout', () => onLook(-1));
        body.addEventListener('keydown', (event) => this.#key(event));
    }

    // marks: as for the canvas, with label, score and box. The focus stays in its place, as long as there is one.
    show(marks) {
        const focused = [...this.#body.rows].indexOf(document.activeElement);
        this.#body.replaceChildren(
            ...marks.map((mark, i) => {
                const row = document.createElement('tr');
                row.tabIndex = i === Math.max(0, Math.min(focused, marks.length - 1)) ? 0 : -1;
                row.dataset.index = i;
                row.dataset.score = mark.score;
                row.dataset.box = JSON.stringify(mark.box);
                classCell(row, mark);
                cell(row, 'td', format.score(mark.score), 'score');
                cell(row, 'td', format.box(mark.box), 'box');
                return row;
            }),
        );
        if (focused >= 0) {
            this.#body.rows[Math.min(focused, marks.length - 1)]?.focus();
        }
    }

    // reveal: scrolls the table, not the page, to where the row can be seen
    highlight(index, reveal = false) {
        for (const row of this.#body.rows) {
            row.classList.toggle('looked-at', Number(row.dataset.index) === index);
        }
        const row = this.#body.rows[index];
        if (reveal && row) {
            const room = row.closest('.table-scroll');
            const head = row.closest('table').tHead.offsetHeight;
            const lowest = row.offsetTop + row.offsetHeight - room.clientHeight;
            room.scrollTop = Math.max(lowest, Math.min(room.scrollTop, row.offsetTop - head));
        }
    }

    #look(target) {
        const row = target?.closest?.('tr');
        this.#onLook(row && this.#body.contains(row) ? Number(row.dataset.index) : -1);
    }

    #key(event) {
        const rows = [...this.#body.rows];
        const at = rows.indexOf(event.target.closest('tr'));
        const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: rows.length - 1 }[event.key];
        if (rows[to]) {
            event.preventDefault();
            rows[at].tabIndex = -1;
            rows[to].tabIndex = 0;
            rows[to].focus();
        } else if (event.key === 'Escape') {
            this.#onLook(-1);
        }
    }
}

// One sentence: how many of what
export function summary(detections, label, conf, most, text) {
    if (detections.length === 0) {
        return text.foundNone(format.threshold(conf));
    }
    const parts = [...countByClass(detections)].map(([id, n]) => text.foundPart(n, label(id)));
    const sentence = text.found(detections.length, parts);
    return detections.length === most ? `${sentence} ${text.foundMost(most)}` : sentence;
}

const STAGE_TEXT = {
    decode: 'timeDecode',
    queue: 'timeQueue',
    compute: 'timeCompute',
    other: 'timeOther',
    travel: 'timeTravel',
};

// Rows of a definition list: [term, value, class of the term's mark]
export function fillList(list, rows) {
    list.replaceChildren(
        ...rows.map(([term, value, mark]) => {
            const row = document.createElement('div');
            const dt = document.createElement('dt');
            const dd = document.createElement('dd');
            dt.textContent = term;
            dd.textContent = value;
            if (mark) {
                dt.className = `mark ${mark}`;
            }
            row.append(dt, dd);
            return row;
        }),
    );
}

// bar: a strip cut in proportion; list: the same in numbers. frames: a rate, or 0.
export function showTimes(bar, list, reply, drawn, frames, text) {
    const cut = stages(reply.times, reply.roundTrip);
    bar.replaceChildren(
        ...cut.map(({ name, ms }) => {
            const part = document.createElement('span');
            part.className = name;
            part.style.flexGrow = ms;
            return part;
        }),
    );
    const rows = cut.map(({ name, ms }) => [text[STAGE_TEXT[name]], format.milliseconds(ms), name]);
    rows.push([text.timeTotal, format.milliseconds(reply.roundTrip), 'total']);
    if (drawn !== null) {
        rows.push([text.timeDraw, format.milliseconds(drawn), 'draw']);
    }
    if (frames > 0) {
        rows.push([text.timeFrames, text.frames(frames.toFixed(1)), 'frames']);
    }
    fillList(list, rows);
}

// What the server says about itself, with the device that the last answer came from
export function showServer(list, info, model, reply, text) {
    // those there are, until an answer says which one it was
    const one = info.devices.filter((d) => d.id === reply?.device);
    const devices = one.length > 0 ? one : info.devices;
    const together = (describe) => [...new Set(devices.map(describe))].filter(Boolean).join(', ');
    const size = model?.input ? `${model.input.width} × ${model.input.height} × ${model.input.channels}` : '';
    const rows = [
        [text.model, model ? text.modelVersion(model.name, model.version) : ''],
        [text.input, size],
        [text.licence, model?.licence],
        [text.device, together((d) => `${d.name} (${d.id})`)],
        [text.driver, together((d) => d.driver)],
        [text.precision, reply?.precision || together((d) => d.precision)],
        [text.server, `${info.name} ${info.version}`],
    ];
    fillList(list, rows.filter(([, value]) => value));
}

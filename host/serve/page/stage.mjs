// The large canvas: a picture and its boxes, fitted to the room there is, sharp on any screen.
import { boxAt, paintMarks } from './marks.mjs';

const LARGEST_ZOOM = 2; // of small pictures, but for tiny ones
const TINY = 320;

export class Stage extends EventTarget {
    #canvas;
    #room;
    #picture = null;
    #marks = [];
    #highlighted = -1;
    #planned = false;

    // room: the element whose width, and the custom property --stage-height, bound the canvas
    constructor(canvas, room) {
        super();
        this.#canvas = canvas;
        this.#room = room;
        new ResizeObserver(() => this.#plan()).observe(room);
        window.addEventListener('resize', () => this.#plan());
        canvas.addEventListener('pointermove', (event) => this.#point(event));
        canvas.addEventListener('pointerleave', () => this.#tell(-1));
    }

    // The picture stays the caller's to close, after another one was shown.
    show(picture, marks) {
        this.#picture = picture;
        this.#marks = marks;
        this.#highlighted = -1;
        this.#plan();
    }

    highlight(index) {
        if (index !== this.#highlighted) {
            this.#highlighted = index;
            this.#plan();
        }
    }

    #plan() {
        if (!this.#planned) {
            this.#planned = true;
            requestAnimationFrame(() => {
                this.#planned = false;
                this.#draw();
            });
        }
    }

    #fit() {
        const { width, height } = this.#picture;
        const most = Math.max(LARGEST_ZOOM, TINY / Math.max(width, height));
        const roomHeight = parseFloat(getComputedStyle(this.#canvas).maxHeight) || window.innerHeight * 0.7;
        return Math.min(this.#room.clientWidth / width, roomHeight / height, most);
    }

    #draw() {
        const picture = this.#picture;
        const canvas = this.#canvas;
        if (!picture) {
            return;
        }
        const began = performance.now();
        const unit = window.devicePixelRatio || 1;
        const fit = this.#fit();
        const cssWidth = Math.max(1, Math.round(picture.width * fit));
        const cssHeight = Math.max(1, Math.round(picture.height * fit));
        canvas.style.width = `${cssWidth}px`;
        canvas.style.height = `${cssHeight}px`;
        canvas.width = Math.round(cssWidth * unit);
        canvas.height = Math.round(cssHeight * unit);
        const context = canvas.getContext('2d');
        const scaleX = canvas.width / picture.width;
        const scaleY = canvas.height / picture.height;
        context.imageSmoothingQuality = 'high';
        context.drawImage(picture.source, 0, 0, canvas.width, canvas.height);
        paintMarks(context, this.#marks, scaleX, scaleY, unit, this.#highlighted);
        this.dispatchEvent(new CustomEvent('drawn', { detail: performance.now() - began }));
    }

    #point(event) {
        if (this.#picture) {
            const x = (event.offsetX / this.#canvas.clientWidth) * this.#picture.width;
            const y = (event.offsetY / this.#canvas.clientHeight) * this.#picture.height;
            this.#tell(boxAt(this.#marks.map((mark) => mark.box), x, y));
        }
    }

    #tell(index) {
        this.dispatchEvent(new CustomEvent('point', { detail: index }));
    }
}

// The picture in its own size, with boxes that can be seen at that size: what is saved. Null where it is too large.
export function paintWhole(picture, marks) {
    const canvas = document.createElement('canvas');
    canvas.width = picture.width;
    canvas.height = picture.height;
    const context = canvas.getContext('2d');
    if (!context) {
        return null;
    }
    context.drawImage(picture.source, 0, 0);
    paintMarks(context, marks, 1, 1, Math.max(1, Math.max(picture.width, picture.height) / 1000));
    return canvas;
}

// A queue of tasks of which a few run at a time. A task is an async function; it may be taken out again before it runs,
// and the whole queue can be held for a while (a busy server).

export class Queue {
    #limit;
    #waiting = [];
    #running = 0;
    #heldUntil = 0;
    #timer = null;

    constructor(limit) {
        this.#limit = limit;
    }

    get running() {
        return this.#running;
    }

    get waiting() {
        return this.#waiting.length;
    }

    // first: before those that wait. The ticket is for remove().
    add(task, first = false) {
        const ticket = { task };
        if (first) {
            this.#waiting.unshift(ticket);
        } else {
            this.#waiting.push(ticket);
        }
        this.#next();
        return ticket;
    }

    remove(ticket) {
        const at = this.#waiting.indexOf(ticket);
        if (at >= 0) {
            this.#waiting.splice(at, 1);
        }
        return at >= 0;
    }

    // Nothing new starts for so long; what runs goes on.
    hold(milliseconds) {
        this.#heldUntil = Math.max(this.#heldUntil, Date.now() + milliseconds);
        this.#next();
    }

    #next() {
        const rest = this.#heldUntil - Date.now();
        if (rest > 0) {
            clearTimeout(this.#timer);
            this.#timer = setTimeout(() => this.#next(), rest);
            return;
        }
        while (this.#running < this.#limit && this.#waiting.length > 0) {
            const { task } = this.#waiting.shift();
            this.#running++;
            // a task tells its own failures; one that throws must still make room
            Promise.resolve()
                .then(task)
                .catch((error) => console.error(error))
                .finally(() => {
                    this.#running--;
                    this.#next();
                });
        }
    }
}

// Calls once things have been quiet for so long
export function debounce(milliseconds, call) {
    let timer = null;
    return () => {
        clearTimeout(timer);
        timer = setTimeout(call, milliseconds);
    };
}

// Events of the last seconds -> how many a second
export class Rate {
    #times = [];
    #window;

    constructor(windowMilliseconds = 2000) {
        this.#window = windowMilliseconds;
    }

    tick(now) {
        this.#times.push(now);
        while (now - this.#times[0] > this.#window) {
            this.#times.shift();
        }
    }

    // 0 until there are two to measure between
    perSecond() {
        const span = this.#times.at(-1) - this.#times[0];
        return span > 0 ? ((this.#times.length - 1) * 1000) / span : 0;
    }
}

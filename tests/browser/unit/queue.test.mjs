// The queue: no more at a time than it may, in order, out again, held; and the two small clocks beside it.
import assert from 'node:assert/strict';
import test from 'node:test';
import { debounce, Queue, Rate } from '../../../host/serve/page/queue.mjs';

function gate() {
    let open;
    const promise = new Promise((resolve) => (open = resolve));
    return { promise, open };
}

// A clock of our own: what node 18 and 20 mock of timers differs
function stopClock(t) {
    const real = { setTimeout, clearTimeout, now: Date.now };
    let now = 1e12;
    let timers = [];
    globalThis.setTimeout = (call, ms) => {
        const timer = { call, at: now + ms };
        timers.push(timer);
        return timer;
    };
    globalThis.clearTimeout = (timer) => (timers = timers.filter((other) => other !== timer));
    Date.now = () => now;
    t.after(() => {
        globalThis.setTimeout = real.setTimeout;
        globalThis.clearTimeout = real.clearTimeout;
        Date.now = real.now;
    });
    return (ms) => {
        now += ms;
        const due = timers.filter((timer) => timer.at <= now);
        timers = timers.filter((timer) => timer.at > now);
        due.forEach((timer) => timer.call());
    };
}

const settle = () => new Promise((resolve) => setImmediate(resolve));

test('no more than the limit at a time, in order; a failure makes room', async (t) => {
    t.mock.method(console, 'error', () => {});
    const queue = new Queue(2);
    const gates = [gate(), gate(), gate(), gate()];
    const began = [];
    gates.forEach((g, i) =>
        queue.add(async () => {
            began.push(i);
            await g.promise;
            if (i === 0) {
                throw new Error('failed');
            }
        }),
    );
    await settle();
    assert.deepEqual(began, [0, 1]);
    assert.equal(queue.running, 2);
    assert.equal(queue.waiting, 2);
    gates[0].open();
    await settle();
    assert.deepEqual(began, [0, 1, 2]);
    gates.forEach((g) => g.open());
    await settle();
    await settle();
    assert.deepEqual(began, [0, 1, 2, 3]);
    assert.equal(queue.running, 0);
});

test('first goes before those that wait, and what was removed does not run', async () => {
    const queue = new Queue(1);
    const g = gate();
    const began = [];
    queue.add(() => g.promise);
    const second = queue.add(async () => began.push('second'));
    queue.add(async () => began.push('third'));
    queue.add(async () => began.push('first'), true);
    assert.ok(queue.remove(second));
    assert.ok(!queue.remove(second));
    assert.ok(!queue.remove(null));
    g.open();
    for (let i = 0; i < 4; i++) {
        await settle();
    }
    assert.deepEqual(began, ['first', 'third']);
});

test('held, nothing starts until the time is over', async (t) => {
    const tick = stopClock(t);
    const queue = new Queue(1);
    let ran = false;
    queue.hold(1000);
    queue.hold(10); // a shorter hold does not cut a longer one
    queue.add(async () => (ran = true));
    tick(999);
    await settle();
    assert.ok(!ran);
    tick(1);
    await settle();
    assert.ok(ran);
});

test('debounce calls once, after the last', (t) => {
    const tick = stopClock(t);
    let calls = 0;
    const call = debounce(100, () => calls++);
    call();
    tick(99);
    call();
    tick(99);
    assert.equal(calls, 0);
    tick(1);
    assert.equal(calls, 1);
});

test('a rate is that of the window', () => {
    const rate = new Rate(1000);
    assert.equal(rate.perSecond(), 0);
    rate.tick(0);
    assert.equal(rate.perSecond(), 0);
    for (let i = 1; i <= 10; i++) {
        rate.tick(i * 100);
    }
    assert.equal(rate.perSecond(), 10);
    rate.tick(5000); // a long silence: the old ones no longer count
    assert.equal(rate.perSecond(), 0);
    rate.tick(5500);
    assert.equal(rate.perSecond(), 2);
});

// What the server answers: the line of `vkdet detect`, and the times of its stages.

// The pieces of the array "detections" as they are written. A quote within a string is escaped, so the key cannot
// occur in one; braces can, and are passed over.
function pieces(line) {
    const key = '"detections":[';
    const start = line.indexOf(key);
    if (start < 0) {
        return null;
    }
    const begin = start + key.length;
    const texts = [];
    let depth = 0;
    let from = begin;
    let inString = false;
    for (let i = begin; i < line.length; i++) {
        const c = line[i];
        if (inString) {
            if (c === '\\') {
                i++;
            } else if (c === '"') {
                inString = false;
            }
        } else if (c === '"') {
            inString = true;
        } else if (c === '{') {
            from = depth === 0 ? i : from;
            depth++;
        } else if (c === '}') {
            depth--;
            if (depth === 0) {
                texts.push(line.slice(from, i + 1));
            }
        } else if (c === ']' && depth === 0) {
            return { head: line.slice(0, begin), texts, tail: line.slice(i) };
        }
    }
    return null;
}

// A line becomes its object, with the text of every detection kept beside it. Throws where it is none.
export function readAnswer(text) {
    const line = text.replace(/\r?\n$/, '');
    const object = JSON.parse(line);
    if (object.error) {
        return { image: object.image, error: object.error, line };
    }
    const found = pieces(line);
    if (!Array.isArray(object.detections) || !found || found.texts.length !== object.detections.length) {
        throw new SyntaxError('no list of detections');
    }
    const { image, width, height, orientation } = object;
    const detections = object.detections.map((d, i) => ({ ...d, text: found.texts[i] }));
    return { image, width, height, orientation, detections, line, head: found.head, tail: found.tail };
}

// Detections above a threshold. Scores are single precision and the threshold is double, as in the engine. For a
// threshold above the one that was asked for this is what the server would answer: a box is only ever suppressed, or
// pushed out of the list, by one with a higher score.
export function above(detections, confidence) {
    return detections.filter((d) => Math.fround(d.score) > confidence);
}

// The line that the server would have answered for that threshold, byte for byte
export function lineAbove(answer, confidence) {
    const texts = above(answer.detections, confidence).map((d) => d.text);
    return answer.head + texts.join(',') + answer.tail;
}

// Whether an answer that was got with some settings holds for others, by leaving out the weak ones at most
export function stillHolds(asked, wanted) {
    return (
        asked.model === wanted.model &&
        asked.version === wanted.version &&
        asked.iou === wanted.iou &&
        asked.labels === wanted.labels &&
        asked.conf <= wanted.conf
    );
}

// `Server-Timing: decode;dur=1.5, queue;dur=0` -> { decode: 1.5, queue: 0 }
export function readTimes(header) {
    const times = {};
    for (const entry of (header ?? '').split(',')) {
        const [name, ...parameters] = entry.split(';').map((part) => part.trim());
        const duration = parameters.find((part) => part.startsWith('dur='));
        const value = Number(duration?.slice(4).replaceAll('"', ''));
        if (name && Number.isFinite(value)) {
            times[name] = value;
        }
    }
    return times;
}

// The whole time of a request, cut into what the server tells and what is left for the way there and back
export function stages(times, roundTrip) {
    const { decode = 0, queue = 0, compute = 0 } = times;
    const total = Math.max(times.total ?? 0, decode + queue + compute);
    return [
        { name: 'decode', ms: decode },
        { name: 'queue', ms: queue },
        { name: 'compute', ms: compute },
        { name: 'other', ms: total - decode - queue - compute },
        { name: 'travel', ms: Math.max(0, roundTrip - total) },
    ];
}

// How many of each class, in order of class: Map of class_id -> count
export function countByClass(detections) {
    const counts = new Map();
    for (const d of [...detections].sort((a, b) => a.class_id - b.class_id)) {
        counts.set(d.class_id, (counts.get(d.class_id) ?? 0) + 1);
    }
    return counts;
}

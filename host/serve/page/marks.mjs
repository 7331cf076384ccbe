// Boxes with their labels, on any canvas. unit: how many of its pixels a CSS pixel has.

const LINE = 2.5;
const TEXT = 13;
const PAD = 5;
export const FONT = 'system-ui, "PingFang SC", "Noto Sans SC", "Microsoft YaHei", "WenQuanYi Micro Hei", sans-serif';

const apart = (a, b) =>
    a.x >= b.x + b.width || b.x >= a.x + a.width || a.y >= b.y + b.height || b.y >= a.y + a.height;

// Where a label goes: above its box, else below it or within it, wherever it lies on the canvas and hides no other
// label; above, or as near to that as the canvas allows, where there is no such place.
export function labelPlace([left, top, right, bottom], { width, height }, canvas, taken = []) {
    const within = (x, y) => ({
        x: Math.max(0, Math.min(x, canvas.width - width)),
        y: Math.max(0, Math.min(y, canvas.height - height)),
        width,
        height,
    });
    const rows = [top - height, bottom, top, bottom - height].filter((y) => y >= 0 && y + height <= canvas.height);
    const places = (rows.length > 0 ? rows : [top]).flatMap((y) => [within(left, y), within(right - width, y)]);
    return places.find((place) => taken.every((other) => apart(place, other))) ?? places[0];
}

// The smallest box that holds a point, so that one within another can be reached; -1 where there is none
export function boxAt(boxes, x, y) {
    let best = -1;
    let bestArea = Infinity;
    boxes.forEach(([left, top, right, bottom], i) => {
        const area = (right - left) * (bottom - top);
        if (x >= left && x <= right && y >= top && y <= bottom && area < bestArea) {
            best = i;
            bestArea = area;
        }
    });
    return best;
}

function paintBox(context, [left, top, right, bottom], mark, unit, strong) {
    const line = LINE * unit * (strong ? 1.6 : 1);
    context.lineJoin = 'round';
    // a light edge around the line, for dark pictures
    context.strokeStyle = 'rgba(255, 255, 255, 0.85)';
    context.lineWidth = line + 2 * unit;
    context.strokeRect(left, top, right - left, bottom - top);
    context.strokeStyle = mark.colour;
    context.lineWidth = line;
    context.strokeRect(left, top, right - left, bottom - top);
}

function paintLabel(context, place, mark, unit) {
    context.fillStyle = mark.colour;
    context.beginPath();
    context.roundRect(place.x, place.y, place.width, place.height, 3 * unit);
    context.fill();
    context.fillStyle = 'white';
    context.textBaseline = 'middle';
    context.fillText(mark.text, place.x + PAD * unit, place.y + place.height / 2 + 0.5 * unit);
}

// marks: { box in picture pixels, colour, text }, strongest first; highlighted: index of the one looked at, or -1
export function paintMarks(context, marks, scaleX, scaleY, unit, highlighted = -1) {
    context.font = `600 ${TEXT * unit}px ${FONT}`;
    const taken = [];
    const painted = marks.map((mark, i) => {
        const [left, top, right, bottom] = mark.box;
        const box = [left * scaleX, top * scaleY, right * scaleX, bottom * scaleY];
        const size = { width: context.measureText(mark.text).width + 2 * PAD * unit, height: (TEXT + 7) * unit };
        const edge = (LINE / 2) * unit;
        const place = labelPlace([box[0] - edge, box[1], box[2] + edge, box[3]], size, context.canvas, taken);
        taken.push(place);
        return { mark, box, place, strong: i === highlighted };
    });
    // the strongest on top of the others, the one that is looked at on top of all, labels on top of boxes
    painted.reverse().sort((a, b) => a.strong - b.strong);
    const faded = (strong) => (highlighted >= 0 && !strong ? 0.35 : 1);
    for (const { mark, box, strong } of painted) {
        context.globalAlpha = faded(strong);
        paintBox(context, box, mark, unit, strong);
    }
    for (const { mark, place, strong } of painted) {
        context.globalAlpha = faded(strong);
        paintLabel(context, place, mark, unit);
    }
    context.globalAlpha = 1;
}

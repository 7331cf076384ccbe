// Boxes with their labels, on any canvas. unit: how many of its pixels a CSS pixel has.

const LINE = 2.5;
const TEXT = 13;
const PAD = 5;
export const FONT = 'system-ui, "PingFang SC", "Noto Sans SC", "Microsoft YaHei", "WenQuanYi Micro Hei", sans-serif';

// Where a label goes: above its box, inside it where there is no room above, and within the canvas if it fits at all.
export function labelPlace(box, size, canvas) {
    const [left, top] = box;
    const x = Math.max(0, Math.min(left, canvas.width - size.width));
    const y = top - size.height >= 0 ? top - size.height : Math.max(0, top);
    return { x, y: Math.max(0, Math.min(y, canvas.height - size.height)) };
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

function paintLabel(context, box, mark, unit) {
    context.font = `600 ${TEXT * unit}px ${FONT}`;
    const size = {
        width: context.measureText(mark.text).width + 2 * PAD * unit,
        height: (TEXT + 7) * unit,
    };
    const place = labelPlace([box[0] - (LINE / 2) * unit, box[1]], size, context.canvas);
    context.fillStyle = mark.colour;
    context.beginPath();
    context.roundRect(place.x, place.y, size.width, size.height, 3 * unit);
    context.fill();
    context.fillStyle = 'white';
    context.textBaseline = 'middle';
    context.fillText(mark.text, place.x + PAD * unit, place.y + size.height / 2 + 0.5 * unit);
}

// marks: { box in picture pixels, colour, text }, strongest first; highlighted: index of the one looked at, or -1
export function paintMarks(context, marks, scaleX, scaleY, unit, highlighted = -1) {
    const painted = marks.map((mark, i) => ({ mark, strong: i === highlighted }));
    // the strongest on top of the others, and the one that is looked at on top of all
    painted.reverse().sort((a, b) => a.strong - b.strong);
    for (const { mark, strong } of painted) {
        const [left, top, right, bottom] = mark.box;
        const box = [left * scaleX, top * scaleY, right * scaleX, bottom * scaleY];
        context.globalAlpha = highlighted >= 0 && !strong ? 0.35 : 1;
        paintBox(context, box, mark, unit, strong);
        paintLabel(context, box, mark, unit);
    }
    context.globalAlpha = 1;
}

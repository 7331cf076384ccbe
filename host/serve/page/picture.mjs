// From a file to something that a canvas can draw, upright as the server sees it.
import { uprightMatrix, uprightSize } from './orientation.mjs';

const IDENTITY = uprightMatrix(1, 0, 0);

function shown(source, matrix, width, height) {
    return { source, matrix, width, height, close: () => source.close?.() };
}

export function shownCanvas(canvas) {
    return shown(canvas, IDENTITY, canvas.width, canvas.height);
}

// Before there is an answer: as the browser would turn it. Throws where it cannot decode the file.
export async function decodePreview(blob) {
    const bitmap = await createImageBitmap(blob, { imageOrientation: 'from-image' });
    return shown(bitmap, IDENTITY, bitmap.width, bitmap.height);
}

// With one: stored pixels, turned by what the answer says, so that the boxes lie right whatever the browser makes of
// the file. Where it makes another size of it, or nothing, the server's own decoding is asked for.
export async function decodeUpright(blob, answer, askPlain) {
    let bitmap = null;
    try {
        bitmap = await createImageBitmap(blob, { imageOrientation: 'none' });
    } catch {
        // a format that the browser lacks
    }
    if (bitmap) {
        const [width, height] = uprightSize(answer.orientation, bitmap.width, bitmap.height);
        if (width === answer.width && height === answer.height) {
            const matrix = uprightMatrix(answer.orientation, bitmap.width, bitmap.height);
            return shown(bitmap, matrix, width, height);
        }
        bitmap.close();
    }
    return decodePreview(await askPlain());
}

// Draws it with its left upper corner at the origin
export function drawPicture(context, picture, scaleX, scaleY) {
    context.save();
    context.scale(scaleX, scaleY);
    context.transform(...picture.matrix);
    context.drawImage(picture.source, 0, 0);
    context.restore();
}

// A small canvas with the picture in it, no larger than asked for
export function thumbnail(picture, width, height) {
    const scale = Math.min(width / picture.width, height / picture.height, 1);
    const canvas = document.createElement('canvas');
    canvas.width = Math.max(1, Math.round(picture.width * scale));
    canvas.height = Math.max(1, Math.round(picture.height * scale));
    const context = canvas.getContext('2d');
    context.imageSmoothingQuality = 'high';
    drawPicture(context, picture, canvas.width / picture.width, canvas.height / picture.height);
    return canvas;
}

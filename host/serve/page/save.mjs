// What can be taken away: the answers as text, the picture with its boxes.
import { lineAbove } from './answer.mjs';

export function saveBlob(blob, name) {
    const link = document.createElement('a');
    link.href = URL.createObjectURL(blob);
    link.download = name;
    link.click();
    // the browser has it once the click was handled
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

// The line of a picture, as the server answers it with the threshold that is set; its error where it failed.
export function pictureLine(picture, confidence) {
    if (picture.error) {
        const { name = picture.error.kind, detail = '' } = picture.error;
        const error = { status: name, message: detail || picture.error.kind };
        return JSON.stringify({ schema: 1, image: picture.name, index: 0, error });
    }
    return lineAbove(picture.reply.answer, confidence);
}

export function saveLines(pictures, confidence, name) {
    const text = pictures.map((picture) => `${pictureLine(picture, confidence)}\n`).join('');
    saveBlob(new Blob([text], { type: 'application/json' }), name);
}

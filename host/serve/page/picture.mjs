// From a file to something that a canvas can draw, upright as the server sees it.

function shown(source) {
    return { source, width: source.width, height: source.height, close: () => source.close?.() };
}

export const shownCanvas = (canvas) => shown(canvas);

// As the browser turns it. Throws where it cannot decode the file.
export async function decodePicture(blob) {
    return shown(await createImageBitmap(blob, { imageOrientation: 'from-image' }));
}

async function isJpeg(blob) {
    const [first, second] = new Uint8Array(await blob.slice(0, 2).arrayBuffer());
    return first === 0xff && second === 0xd8;
}

// As the boxes of an answer need it. All browsers turn JPEGs by their EXIF orientation as the server does; of other
// formats only some do, so a turned one of those is asked of the server, as decoded and turned there. So is one that
// comes out in another size here, or not at all. already: what decodePicture() made of it before, or null.
export async function decodeUpright(blob, answer, askPlain, already = null) {
    let picture = already;
    if (answer.orientation === 1 || (await isJpeg(blob))) {
        picture ??= await decodePicture(blob).catch(() => null);
        if (picture?.width === answer.width && picture?.height === answer.height) {
            return picture;
        }
    }
    return decodePicture(await askPlain());
}

// A small canvas with the picture in it, no larger than asked for
export function thumbnail(picture, width, height) {
    const scale = Math.min(width / picture.width, height / picture.height, 1);
    const canvas = document.createElement('canvas');
    canvas.width = Math.max(1, Math.round(picture.width * scale));
    canvas.height = Math.max(1, Math.round(picture.height * scale));
    const context = canvas.getContext('2d');
    context.imageSmoothingQuality = 'high';
    context.drawImage(picture.source, 0, 0, canvas.width, canvas.height);
    return canvas;
}

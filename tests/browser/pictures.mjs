// Pictures made from the samples: turned ones with EXIF, raw ones, and a film for Chromium's fake camera.
import { readFileSync } from 'node:fs';

// RGBA of a picture file that the browser knows. Bytes travel as base64: as numbers they take seconds.
export async function readPixels(page, bytes) {
    const pixels = await page.evaluate(async (base64) => {
        const blob = new Blob([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))]);
        const bitmap = await createImageBitmap(blob);
        const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
        canvas.getContext('2d').drawImage(bitmap, 0, 0);
        const { data, width, height } = canvas.getContext('2d').getImageData(0, 0, bitmap.width, bitmap.height);
        return { width, height, data: btoa(Array.from(data, (b) => String.fromCharCode(b)).join('')) };
    }, Buffer.from(bytes).toString('base64'));
    return { ...pixels, data: Buffer.from(pixels.data, 'base64') };
}

// A JPEG whose stored pixels are the picture turned back, so that orientation n makes it upright again
export async function orientedJpeg(page, path, n) {
    const base64 = await page.evaluate(
        async ([png, orientation]) => {
            const blob = new Blob([Uint8Array.from(atob(png), (c) => c.charCodeAt(0))]);
            const upright = await createImageBitmap(blob);
            const [w, h] = [upright.width, upright.height];
            const swapped = orientation >= 5;
            const canvas = new OffscreenCanvas(swapped ? h : w, swapped ? w : h);
            const context = canvas.getContext('2d');
            // from the upright picture to the stored one, by EXIF's table
            const back = {
                1: [1, 0, 0, 1, 0, 0],
                2: [-1, 0, 0, 1, w, 0],
                3: [-1, 0, 0, -1, w, h],
                4: [1, 0, 0, -1, 0, h],
                5: [0, 1, 1, 0, 0, 0],
                6: [0, -1, 1, 0, 0, w],
                7: [0, -1, -1, 0, h, w],
                8: [0, 1, -1, 0, h, 0],
            }[orientation];
            context.setTransform(...back);
            context.drawImage(upright, 0, 0);
            const jpeg = await canvas.convertToBlob({ type: 'image/jpeg', quality: 0.95 });
            const bytes = new Uint8Array(await jpeg.arrayBuffer());
            return btoa(Array.from(bytes, (b) => String.fromCharCode(b)).join(''));
        },
        [readFileSync(path).toString('base64'), n],
    );
    const jpeg = Buffer.from(base64, 'base64');
    // APP1 behind the first marker: a TIFF header and one entry, tag 0x112, SHORT
    const exif = Buffer.from(`FFE10022457869660000${'4D4D002A00000008'}${'0001'}${'011200030000000100' + '0' + n + '0000'}00000000`, 'hex');
    return Buffer.concat([jpeg.subarray(0, 2), exif, jpeg.subarray(2)]);
}

export function portablePixmap({ width, height, data }) {
    const rgb = Buffer.alloc(width * height * 3);
    for (let i = 0; i < width * height; i++) {
        rgb.set([data[4 * i], data[4 * i + 1], data[4 * i + 2]], 3 * i);
    }
    return Buffer.concat([Buffer.from(`P6\n${width} ${height}\n255\n`), rgb]);
}

// Film in the form YUV4MPEG2, BT.601 in its limited range: one picture, again and again
export function film({ width, height, data }, frames = 3) {
    const luma = Buffer.alloc(width * height);
    const [cb, cr] = [Buffer.alloc((width * height) / 4), Buffer.alloc((width * height) / 4)];
    const clamp = (v) => Math.max(0, Math.min(255, Math.round(v)));
    for (let y = 0; y < height; y++) {
        for (let x = 0; x < width; x++) {
            const i = y * width + x;
            const [r, g, b] = [data[4 * i], data[4 * i + 1], data[4 * i + 2]];
            luma[i] = clamp(16 + (65.481 * r + 128.553 * g + 24.966 * b) / 255);
            if (x % 2 === 0 && y % 2 === 0) {
                const half = (y / 2) * (width / 2) + x / 2;
                cb[half] = clamp(128 + (-37.797 * r - 74.203 * g + 112 * b) / 255);
                cr[half] = clamp(128 + (112 * r - 93.786 * g - 18.214 * b) / 255);
            }
        }
    }
    const frame = Buffer.concat([Buffer.from('FRAME\n'), luma, cb, cr]);
    const head = Buffer.from(`YUV4MPEG2 W${width} H${height} F25:1 Ip A1:1 C420jpeg\n`);
    return Buffer.concat([head, ...Array(frames).fill(frame)]);
}

// The colour of a class: a mask is green and none is red, whatever the language; every other class has a colour of its
// own that follows from its number alone, so that it stays the same from picture to picture.
// All of them are dark enough for white letters (contrast 4.5 and more).

const NAMED = { mask: [18, 129, 59], no_mask: [207, 34, 34] };
const GOLDEN_ANGLE = 137.508; // neighbours in number are far apart in hue
const LIGHTNESS = [0.44, 0.34, 0.52];
export const CONTRAST = 4.5;

function linear(channel) {
    const c = channel / 255;
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
}

// WCAG's contrast of a colour with white
export function contrastWithWhite([r, g, b]) {
    return 1.05 / (0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b) + 0.05);
}

function fromHsl(hue, saturation, lightness) {
    const chroma = saturation * Math.min(lightness, 1 - lightness);
    return [0, 8, 4].map((offset) => {
        const k = (offset + hue / 30) % 12;
        return Math.round(255 * (lightness - chroma * Math.max(-1, Math.min(k - 3, 9 - k, 1))));
    });
}

// The English name is what tells masks apart, as in the program.
export function classColour(id, englishName) {
    if (Object.hasOwn(NAMED, englishName ?? '')) {
        return NAMED[englishName];
    }
    const hue = (210 + id * GOLDEN_ANGLE) % 360;
    for (let lightness = LIGHTNESS[id % LIGHTNESS.length]; ; lightness -= 0.01) {
        const rgb = fromHsl(hue, 0.72, lightness);
        if (contrastWithWhite(rgb) >= CONTRAST) {
            return rgb;
        }
    }
}

export function css([r, g, b]) {
    return `rgb(${r}, ${g}, ${b})`;
}

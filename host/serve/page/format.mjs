// Numbers as the page writes them.

export function milliseconds(ms) {
    if (ms >= 1000) {
        return `${(ms / 1000).toFixed(2)} s`;
    }
    return `${ms >= 100 ? ms.toFixed(0) : ms >= 10 ? ms.toFixed(1) : ms.toFixed(2)} ms`;
}

export function bytes(size) {
    const units = ['B', 'kB', 'MB', 'GB'];
    let unit = 0;
    while (size >= 1000 && unit < units.length - 1) {
        size /= 1000;
        unit++;
    }
    return `${unit === 0 || size >= 100 ? Math.round(size) : size.toFixed(1)} ${units[unit]}`;
}

// Never rounded up to a certainty that the network did not claim.
export function score(value) {
    return (Math.floor(value * 1000) / 1000).toFixed(3);
}

export function threshold(value) {
    return value.toFixed(2);
}

export function box([left, top, right, bottom]) {
    return `${Math.round(left)}, ${Math.round(top)} – ${Math.round(right)}, ${Math.round(bottom)}`;
}

// "photo.tga" -> "photo", for the name of what is saved
export function stem(name) {
    return name.replace(/^.*[/\\]/, '').replace(/\.[^.]*$/, '') || 'picture';
}

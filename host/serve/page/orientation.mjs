// EXIF orientation as the server applies it: its answer says which, and its boxes are those of the upright picture.

// From stored pixels to the upright picture, as [a, b, c, d, e, f] of canvas: x' = a x + c y + e, y' = b x + d y + f,
// for a stored picture of width w and height h.
export function uprightMatrix(orientation, w, h) {
    switch (orientation) {
        case 2:
            return [-1, 0, 0, 1, w, 0];
        case 3:
            return [-1, 0, 0, -1, w, h];
        case 4:
            return [1, 0, 0, -1, 0, h];
        case 5:
            return [0, 1, 1, 0, 0, 0];
        case 6:
            return [0, 1, -1, 0, h, 0];
        case 7:
            return [0, -1, -1, 0, h, w];
        case 8:
            return [0, -1, 1, 0, 0, w];
        default:
            return [1, 0, 0, 1, 0, 0];
    }
}

export function uprightSize(orientation, w, h) {
    return orientation >= 5 && orientation <= 8 ? [h, w] : [w, h];
}

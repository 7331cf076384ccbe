/* Which source cells an output cell of a resize reads, in whole numbers: engine/sampling.h, word
 * for word. So positions equal those of double arithmetic, whatever the width. */
struct sample_cells {
    uint first;
    uint second;
    float part; /* value = first + (second - first) * part */
};

/* source = i * in / out */
sample_cells sample_stretch(uint count, uint cells, uint i)
{
    uint position = i * count;
    uint first = position / cells;
    return sample_cells(first, min(first + 1, count - 1),
                        float(position - first * cells) / float(cells));
}

/* source = ((2 i + 1) * in - out) / (2 out), 0 where that is negative */
sample_cells sample_half_pixel(uint count, uint cells, uint i)
{
    uint position = (2 * i + 1) * count;
    position = position > cells ? position - cells : 0;
    uint first = position / (2 * cells);
    return sample_cells(first, min(first + 1, count - 1),
                        float(position - first * 2 * cells) / float(2 * cells));
}

/* source = i * (in - 1) / (out - 1), 0 when out is 1 */
sample_cells sample_align_corners(uint count, uint cells, uint i)
{
    uint steps = cells > 1 ? cells - 1 : 1;
    uint position = i * (count - 1);
    uint first = position / steps;
    return sample_cells(first, min(first + 1, count - 1),
                        float(position - first * steps) / float(steps));
}

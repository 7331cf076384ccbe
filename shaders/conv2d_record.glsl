/* The record that begins the packed weights of a convolution's branch. */
conv2d_record read_record(uint at)
{
    conv2d_record r;
    r.act = activation_words(weight_words[at], weights[at + 1], weights[at + 2], weights[at + 3]);
    r.channels = weight_words[at + 4];
    r.flags = weight_words[at + 5];
    r.source_offset = weight_words[at + 6];
    r.map_words = weight_words[at + 7];
    r.map_offset = weight_words[at + 8];
    r.map_stride = weight_words[at + 9];
    r.second_words = weight_words[at + 10];
    r.second_offset = weight_words[at + 11];
    r.second_stride = weight_words[at + 12];
    return r;
}

/* four input channels of a pixel, or the first few of them, times their weights for four output
 * channels */
vec4 multiply(vec4 v, uint inputs, vec4 w0, vec4 w1, vec4 w2, vec4 w3, vec4 sum)
{
    sum = fma(v.xxxx, w0, sum);
    if (inputs > 1) {
        sum = fma(v.yyyy, w1, sum);
    }
    if (inputs > 2) {
        sum = fma(v.zzzz, w2, sum);
    }
    return inputs > 3 ? fma(v.wwww, w3, sum) : sum;
}

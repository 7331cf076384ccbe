/* four input channels of a pixel times their weights for four output channels */
vec4 multiply(vec4 v, vec4 w0, vec4 w1, vec4 w2, vec4 w3, vec4 sum)
{
    sum = fma(v.xxxx, w0, sum);
    sum = fma(v.yyyy, w1, sum);
    sum = fma(v.zzzz, w2, sum);
    return fma(v.wwww, w3, sum);
}

/* Winograd's F(4x4, 3x3): a tile of 4x4 pixels of the map is
 *     A^T [ sum over the input channels of (G g G^T) * (B^T d B) ] A
 * with d the 6x6 pixels of the source under it, g the kernel and * element by element: 36 products
 * instead of 144 for each pair of channels. Three kernels compute it: winograd_input B^T d B,
 * winograd_product the sums, winograd_output the rest; G g G^T is packed (engine/plan/pack.c).
 *
 * The polynomials are evaluated at 0, +-a, +-b and infinity, a = 3/4, b = 3/2. The usual 1 and 2 need
 * fewer multiplications, but their errors are three times as large; here a b is close to 1, which
 * balances the transforms, and every coefficient is exact. With row(p) = p^0 .. p^2 over the product
 * of p's distances to the other finite points in G:
 *     B^T = [ a^2 b^2       0    -a^2 - b^2       0       1  0 ]        A^T = [ 1   1    1   1    1  0 ]
 *           [       0  -a b^2          -b^2       a       1  0 ]              [ 0   a   -a   b   -b  0 ]
 *           [       0   a b^2          -b^2      -a       1  0 ]              [ 0  a^2 a^2  b^2 b^2  0 ]
 *           [       0  -a^2 b          -a^2       b       1  0 ]              [ 0  a^3 -a^3 b^3 -b^3 1 ]
 *           [       0   a^2 b          -a^2      -b       1  0 ]
 *           [       0  a^2 b^2  0          -a^2 - b^2     0  1 ]
 *
 * Included after common.glsl. */
const float A1 = WINOGRAD_A, A2 = A1 * A1, A3 = A2 * A1;
const float B1 = WINOGRAD_B, B2 = B1 * B1, B3 = B2 * B1;

layout(constant_id = SPEC_WINOGRAD_LANES) const uint LANES = 32;

layout(std430, set = 0, binding = BINDING_REQUEST) readonly buffer request_block
{
    request_header request;
};

/* A tile of the batch, of `tiles` an image, of which the first is the map's `first`: the image, and
 * the tile's upper left pixel in the map. */
struct tile_place {
    uint image, y, x;
};

tile_place place_tile(uint tile, uint tiles, uint tiles_x, uint first)
{
    tile_place p;
    p.image = tile / tiles;
    uint own = tile - p.image * tiles + first;
    p.y = own / tiles_x;
    p.x = (own - p.y * tiles_x) * WINOGRAD_TILE;
    p.y *= WINOGRAD_TILE;
    return p;
}

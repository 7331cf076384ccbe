/* What the peak kernels share: two buffers, the work to do, and a number that no sum equals, so
 * that a result is needed and yet never written. host/vulkan/peaks.c drives them. */
layout(local_size_x_id = 0, local_size_y_id = 1, local_size_z_id = 2) in;

layout(push_constant) uniform push_block
{
    peak_push push;
};

/* The table of oneDNN's functions, and what its answers mean here. */
#include "host/cpu/onednn.h"

const onednn_calls onednn_library = {
    .engine_create = dnnl_engine_create,
    .engine_destroy = dnnl_engine_destroy,
    .stream_create = dnnl_stream_create,
    .stream_destroy = dnnl_stream_destroy,
    .memory_create = dnnl_memory_create,
    .memory_set = dnnl_memory_set_data_handle,
    .memory_destroy = dnnl_memory_destroy,
    .attr_create = dnnl_primitive_attr_create,
    .attr_destroy = dnnl_primitive_attr_destroy,
    .post_ops_create = dnnl_post_ops_create,
    .post_ops_destroy = dnnl_post_ops_destroy,
    .desc_create = dnnl_primitive_desc_create,
    .reorder_desc_create = dnnl_reorder_primitive_desc_create,
    .desc_destroy = dnnl_primitive_desc_destroy,
    .primitive_create = dnnl_primitive_create,
    .primitive_destroy = dnnl_primitive_destroy,
    .execute = dnnl_primitive_execute,
};

status onednn_status(dnnl_status_t code, const char *what, error *err)
{
    switch (code) {
    case dnnl_success:
        return STATUS_OK;
    case dnnl_out_of_memory:
        return error_set(err, STATUS_MEMORY, "oneDNN: %s: out of memory", what);
    case dnnl_unimplemented:
        return error_set(err, STATUS_UNSUPPORTED, "oneDNN: %s: this CPU lacks what it needs", what);
    default:
        return error_set(err, STATUS_DEVICE, "oneDNN: %s failed with status %d", what, (int)code);
    }
}

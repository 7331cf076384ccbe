/* oneDNN's functions with a counter in front: the N-th that may fail reports that memory ran out,
 * and what was made must be destroyed. */
#include "tests/cpu/rig.h"

#include <stdatomic.h>

static atomic_size_t calls, fail_at, live;
static atomic_bool failed;

void shim_arm(size_t at)
{
    atomic_store(&calls, 0);
    atomic_store(&fail_at, at);
    atomic_store(&failed, false);
    atomic_store(&live, 0);
}

bool shim_failed(void)
{
    return atomic_load(&failed);
}

size_t shim_live(void)
{
    return atomic_load(&live);
}

static bool fails(void)
{
    const bool now = atomic_fetch_add(&calls, 1) + 1 == atomic_load(&fail_at);
    if (now) {
        atomic_store(&failed, true);
    }
    return now;
}

static dnnl_status_t made(dnnl_status_t code)
{
    atomic_fetch_add(&live, code == dnnl_success);
    return code;
}

static dnnl_status_t gone(dnnl_status_t code)
{
    atomic_fetch_sub(&live, 1);
    return code;
}

static dnnl_status_t engine_create(dnnl_engine_t *out, dnnl_engine_kind_t kind, size_t index)
{
    return fails() ? dnnl_out_of_memory : made(dnnl_engine_create(out, kind, index));
}
static dnnl_status_t engine_destroy(dnnl_engine_t e)
{
    return gone(dnnl_engine_destroy(e));
}
static dnnl_status_t stream_create(dnnl_stream_t *out, dnnl_engine_t e, unsigned flags)
{
    return fails() ? dnnl_out_of_memory : made(dnnl_stream_create(out, e, flags));
}
static dnnl_status_t stream_destroy(dnnl_stream_t s)
{
    return gone(dnnl_stream_destroy(s));
}
static dnnl_status_t memory_create(dnnl_memory_t *out, const dnnl_memory_desc_t *desc,
                                   dnnl_engine_t e, void *handle)
{
    return fails() ? dnnl_out_of_memory : made(dnnl_memory_create(out, desc, e, handle));
}
static dnnl_status_t memory_set(dnnl_memory_t m, void *handle)
{
    return fails() ? dnnl_out_of_memory : dnnl_memory_set_data_handle(m, handle);
}
static dnnl_status_t memory_destroy(dnnl_memory_t m)
{
    return gone(dnnl_memory_destroy(m));
}
static dnnl_status_t attr_create(dnnl_primitive_attr_t *out)
{
    return fails() ? dnnl_out_of_memory : made(dnnl_primitive_attr_create(out));
}
static dnnl_status_t attr_destroy(dnnl_primitive_attr_t a)
{
    return gone(dnnl_primitive_attr_destroy(a));
}
static dnnl_status_t post_ops_create(dnnl_post_ops_t *out)
{
    return fails() ? dnnl_out_of_memory : made(dnnl_post_ops_create(out));
}
static dnnl_status_t post_ops_destroy(dnnl_post_ops_t p)
{
    return gone(dnnl_post_ops_destroy(p));
}
static dnnl_status_t desc_create(dnnl_primitive_desc_t *out, const_dnnl_op_desc_t what,
                                 const_dnnl_primitive_attr_t attr, dnnl_engine_t e,
                                 const_dnnl_primitive_desc_t hint)
{
    return fails() ? dnnl_out_of_memory
                   : made(dnnl_primitive_desc_create(out, what, attr, e, hint));
}
static dnnl_status_t reorder_desc_create(dnnl_primitive_desc_t *out, const dnnl_memory_desc_t *from,
                                         dnnl_engine_t from_engine, const dnnl_memory_desc_t *to,
                                         dnnl_engine_t to_engine, const_dnnl_primitive_attr_t attr)
{
    return fails() ? dnnl_out_of_memory
                   : made(dnnl_reorder_primitive_desc_create(out, from, from_engine, to, to_engine,
                                                             attr));
}
static dnnl_status_t desc_destroy(dnnl_primitive_desc_t d)
{
    return gone(dnnl_primitive_desc_destroy(d));
}
static dnnl_status_t primitive_create(dnnl_primitive_t *out, const_dnnl_primitive_desc_t desc)
{
    return fails() ? dnnl_out_of_memory : made(dnnl_primitive_create(out, desc));
}
static dnnl_status_t primitive_destroy(dnnl_primitive_t p)
{
    return gone(dnnl_primitive_destroy(p));
}
static dnnl_status_t execute(const_dnnl_primitive_t p, dnnl_stream_t s, int count,
                             const dnnl_exec_arg_t *arguments)
{
    return fails() ? dnnl_out_of_memory : dnnl_primitive_execute(p, s, count, arguments);
}

const onednn_calls shim_calls = {
    .engine_create = engine_create,
    .engine_destroy = engine_destroy,
    .stream_create = stream_create,
    .stream_destroy = stream_destroy,
    .memory_create = memory_create,
    .memory_set = memory_set,
    .memory_destroy = memory_destroy,
    .attr_create = attr_create,
    .attr_destroy = attr_destroy,
    .post_ops_create = post_ops_create,
    .post_ops_destroy = post_ops_destroy,
    .desc_create = desc_create,
    .reorder_desc_create = reorder_desc_create,
    .desc_destroy = desc_destroy,
    .primitive_create = primitive_create,
    .primitive_destroy = primitive_destroy,
    .execute = execute,
};

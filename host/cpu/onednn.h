/* The functions of oneDNN that this room calls, as one table, so that a test can put itself in
 * between and make any of them fail. */
#ifndef HOST_CPU_ONEDNN_H
#define HOST_CPU_ONEDNN_H

#include "engine/status.h"

#include <dnnl.h>

typedef struct onednn_calls {
    dnnl_status_t (*engine_create)(dnnl_engine_t *, dnnl_engine_kind_t, size_t);
    dnnl_status_t (*engine_destroy)(dnnl_engine_t);
    dnnl_status_t (*stream_create)(dnnl_stream_t *, dnnl_engine_t, unsigned);
    dnnl_status_t (*stream_destroy)(dnnl_stream_t);
    dnnl_status_t (*memory_create)(dnnl_memory_t *, const dnnl_memory_desc_t *, dnnl_engine_t,
                                   void *);
    dnnl_status_t (*memory_set)(dnnl_memory_t, void *);
    dnnl_status_t (*memory_destroy)(dnnl_memory_t);
    dnnl_status_t (*attr_create)(dnnl_primitive_attr_t *);
    dnnl_status_t (*attr_destroy)(dnnl_primitive_attr_t);
    dnnl_status_t (*post_ops_create)(dnnl_post_ops_t *);
    dnnl_status_t (*post_ops_destroy)(dnnl_post_ops_t);
    dnnl_status_t (*desc_create)(dnnl_primitive_desc_t *, const_dnnl_op_desc_t,
                                 const_dnnl_primitive_attr_t, dnnl_engine_t,
                                 const_dnnl_primitive_desc_t);
    dnnl_status_t (*reorder_desc_create)(dnnl_primitive_desc_t *, const dnnl_memory_desc_t *,
                                         dnnl_engine_t, const dnnl_memory_desc_t *, dnnl_engine_t,
                                         const_dnnl_primitive_attr_t);
    dnnl_status_t (*desc_destroy)(dnnl_primitive_desc_t);
    dnnl_status_t (*primitive_create)(dnnl_primitive_t *, const_dnnl_primitive_desc_t);
    dnnl_status_t (*primitive_destroy)(dnnl_primitive_t);
    dnnl_status_t (*execute)(const_dnnl_primitive_t, dnnl_stream_t, int, const dnnl_exec_arg_t *);
} onednn_calls;

/* the library itself */
extern const onednn_calls onednn_library;

/* STATUS_OK, or `code` translated, with "oneDNN: WHAT: ..." as the message */
status onednn_status(dnnl_status_t code, const char *what, error *err);

#endif

/* vkdet_model_plan of the device cpu, which has no plan but a program of its own: it is made,
 * asked, and destroyed. The keys are those of other devices, without what only a plan has (shaders,
 * workgroups, buffers). */
#include "host/api/plan_report.h"

static json_t *step_json(const backend *b, uint32_t index, uint64_t *flops, uint64_t *bytes)
{
    vkdet_step s;
    b->call->step(b, index, &s);
    *flops += s.flops;
    *bytes += s.bytes_read + s.bytes_written;
    return json_pack("{s:I, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I}", "index", (json_int_t)index,
                     "name", s.name, "kernel", s.kernel, "variant", s.variant, "level",
                     (json_int_t)s.level, "flops", (json_int_t)s.flops, "bytes_read",
                     (json_int_t)s.bytes_read, "bytes_written", (json_int_t)s.bytes_written,
                     "weight_bytes", (json_int_t)s.weight_bytes);
}

json_t *plan_report_cpu(backend *b, const model *m, const prepared *ready,
                        const backend_params *session)
{
    json_t *steps = json_array();
    uint64_t flops = 0, bytes = 0;
    bool whole = true;
    uint32_t levels = 0;
    const uint32_t count = b->call->step_count(b);
    for (uint32_t i = 0; i < count; i++) {
        json_t *entry = step_json(b, i, &flops, &bytes);
        levels = (uint32_t)json_integer_value(json_object_get(entry, "level")) + 1;
        whole = json_array_append_new(steps, entry) == 0 && whole;
    }
    if (!whole) { /* out of memory: better no report than one with a hole */
        json_decref(steps);
        return NULL;
    }
    backend_memory memory;
    b->call->memory(b, &memory);
    const uint64_t arenas = memory.arena_bytes * memory.arena_count;
    const vkdet_device_info *device = &ready->device.info;
    return json_pack(
        "{s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "model",
        m->card.name, "device", device->id, "device_name", device->name, "precision",
        vkdet_precision_name(ready->precision), "batch", (json_int_t)session->max_batch, "slots",
        (json_int_t)session->slots, "levels", (json_int_t)levels, "flops_per_image",
        (json_int_t)flops, "activation_bytes_per_image", (json_int_t)bytes, "arena_bytes_per_image",
        (json_int_t)memory.arena_bytes, "arena_bytes", (json_int_t)arenas, "weight_bytes",
        (json_int_t)memory.weight_bytes, "device_bytes", (json_int_t)memory.device_bytes,
        "host_visible_bytes", (json_int_t)memory.host_visible_bytes, "steps", steps);
}

/* How large the buffers of a session are, and what they add up to before any is made. */
#include "host/vulkan/instance.h"
#include "host/vulkan/session.h"
#include "shaders/interface.h"

/* Pictures of the network's size whose pixels have three bytes, or one; rows are padded to words.
 */
static uint64_t input_bytes(const preprocess *p)
{
    const uint64_t channels = p->channels == CHANNELS_GRAY ? 1 : 3;
    return (p->width * channels + 3) / 4 * 4 * p->height;
}

slot_sizes slot_sizes_of(const plan *p, const preprocess *pre, uint32_t max_batch)
{
    const uint64_t batch = max_batch;
    return (slot_sizes){
        .arena = p->arena_words * 4 * batch,
        .request = (REQUEST_HEADER_WORDS + IMAGE_ENTRY_WORDS * batch) * 4,
        .results = (uint64_t)p->result_words * 4 * batch,
        .pixels = input_bytes(pre) * batch,
    };
}

uint64_t readback_words(const plan *p)
{
    uint64_t most = 0;
    for (size_t i = 0; i < p->buffer_count; i++) {
        const bool readable = p->options.keep_all || p->options.keep_outputs;
        if (readable && p->buffers[i].value != GRAPH_NONE && p->buffers[i].words > most) {
            most = p->buffers[i].words;
        }
    }
    if (p->head) {
        const uint64_t candidates = p->buffers[p->keys_buffer].words +
                                    p->buffers[p->boxes_buffer].words +
                                    p->buffers[p->classes_buffer].words;
        most = candidates > most ? candidates : most;
    }
    return most;
}

memory_use weights_use(const physical_device *gpu)
{
    const VkPhysicalDeviceType type = gpu->properties.deviceType;
    const bool near =
        type == VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU || type == VK_PHYSICAL_DEVICE_TYPE_CPU;
    return near && memory_offered(gpu, MEMORY_SHARED_IN) ? MEMORY_SHARED_IN : MEMORY_DEVICE;
}

void vulkan_session_bill(const vulkan_instance *v, uint32_t index, const plan *p,
                         uint32_t max_batch, uint32_t slots, backend_memory *out)
{
    *out = (backend_memory){0};
    if (index >= vulkan_device_count(v)) {
        return;
    }
    const physical_device *gpu = &v->devices[index];
    const slot_sizes bytes = slot_sizes_of(p, p->preprocess, max_batch);
    for (uint32_t i = 0; i < slots; i++) {
        buffer_bill(gpu, MEMORY_DEVICE, bytes.arena, out);
        exchange_bill(gpu, true, bytes.request, out);
        exchange_bill(gpu, false, bytes.results, out);
        exchange_bill(gpu, true, bytes.pixels, out);
    }
    buffer_bill(gpu, weights_use(gpu), p->weight_words * 4, out);
    if (readback_words(p)) {
        buffer_bill(gpu, MEMORY_READBACK, readback_words(p) * 4, out);
    }
}

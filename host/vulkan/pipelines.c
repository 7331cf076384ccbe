/* Pipelines of a plan. */
#include "host/vulkan/pipelines.h"

#include "host/processors.h"
#include "host/vulkan/check.h"
#include "host/vulkan/specialize.h"
#include "shaders/interface.h"
#include "shaders/shaders.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

enum { MAX_COMPILERS = 16 };

/* What vkCreateComputePipelines wants, by distinct pipeline. */
typedef struct build {
    size_t *steps;           /* the first that needs it */
    VkShaderModule *modules; /* by distinct pipeline; one shader's is made once and shared */
    bool *owns_module;
    VkSpecializationInfo *constants;
    VkComputePipelineCreateInfo *infos;
} build;

static bool step_equal(const plan_step *a, const plan_step *b)
{
    return a->constant_count == b->constant_count &&
           memcmp(a->constants, b->constants, a->constant_count * sizeof *a->constants) == 0 &&
           strcmp(a->shader, b->shader) == 0;
}

static void build_destroy(device *d, const allocator *a, build *b, uint32_t count)
{
    for (uint32_t i = 0; b->modules && b->owns_module && i < count; i++) {
        if (b->owns_module[i] && b->modules[i]) {
            d->call.DestroyShaderModule(d->handle, b->modules[i], NULL);
        }
    }
    memory_release(a, b->steps);
    memory_release(a, b->modules);
    memory_release(a, b->owns_module);
    memory_release(a, b->constants);
    memory_release(a, b->infos);
}

status pipelines_layouts(device *d, uint32_t buffers, uint32_t push_bytes,
                         VkDescriptorSetLayout *set_layout, VkPipelineLayout *layout, error *err)
{
    VkDescriptorSetLayoutBinding bindings[BINDING_COUNT];
    assert(buffers <= BINDING_COUNT);
    for (uint32_t i = 0; i < buffers; i++) {
        bindings[i] = (VkDescriptorSetLayoutBinding){
            .binding = i,
            .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
            .descriptorCount = 1,
            .stageFlags = VK_SHADER_STAGE_COMPUTE_BIT,
        };
    }
    const VkDescriptorSetLayoutCreateInfo set_info = {
        .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO,
        .bindingCount = buffers,
        .pBindings = bindings,
    };
    status s =
        device_check(d, d->call.CreateDescriptorSetLayout(d->handle, &set_info, NULL, set_layout),
                     "vkCreateDescriptorSetLayout", err);
    if (s) {
        *set_layout = VK_NULL_HANDLE;
        return s;
    }
    const VkPipelineLayoutCreateInfo layout_info = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
        .setLayoutCount = 1,
        .pSetLayouts = set_layout,
        .pushConstantRangeCount = 1,
        .pPushConstantRanges = &(VkPushConstantRange){VK_SHADER_STAGE_COMPUTE_BIT, 0, push_bytes},
    };
    s = device_check(d, d->call.CreatePipelineLayout(d->handle, &layout_info, NULL, layout),
                     "vkCreatePipelineLayout", err);
    if (s) {
        *layout = VK_NULL_HANDLE;
    }
    return s;
}

status pipelines_module(device *d, const allocator *a, const char *name, const uint32_t *constants,
                        uint32_t count, VkShaderModule *module, error *err)
{
    const shader *code = shader_find(name);
    if (!code) {
        return error_set(err, STATUS_INTERNAL, "the shader %s was not built in", name);
    }
    VkShaderModuleCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO,
        .codeSize = code->code_bytes,
        .pCode = code->code,
    };
    uint32_t *own = NULL;
    if (d->physical->quirks & QUIRK_SPECIALIZE) {
        info.pCode = own = specialize(a, code, constants, count, &info.codeSize);
        if (!own) {
            return error_set(err, STATUS_MEMORY, "out of memory for the shader %s", name);
        }
    }
    const status s = device_check(d, d->call.CreateShaderModule(d->handle, &info, NULL, module),
                                  "vkCreateShaderModule", err);
    memory_release(a, own);
    return s ? error_prefix(err, "shader %s: ", name) : s;
}

/* One shader's module serves all its pipelines, unless their constants are written into it. */
static status module_get(device *d, const allocator *a, const plan *p, build *b, uint32_t index,
                         error *err)
{
    const plan_step *step = &p->steps[b->steps[index]];
    const bool shared = !(d->physical->quirks & QUIRK_SPECIALIZE);
    for (uint32_t i = 0; shared && i < index; i++) {
        if (strcmp(p->steps[b->steps[i]].shader, step->shader) == 0) {
            b->modules[index] = b->modules[i];
            return STATUS_OK;
        }
    }
    const status s = pipelines_module(d, a, step->shader, step->constants, step->constant_count,
                                      &b->modules[index], err);
    b->owns_module[index] = !s;
    return s ? error_prefix(err, "step %s: ", step->name) : s;
}

static status unique_find(const allocator *a, const plan *p, pipelines *out, build *b, error *err)
{
    const size_t n = p->step_count;
    out->of_step = memory_allocate(a, n, sizeof *out->of_step);
    out->unique = memory_allocate(a, n, sizeof(VkPipeline));
    b->steps = memory_allocate(a, n, sizeof *b->steps);
    b->modules = memory_allocate(a, n, sizeof(VkShaderModule));
    b->owns_module = memory_allocate(a, n, sizeof *b->owns_module);
    b->constants = memory_allocate(a, n, sizeof *b->constants);
    b->infos = memory_allocate(a, n, sizeof *b->infos);
    if (!out->of_step || !out->unique || !b->steps || !b->modules || !b->owns_module ||
        !b->constants || !b->infos) {
        return error_set(err, STATUS_MEMORY, "out of memory for %zu pipelines", n);
    }
    for (size_t i = 0; i < n; i++) {
        uint32_t u = 0;
        while (u < out->unique_count && !step_equal(&p->steps[b->steps[u]], &p->steps[i])) {
            u++;
        }
        if (u == out->unique_count) {
            b->steps[u] = i;
            out->unique_count++;
        }
        out->of_step[i] = u;
    }
    return STATUS_OK;
}

/* Work that several threads share: each takes the next pipeline until none is left. */
typedef struct compile {
    device *d;
    VkPipelineCache cache; /* the driver synchronises its use */
    const VkComputePipelineCreateInfo *infos;
    VkPipeline *made;
    uint32_t count;
    atomic_uint next;
    atomic_int failure; /* the VkResult of one that failed */
} compile;

static void *compile_some(void *user)
{
    compile *c = user;
    for (uint32_t i = atomic_fetch_add(&c->next, 1); i < c->count && !atomic_load(&c->failure);
         i = atomic_fetch_add(&c->next, 1)) {
        const VkResult r = c->d->call.CreateComputePipelines(c->d->handle, c->cache, 1,
                                                             &c->infos[i], NULL, &c->made[i]);
        if (r != VK_SUCCESS) {
            c->made[i] = VK_NULL_HANDLE;
            atomic_store(&c->failure, r);
        }
    }
    return NULL;
}

status pipelines_check(device *d, VkResult r, error *err)
{
    if (r > 0) { /* no error by its number, and no pipeline: Adreno 630 says VK_INCOMPLETE of
                    shaders that it cannot compile */
        return error_set(err, STATUS_DEVICE, "vkCreateComputePipelines: %s (%d)",
                         vulkan_result_name(r), (int)r);
    }
    return device_check(d, r, "vkCreateComputePipelines", err);
}

/* Drivers compile for long the first time, and each call on the thread that makes it. */
static status compile_all(device *d, VkPipelineCache cache, const build *b, pipelines *out,
                          error *err)
{
    compile c = {
        .d = d, .cache = cache, .infos = b->infos, .made = out->unique, .count = out->unique_count};
    atomic_init(&c.next, 0);
    atomic_init(&c.failure, VK_SUCCESS);
    pthread_t threads[MAX_COMPILERS - 1];
    const uint32_t processors = processors_allowed();
    uint32_t started = 0;
    while (started + 1 < MAX_COMPILERS && started + 1 < c.count && started + 1 < processors &&
           pthread_create(&threads[started], NULL, compile_some, &c) == 0) {
        started++;
    }
    (void)compile_some(&c);
    for (uint32_t i = 0; i < started; i++) {
        (void)pthread_join(threads[i], NULL);
    }
    return pipelines_check(d, (VkResult)atomic_load(&c.failure), err);
}

status pipelines_create(device *d, const allocator *a, const plan *p, VkPipelineCache cache,
                        pipelines *out, error *err)
{
    *out = (pipelines){0};
    build b = {0};
    VkSpecializationMapEntry entries[PLAN_MAX_CONSTANTS];
    for (uint32_t i = 0; i < PLAN_MAX_CONSTANTS; i++) {
        entries[i] = (VkSpecializationMapEntry){i, i * 4, 4};
    }
    status s =
        pipelines_layouts(d, BINDING_COUNT, PLAN_MAX_PUSH * 4, &out->set_layout, &out->layout, err);
    if (!s && p->step_count) {
        s = unique_find(a, p, out, &b, err);
    }
    for (uint32_t i = 0; !s && i < out->unique_count; i++) {
        const plan_step *step = &p->steps[b.steps[i]];
        s = module_get(d, a, p, &b, i, err);
        b.constants[i] = (VkSpecializationInfo){
            .mapEntryCount = step->constant_count,
            .pMapEntries = entries,
            .dataSize = step->constant_count * sizeof(uint32_t),
            .pData = step->constants,
        };
        b.infos[i] = (VkComputePipelineCreateInfo){
            .sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
            .stage =
                {
                    .sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                    .flags = features_stage_flags(&d->physical->features, step->shader),
                    .stage = VK_SHADER_STAGE_COMPUTE_BIT,
                    .module = b.modules[i],
                    .pName = "main",
                    .pSpecializationInfo = &b.constants[i],
                },
            .layout = out->layout,
            .basePipelineIndex = -1,
        };
    }
    if (!s && out->unique_count) {
        s = compile_all(d, cache, &b, out, err);
    }
    build_destroy(d, a, &b, out->unique_count);
    if (s) {
        pipelines_destroy(d, a, out);
    }
    return s;
}

void pipelines_destroy(device *d, const allocator *a, pipelines *p)
{
    for (uint32_t i = 0; p->unique && i < p->unique_count; i++) {
        if (p->unique[i]) {
            d->call.DestroyPipeline(d->handle, p->unique[i], NULL);
        }
    }
    if (p->layout) {
        d->call.DestroyPipelineLayout(d->handle, p->layout, NULL);
    }
    if (p->set_layout) {
        d->call.DestroyDescriptorSetLayout(d->handle, p->set_layout, NULL);
    }
    memory_release(a, p->unique);
    memory_release(a, p->of_step);
    *p = (pipelines){0};
}

/* The rig of the Vulkan tests. */
#include "tests/vulkan/rig.h"

#include "tests/vulkan/shim.h"

rig_state rig;

enum { LOG_KEPT = 32 };

static struct {
    char id[32];
    char message[1024];
    size_t count;
} logged[LOG_KEPT];

static uint64_t messages_seen;

static void remember(void *user, vkdet_log_level level, const char *id, const char *message)
{
    (void)user;
    (void)level;
    for (size_t i = 0; i < LOG_KEPT; i++) {
        if (logged[i].count == 0) {
            (void)snprintf(logged[i].id, sizeof logged[i].id, "%s", id);
        }
        if (strcmp(logged[i].id, id) == 0) {
            logged[i].count++;
            (void)snprintf(logged[i].message, sizeof logged[i].message, "%s", message);
            break;
        }
    }
    if (strcmp(id, "validation") == 0) {
        print_error("validation: %s\n", message);
    }
}

size_t rig_logged(const char *id)
{
    for (size_t i = 0; i < LOG_KEPT; i++) {
        if (logged[i].count && strcmp(logged[i].id, id) == 0) {
            return logged[i].count;
        }
    }
    return 0;
}

const char *rig_log_last(const char *id)
{
    for (size_t i = 0; i < LOG_KEPT; i++) {
        if (logged[i].count && strcmp(logged[i].id, id) == 0) {
            return logged[i].message;
        }
    }
    return "";
}

void rig_log_clear(void)
{
    memset(logged, 0, sizeof logged);
}

int rig_setup(void **state)
{
    (void)state;
    const char *icd = getenv("VKDET_TEST_ICD");
    const char *index = getenv("VKDET_TEST_DEVICE");
    const char *validate = getenv("VKDET_TEST_VALIDATE");
    if (icd && *icd) {
        (void)setenv("VK_ICD_FILENAMES", icd, 1);
        (void)setenv("VK_DRIVER_FILES", icd, 1);
    }
    error err = {0};
    rig = (rig_state){.log = {remember, NULL, VKDET_LOG_DEBUG}};
    if (index && strncmp(index, "vulkan:", 7) == 0) {
        index += 7;
    }
    rig.device = index ? (uint32_t)strtoul(index, NULL, 10) : 0;
    rig.validate = validate && strcmp(validate, "1") == 0;
    if (vulkan_instance_create(&allocator_default, &rig.log, rig.validate, &rig.instance, &err)) {
        print_error("no Vulkan to test: %s\n", err.text);
        return -1;
    }
    vkdet_device_info info;
    vulkan_device_describe(rig.instance, rig.device, &info);
    print_message("%s: %s (%s), Vulkan %s%s%s\n", info.id, info.name, info.driver, info.api_version,
                  rig.validate ? ", validated" : "", info.unusable);
    messages_seen = 0;
    return 0;
}

int rig_teardown(void **state)
{
    (void)state;
    const uint64_t messages = vulkan_validation_messages(rig.instance);
    vulkan_instance_destroy(rig.instance);
    rig.instance = NULL;
    if (messages) {
        (void)fprintf(stderr, "the validation layers had %llu messages\n",
                      (unsigned long long)messages);
        exit(EXIT_FAILURE); /* cmocka does not count what fails in a group's teardown */
    }
    return 0;
}

void rig_assert_silent(void)
{
    const uint64_t messages = vulkan_validation_messages(rig.instance);
    const uint64_t fresh = messages - messages_seen;
    messages_seen = messages;
    if (fresh) {
        fail_msg("%llu messages of the validation layers", (unsigned long long)fresh);
    }
}

status network_plan(network *n, error *err)
{
    const shape in = n->graph->values[n->graph->input].shape;
    if (n->preprocess.width == 0) {
        n->preprocess = (preprocess){
            .width = in.dim[1],
            .height = in.dim[0],
            .channels = in.dim[2] == 1 ? CHANNELS_GRAY : CHANNELS_RGB,
            .deviation = {1.0f, 1.0f, 1.0f},
        };
    }
    plan_options options = {.precision = n->precision,
                            .winograd = n->winograd,
                            .keep_outputs = n->keep_outputs,
                            .keep_all = n->keep_all,
                            .max_detections = n->max_detections,
                            .choices = n->choices,
                            .choice_count = n->choice_count};
    vulkan_device_target(n->instance ? n->instance : rig.instance, rig.device, &options.target);
    if (n->vendor) {
        options.target.vendor = n->vendor;
    }
    return plan_create(n->alloc ? n->alloc : &allocator_default, n->graph, &n->preprocess, n->head,
                       &options, &n->plan, err);
}

status network_open(network *n, error *err)
{
    status s = n->plan ? STATUS_OK : network_plan(n, err);
    if (s) {
        return s;
    }
    const backend_params params = {
        .alloc = n->alloc ? n->alloc : &allocator_default,
        .log = &rig.log,
        .graph = n->graph,
        .preprocess = &n->preprocess,
        .head = n->head,
        .max_batch = n->max_batch ? n->max_batch : 1,
        .slots = n->slots ? n->slots : 1,
        .max_detections = n->max_detections,
        .keep_outputs = n->keep_outputs,
        .keep_all = n->keep_all,
        .cache_dir = n->cache_dir,
    };
    return vulkan_backend_create(n->instance ? n->instance : rig.instance, rig.device, &params,
                                 n->plan, &n->backend, err);
}

void network_close(network *n)
{
    if (n->backend) {
        n->backend->call->destroy(n->backend);
    }
    plan_destroy(n->plan);
    n->backend = NULL;
    n->plan = NULL;
}

void network_destroy(network *n)
{
    network_close(n);
    graph_destroy(n->graph);
    *n = (network){0};
}

void network_on_shim(network *n)
{
    error err = {0};
    assert_status_ok(vulkan_instance_create_with(shim_loader(), &allocator_default, &rig.log,
                                                 rig.validate, &n->instance, &err),
                     err);
}

void network_off_shim(network *n)
{
    vulkan_instance *v = n->instance;
    network_destroy(n);
    assert_int_equal(vulkan_validation_messages(v), 0);
    vulkan_instance_destroy(v);
    assert_int_equal(shim.live, 0);
    shim_reset();
}

pixels network_tensor(const network *n, const float *data)
{
    const shape in = n->graph->values[n->graph->input].shape;
    return (pixels){PIXEL_TENSOR_F32, in.dim[1], in.dim[0],
                    (size_t)in.dim[1] * in.dim[2] * sizeof(float), data};
}

status network_run(network *n, const pixels *images, uint32_t count, const nms_params *nms,
                   error *err)
{
    backend_request request = {.images = images, .count = count};
    if (nms) {
        request.nms = *nms;
    }
    const status s = n->backend->call->submit(n->backend, 0, &request, err);
    return s ? s : n->backend->call->wait(n->backend, 0, UINT64_MAX, err);
}

static status columns_out(graph *g, const char *name, uint32_t first, uint32_t count, int *out,
                          error *err)
{
    const shape all = g->values[g->input].shape;
    node crop = {.op = OP_CROP,
                 .name = name,
                 .input_count = 1,
                 .output_count = 1,
                 .act_count = 1,
                 .inputs = &g->input};
    crop.attributes.border.left = first;
    crop.attributes.border.right = all.dim[1] - first - count;
    int index = 0;
    status s = graph_add_node(g, &crop, &index, err);
    if (s) {
        return s;
    }
    int cut = g->nodes[index].outputs[0];
    node reshape = {.op = OP_RESHAPE,
                    .name = name,
                    .input_count = 1,
                    .output_count = 1,
                    .act_count = 1,
                    .inputs = &cut};
    reshape.attributes.target = (shape){2, {all.dim[0], count}};
    s = graph_add_node(g, &reshape, &index, err);
    if (!s) {
        *out = g->nodes[index].outputs[0];
    }
    return s;
}

status passthrough_build(const allocator *a, uint32_t anchors, uint32_t classes, graph **out,
                         detector_head *head, error *err)
{
    graph *g = NULL;
    int outputs[2];
    float *corners = NULL;
    *out = NULL;
    status s = graph_create(a, &g, err);
    if (!s) {
        s = graph_add_value(g, "input", (shape){3, {anchors, 4 + classes, 1}}, &g->input, err);
    }
    if (!s) {
        s = columns_out(g, "loc", 0, 4, &outputs[0], err);
    }
    if (!s) {
        s = columns_out(g, "scores", 4, classes, &outputs[1], err);
    }
    if (!s) {
        s = graph_set_outputs(g, outputs, 2, err);
    }
    if (!s) {
        corners = region_allocate(g->memory, (size_t)anchors * 4, sizeof *corners);
    }
    if (s || !corners) {
        graph_destroy(g);
        return s ? s : error_set(err, STATUS_MEMORY, "out of memory for anchors");
    }
    for (uint32_t i = 0; i < anchors; i++) { /* unit boxes around the origin */
        corners[4 * i] = corners[4 * i + 1] = -0.5f;
        corners[4 * i + 2] = corners[4 * i + 3] = 0.5f;
    }
    *head = (detector_head){.loc_output = 0,
                            .score_output = 1,
                            .anchor_count = anchors,
                            .class_count = classes,
                            .background = -1,
                            .variance = {0.125f, 0.125f, 0.25f, 0.25f},
                            .anchors = corners};
    *out = g;
    return STATUS_OK;
}

status passthrough_network(network *n, uint32_t anchors, uint32_t classes, detector_head *head,
                           error *err)
{
    const status s = passthrough_build(n->alloc ? n->alloc : &allocator_default, anchors, classes,
                                       &n->graph, head, err);
    n->head = head;
    n->preprocess = (preprocess){.width = 4 + classes,
                                 .height = anchors,
                                 .channels = CHANNELS_GRAY,
                                 .deviation = {255.0f, 255.0f, 255.0f},
                                 .sampling = SAMPLING_BILINEAR};
    return s;
}

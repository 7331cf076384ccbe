/* The run: devices x precisions x batches, each made ready, checked, then timed. */
#include "host/cli/bench_check.h"
#include "host/cli/bench_document.h"
#include "host/cli/command.h"
#include "host/cli/console.h"
#include "host/cli/interrupt.h"
#include "host/cli/open.h"

#include <math.h>
#include <string.h>

bool bench_goes_on(void)
{
    return interrupt_signal() == 0;
}

void bench_failed(bench *b, vkdet_status status, const char *what)
{
    const char *why = status == VKDET_ERROR_MEMORY ? "out of memory" : vkdet_error_message();
    console_error("%s: %s", what, *why ? why : vkdet_status_name(status));
    if (b->status == EXIT_GOOD) {
        b->status = exit_of_run(status);
    }
}

static const char *kind_name(vkdet_device_kind kind)
{
    static const char *const names[] = {
        "reference", "discrete-gpu", "integrated-gpu", "virtual-gpu", "software", "other", "cpu"};
    return (size_t)kind < sizeof names / sizeof names[0] ? names[kind] : "other";
}

/* The device's entry in the document, with its peaks where they are asked for; once a device. */
static void note_device(bench *b, const vkdet_device_info *d)
{
    json_t *devices = json_object_get(b->document, "devices");
    size_t i;
    json_t *entry, *peaks = NULL;
    json_array_foreach(devices, i, entry)
    {
        if (strcmp(document_text(entry, "id"), d->id) == 0) {
            return;
        }
    }
    entry =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:I}", "id", d->id, "kind", kind_name(d->kind),
                  "name", d->name, "driver", d->driver, "api_version", d->api_version, "vendor_id",
                  (json_int_t)d->vendor_id, "memory_bytes", (json_int_t)d->memory_bytes);
    (void)json_array_append_new(devices, entry);
    if (b->wish.peak && bench_goes_on()) {
        console_note("%s: peaks", d->id);
        vkdet_status status = bench_peaks(b, d->id, &peaks);
        if (status != VKDET_OK) {
            bench_failed(b, status, d->id);
        } else if (peaks) {
            (void)json_object_set_new(entry, "peaks", peaks);
        }
    }
}

/* The time from nothing to a session, and to its first answer: one sample each, so no interval. */
typedef struct startup {
    double create, first;
} startup;

static vkdet_status case_open(bench *b, const char *device, vkdet_precision precision,
                              uint32_t batch, uint32_t slots, bench_case *c, startup *took)
{
    const vkdet_result *results = NULL;
    vkdet_session_params params = bench_session_params(b, device, precision, batch, slots);
    *c = (bench_case){.asked = precision, .batch = batch, .slots = slots};
    double before = bench_now();
    vkdet_status status = vkdet_session_create(b->context, b->model, &params, &c->session);
    if (status != VKDET_OK) {
        return status;
    }
    took->create = bench_now() - before;
    vkdet_session_device(c->session, &c->device);
    c->precision = vkdet_session_precision(c->session);
    before = bench_now();
    status = vkdet_session_detect(c->session, &b->inputs.pixels[0], 1, &b->wish.detect, &results);
    took->first = bench_now() - before;
    return status;
}

/* Every scenario of `wanted` over every stage that it has. */
static void case_measure(bench *b, const bench_case *c, unsigned wanted)
{
    static const struct {
        unsigned scenario, stages;
        const char *name;
        vkdet_status (*measure)(bench *b, const bench_case *c, unsigned stage);
    } table[] = {
        {SCENARIO_SINGLE_STREAM, STAGE_PIXELS | STAGE_BYTES, "single-stream", bench_single_stream},
        {SCENARIO_OFFLINE, STAGE_PIXELS | STAGE_BYTES | STAGE_DEVICE, "offline", bench_offline},
        {SCENARIO_SERVER, STAGE_PIXELS, "server", bench_server},
    };
    static const unsigned stages[] = {STAGE_PIXELS, STAGE_BYTES, STAGE_DEVICE};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        for (size_t k = 0; k < sizeof stages / sizeof stages[0]; k++) {
            if (!(wanted & b->wish.scenarios & table[i].scenario) ||
                !(b->wish.stages & table[i].stages & stages[k]) || !bench_goes_on()) {
                continue;
            }
            console_note("%s %s batch %u: %s from %s", c->device.id,
                         vkdet_precision_name(c->precision), c->batch, table[i].name,
                         stage_name(stages[k]));
            vkdet_status status = table[i].measure(b, c, stages[k]);
            if (status != VKDET_OK) {
                bench_failed(b, status, table[i].name);
            }
        }
    }
}

static void report_startup(bench *b, const bench_case *c, const startup *took)
{
    static const bench_metric create = {"startup", "", "create", "ms", false, 1e3};
    static const bench_metric first = {"startup", "", "first", "ms", false, 1e3};
    document_add(b, c, &create, (bench_estimate){took->create, NAN, NAN}, 1);
    document_add(b, c, &first, (bench_estimate){took->first, NAN, NAN}, 1);
}

/* Without batches to come, what the clocks do is noted here. */
static bool has_batches(const bench *b)
{
    return b->wish.layers || (b->wish.scenarios & (SCENARIO_OFFLINE | SCENARIO_SERVER));
}

/* Batch 1, one slot: what starting costs, and the latencies. Returns false when this device and
 * precision cannot be had, or has been had under another name. */
static bool run_single(bench *b, const char *device, vkdet_precision precision, bench_case *out)
{
    startup took = {0};
    bench_case c;
    vkdet_status status = case_open(b, device, precision, 1, 1, &c, &took);
    bool fresh = status == VKDET_OK;
    if (status != VKDET_OK) {
        char what[64];
        (void)snprintf(what, sizeof what, "%s %s", device, vkdet_precision_name(precision));
        bench_failed(b, status, what);
    } else {
        size_t i;
        json_t *check;
        json_array_foreach(json_object_get(b->document, "checks"), i, check)
        {
            if (strcmp(document_text(check, "device"), c.device.id) == 0 &&
                strcmp(document_text(check, "precision"), vkdet_precision_name(c.precision)) == 0) {
                console_note("%s %s is %s %s, which is measured already", device,
                             vkdet_precision_name(precision), c.device.id,
                             vkdet_precision_name(c.precision));
                fresh = false;
                break;
            }
        }
    }
    if (fresh) {
        note_device(b, &c.device);
        console_note("%s %s batch 1: check", c.device.id, vkdet_precision_name(c.precision));
        bench_check(b, &c);
        report_startup(b, &c, &took);
        case_measure(b, &c, SCENARIO_SINGLE_STREAM);
        if (!has_batches(b)) {
            bench_note_load(b, &c);
        }
    }
    vkdet_session_destroy(c.session);
    c.session = NULL;
    *out = c;
    return fresh;
}

static void run_batch(bench *b, const bench_case *of, uint32_t batch)
{
    startup took;
    bench_case c;
    char what[96];
    (void)snprintf(what, sizeof what, "%s %s batch %u", of->device.id,
                   vkdet_precision_name(of->precision), batch);
    vkdet_status status =
        case_open(b, of->device.id, of->precision, batch, b->wish.slots, &c, &took);
    if (status != VKDET_OK) {
        bench_failed(b, status, what);
    } else {
        console_note("%s: check", what);
        bench_check(b, &c);
        case_measure(b, &c, SCENARIO_OFFLINE | SCENARIO_SERVER);
        if (b->wish.layers && bench_goes_on()) {
            console_note("%s: layers", what);
            status = bench_layers(b, &c);
            if (status != VKDET_OK) {
                bench_failed(b, status, what);
            }
        }
        bench_note_load(b, &c);
    }
    vkdet_session_destroy(c.session);
}

static void run_device(bench *b, const char *device)
{
    for (size_t p = 0; p < b->wish.precision_count && bench_goes_on(); p++) {
        bench_case single;
        if (!run_single(b, device, b->wish.precisions[p], &single)) {
            continue;
        }
        for (size_t i = 0; has_batches(b) && i < b->wish.batch_count && bench_goes_on(); i++) {
            run_batch(b, &single, b->wish.batches[i]);
        }
    }
}

/* --peak alone needs no session */
static void run_peaks(bench *b, const char *device)
{
    vkdet_device_info info;
    for (uint32_t i = 0; i < vkdet_device_count(b->context); i++) {
        if (vkdet_device_describe(b->context, i, &info) == VKDET_OK &&
            (strcmp(info.id, device) == 0 || (info.is_auto && strcmp(device, "auto") == 0))) {
            note_device(b, &info);
            return;
        }
    }
    console_error("%s: no such device (vkdet devices lists them)", device);
    b->status = b->status == EXIT_GOOD ? EXIT_DEVICE : b->status;
}

void bench_run(bench *b)
{
    const bool sessions = b->wish.scenarios || b->wish.layers;
    if (sessions) {
        console_note("the reference's detections of %zu pictures", b->inputs.count);
        int status = bench_truth_make(b);
        if (status != EXIT_GOOD) {
            b->status = status;
            return;
        }
    }
    for (size_t i = 0; i < b->wish.device_count && bench_goes_on(); i++) {
        if (sessions) {
            run_device(b, b->wish.devices[i]);
        } else {
            run_peaks(b, b->wish.devices[i]);
        }
    }
}

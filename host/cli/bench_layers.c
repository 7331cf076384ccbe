/* --layers and --peak: where the time of a batch goes, and how far each step is from what the
 * device can do.
 *
 * The roof of a step is min(peak arithmetic, intensity * bandwidth), with peaks that were measured
 * on the same device in the same run: the fastest arithmetic that the precision may use (fp32:
 * fp32; fp16: the fastest of fp32, fp16 and cooperative matrices; bf16: of fp32 and bf16), and the
 * copy bandwidth. A step without arithmetic is judged by the bandwidth alone. The bytes are those
 * that the algorithm needs; what stays in a cache moves faster than the copy that the roof was
 * measured with, so a share may pass 100 %. */
#include "host/cli/bench_document.h"

#include "host/cli/console.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK = 8, MOST_RUNS = 100000, PEAK_ROUNDS = BENCH_LEAST_RUNS };

typedef struct peak_name {
    const char *key, *unit, *better;
    double scale;
} peak_name;

static json_t *peaks_json(const vkdet_device_peaks *p)
{
    return json_pack("{s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f}", "fp32_flops", p->fp32_flops,
                     "fp16_flops", p->fp16_flops, "matrix_fp16_flops", p->matrix_fp16_flops,
                     "bf16_flops", p->bf16_flops, "copy_bytes", p->copy_bytes, "read_bytes",
                     p->read_bytes, "upload_bytes", p->upload_bytes, "download_bytes",
                     p->download_bytes, "dispatch_ns", p->dispatch_ns);
}

/* One peak of all rounds: its median into `peaks`, and a result where the device has such a thing.
 */
static void peak_report(bench *b, const char *device, const peak_name *n, const json_t *rounds,
                        json_t *peaks)
{
    bench_samples s = {0};
    size_t i;
    json_t *round;
    bool kept = true;
    json_array_foreach((json_t *)rounds, i, round)
    {
        kept = kept && samples_add(&s, document_get(round, n->key));
    }
    samples_sort(&s);
    const bench_estimate e = s.count ? samples_quantile(&s, 0.5)
                                     : (bench_estimate){(double)NAN, (double)NAN, (double)NAN};
    (void)json_object_set_new(peaks, n->key, document_number(e.value));
    if (kept && e.value > 0) {
        char name[96];
        const char *end = strrchr(n->key, '_');
        (void)snprintf(name, sizeof name, "peak.%s.%.*s", device, (int)(end - n->key), n->key);
        json_t *result = json_pack(
            "{s:s, s:s, s:s, s:s, s:s, s:s, s:f, s:o, s:o, s:I, s:f, s:f}", "name", name,
            "scenario", "peak", "device", device, "metric", n->key, "unit", n->unit, "better",
            n->better, "value", e.value * n->scale, "low", document_number(e.low * n->scale),
            "high", document_number(e.high * n->scale), "samples", (json_int_t)s.count, "min",
            s.values[0] * n->scale, "max", s.values[s.count - 1] * n->scale);
        (void)json_array_append_new(json_object_get(b->document, "results"), result);
    }
    samples_free(&s);
}

vkdet_status bench_peaks(bench *b, const char *device, json_t **out)
{
    static const peak_name names[] = {
        {"fp32_flops", "GFLOP/s", "higher", 1e-9},
        {"fp16_flops", "GFLOP/s", "higher", 1e-9},
        {"matrix_fp16_flops", "GFLOP/s", "higher", 1e-9},
        {"bf16_flops", "GFLOP/s", "higher", 1e-9},
        {"copy_bytes", "GB/s", "higher", 1e-9},
        {"read_bytes", "GB/s", "higher", 1e-9},
        {"upload_bytes", "GB/s", "higher", 1e-9},
        {"download_bytes", "GB/s", "higher", 1e-9},
        {"dispatch_ns", "us", "lower", 1e-3},
    };
    json_t *rounds = json_array();
    vkdet_status status = VKDET_OK;
    *out = NULL;
    for (int i = 0; i < PEAK_ROUNDS && status == VKDET_OK && (i == 0 || bench_goes_on()); i++) {
        vkdet_device_peaks peaks = {0};
        status = vkdet_device_peaks_measure(b->context, device, &peaks);
        if (status == VKDET_OK) {
            (void)json_array_append_new(rounds, peaks_json(&peaks));
        }
    }
    if (status == VKDET_OK) {
        *out = json_object();
        for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
            peak_report(b, device, &names[i], rounds, *out);
        }
    } else if (status == VKDET_ERROR_UNSUPPORTED) {
        console_note("%s: no peaks: %s", device, vkdet_error_message());
        status = VKDET_OK;
    }
    json_decref(rounds);
    return status;
}

static const json_t *peaks_of(const bench *b, const char *device)
{
    size_t i;
    json_t *entry;
    json_array_foreach(json_object_get(b->document, "devices"), i, entry)
    {
        if (strcmp(document_text(entry, "id"), device) == 0) {
            return json_object_get(entry, "peaks");
        }
    }
    return NULL;
}

/* peaks that are not known are NAN, and so is what follows from them */
static double peak_arithmetic(const json_t *peaks, vkdet_precision precision)
{
    double peak = document_get(peaks, "fp32_flops");
    if (precision == VKDET_PRECISION_FP16) {
        peak = fmax(peak, document_get(peaks, "fp16_flops"));
        peak = fmax(peak, document_get(peaks, "matrix_fp16_flops"));
    } else if (precision == VKDET_PRECISION_BF16) {
        peak = fmax(peak, document_get(peaks, "bf16_flops"));
    }
    return peak;
}

/* Times of one case: a set of samples a step, and one of the whole. */
typedef struct profile {
    uint32_t steps;
    bench_samples *step;
    bench_samples total;
    uint64_t *step_ns, total_ns[CHUNK];
} profile;

static bool profile_keep(profile *p, uint32_t runs)
{
    bool kept = true;
    for (uint32_t r = 0; r < runs; r++) {
        kept = kept && samples_add(&p->total, 1e-3 * (double)p->total_ns[r]);
        for (uint32_t s = 0; s < p->steps; s++) {
            kept = kept &&
                   samples_add(&p->step[s], 1e-3 * (double)p->step_ns[(size_t)r * p->steps + s]);
        }
    }
    return kept;
}

static vkdet_status profile_take(const bench *b, const bench_case *c, profile *p)
{
    vkdet_pixels *list = calloc(c->batch, sizeof *list);
    p->steps = vkdet_session_step_count(c->session);
    p->step = calloc(p->steps ? p->steps : 1, sizeof *p->step);
    p->step_ns = calloc((size_t)CHUNK * (p->steps ? p->steps : 1), sizeof *p->step_ns);
    vkdet_status status = list && p->step && p->step_ns ? VKDET_OK : VKDET_ERROR_MEMORY;
    for (uint32_t i = 0; list && i < c->batch; i++) {
        list[i] = b->inputs.pixels[bench_input_at(&b->inputs, i)];
    }
    if (status == VKDET_OK) { /* warm-up */
        status = vkdet_session_profile(c->session, list, c->batch, &b->wish.detect, 1, p->step_ns,
                                       p->total_ns);
    }
    const double started = bench_now();
    /* a slow device gets its few runs one by one, so that a signal is heard between them */
    uint32_t runs = p->total_ns[0] > 100000000u ? 1 : CHUNK;
    while (status == VKDET_OK && bench_goes_on() && p->total.count < MOST_RUNS) {
        status = vkdet_session_profile(c->session, list, c->batch, &b->wish.detect, runs,
                                       p->step_ns, p->total_ns);
        if (status != VKDET_OK || !profile_keep(p, runs) ||
            rule_is_met(&b->wish.rule, &p->total, bench_now() - started)) {
            break;
        }
    }
    free(list);
    return status;
}

static void profile_free(profile *p)
{
    for (uint32_t s = 0; p->step && s < p->steps; s++) {
        samples_free(&p->step[s]);
    }
    samples_free(&p->total);
    free(p->step);
    free(p->step_ns);
}

static json_t *step_json(const bench_case *c, uint32_t index, bench_samples *samples,
                         const json_t *peaks)
{
    vkdet_step step = {0};
    (void)vkdet_session_step(c->session, index, &step);
    samples_sort(samples);
    const bench_estimate us = samples_quantile(samples, 0.5);
    const double flops = (double)step.flops * c->batch;
    const double bytes =
        (double)(step.bytes_read + step.bytes_written) * c->batch + (double)step.weight_bytes;
    const double seconds = us.value * 1e-6;
    const double bandwidth = document_get(peaks, "copy_bytes");
    const double roof = roofline_at(peak_arithmetic(peaks, c->precision), bandwidth, flops, bytes);
    const double share = roof > 0 ? flops / seconds / roof : bytes / seconds / bandwidth;
    return json_pack("{s:s, s:s, s:s, s:I, s:o, s:o, s:o, s:f, s:f, s:o, s:o, s:o, s:o, s:o}",
                     "name", step.name ? step.name : "", "kernel", step.kernel ? step.kernel : "",
                     "variant", step.variant ? step.variant : "", "level", (json_int_t)step.level,
                     "us", document_number(us.value), "low", document_number(us.low), "high",
                     document_number(us.high), "flops", flops, "bytes", bytes, "gflops",
                     document_number(flops / seconds * 1e-9), "gbs",
                     document_number(bytes / seconds * 1e-9), "intensity",
                     document_number(bytes > 0 ? flops / bytes : (double)NAN), "roof_gflops",
                     document_number(roof > 0 ? roof * 1e-9 : (double)NAN), "of_roof_percent",
                     document_number(100 * share));
}

static json_t *case_json(const bench_case *c)
{
    return json_pack("{s:s, s:s, s:I}", "device", c->device.id, "precision",
                     vkdet_precision_name(c->precision), "batch", (json_int_t)c->batch);
}

static void profile_report(bench *b, const bench_case *c, profile *p)
{
    static const bench_metric total = {"layers", "device", "total", "us", false, 1};
    const json_t *peaks = peaks_of(b, c->device.id);
    json_t *entry = case_json(c), *steps = json_array();
    double sum = 0;
    for (uint32_t s = 0; s < p->steps; s++) {
        json_t *step = step_json(c, s, &p->step[s], peaks);
        double us = document_get(step, "us");
        sum += isfinite(us) ? us : 0;
        (void)json_array_append_new(steps, step);
    }
    size_t i;
    json_t *step;
    json_array_foreach(steps, i, step)
    {
        (void)json_object_set_new(step, "share_percent",
                                  document_number(100 * document_get(step, "us") / sum));
    }
    samples_sort(&p->total);
    (void)json_object_set_new(entry, "runs", json_integer((json_int_t)p->total.count));
    (void)json_object_set_new(entry, "sum_us", document_number(sum));
    (void)json_object_set_new(entry, "total_us",
                              document_number(samples_quantile(&p->total, 0.5).value));
    (void)json_object_set_new(entry, "peak_gflops",
                              document_number(peak_arithmetic(peaks, c->precision) * 1e-9));
    (void)json_object_set_new(entry, "peak_gbs",
                              document_number(document_get(peaks, "copy_bytes") * 1e-9));
    (void)json_object_set_new(entry, "steps", steps);
    (void)json_array_append_new(json_object_get(b->document, "layers"), entry);
    document_add_quantile(b, c, &total, 0.5, &p->total);
}

vkdet_status bench_layers(bench *b, const bench_case *c)
{
    profile p = {0};
    if (c->withheld[0]) {
        json_t *entry = case_json(c);
        json_t *reason = json_string(c->withheld);
        (void)json_object_set_new(entry, "withheld", reason ? reason : json_string("failed"));
        (void)json_array_append_new(json_object_get(b->document, "layers"), entry);
        return VKDET_OK;
    }
    vkdet_status status = profile_take(b, c, &p);
    if (p.total.count > 0) {
        profile_report(b, c, &p);
    }
    if (status == VKDET_ERROR_UNSUPPORTED) {
        console_note("%s: no times of single steps: %s", c->device.id, vkdet_error_message());
        status = VKDET_OK;
    }
    profile_free(&p);
    return status;
}

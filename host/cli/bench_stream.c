/* single-stream: one query of one picture after the other; its latencies.
 *
 * As in MLPerf Inference the next query is sent when the one before has been answered, and the
 * score is a percentile of the latencies. Ours are p50, p90 and p99. */
#include "host/cli/bench_document.h"

static const bench_metric p50 = {"single-stream", "", "p50", "ms", false, 1e3};

static vkdet_status query(const bench *b, const bench_case *c, unsigned stage, uint64_t i)
{
    const size_t at = bench_input_at(&b->inputs, i);
    const vkdet_result *result = NULL;
    if (stage == STAGE_PIXELS) {
        return vkdet_session_detect(c->session, &b->inputs.pixels[at], 1, &b->wish.detect, &result);
    }
    const bench_file *file = &b->inputs.files[at];
    vkdet_image *image = NULL;
    vkdet_status status =
        vkdet_image_decode(b->context, file->bytes, file->size, &b->inputs.limits, &image);
    if (status == VKDET_OK) {
        status = vkdet_session_detect_image(c->session, image, &b->wish.detect, &result);
    }
    vkdet_image_destroy(image);
    return status;
}

/* Every picture once, so that nothing is allocated later, or as many as half a second holds. */
static vkdet_status warm_up(const bench *b, const bench_case *c, unsigned stage)
{
    enum { LEAST = 3 };
    const double until = bench_now() + BENCH_WARM_SECONDS;
    vkdet_status status = VKDET_OK;
    for (uint64_t i = 0;
         status == VKDET_OK && bench_goes_on() && (i < LEAST || bench_now() < until); i++) {
        status = query(b, c, stage, i);
    }
    return status;
}

vkdet_status bench_single_stream(bench *b, const bench_case *c, unsigned stage)
{
    static const struct {
        const char *name;
        double q;
    } percentiles[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}};
    bench_metric metric = p50;
    bench_samples samples = {0};
    metric.stage = stage_name(stage);
    if (c->withheld[0]) {
        document_add(b, c, &metric, (bench_estimate){0}, 0);
        return VKDET_OK;
    }
    vkdet_status status = warm_up(b, c, stage);
    const double started = bench_now();
    double asked = started;
    for (uint64_t i = 0; status == VKDET_OK && bench_goes_on(); i++) {
        double before = bench_now();
        status = query(b, c, stage, i);
        const double now = bench_now();
        if (status != VKDET_OK || !samples_add(&samples, now - before)) {
            break;
        }
        /* looking at the rule takes a sort: a hundred times a run is enough */
        if (now - asked >= b->wish.rule.max_seconds / 100) {
            asked = now;
            if (rule_is_met(&b->wish.rule, &samples, now - started)) {
                break;
            }
        }
    }
    samples_sort(&samples);
    for (size_t i = 0; i < sizeof percentiles / sizeof percentiles[0]; i++) {
        metric.name = percentiles[i].name;
        document_add_quantile(b, c, &metric, percentiles[i].q, &samples);
    }
    samples_free(&samples);
    return status;
}

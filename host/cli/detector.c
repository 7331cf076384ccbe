/* Model, session and pipeline from the settings of a command. */
#include "host/cli/detector.h"

#include "host/cli/command.h"
#include "host/cli/console.h"
#include "host/cli/feed.h"
#include "host/cli/interrupt.h"
#include "host/cli/open.h"
#include "host/cli/pipeline.h"

#include <inttypes.h>
#include <string.h>

#define HELD_BYTES (512ull << 20) /* of decoded pixels, ahead of the device */

/* A score is a float; asked to keep "above 0", the library needs a number that is not its sign for
 * "the card's". */
#define ABOVE_ZERO 1e-300

static uint32_t batch_of(const settings *s)
{
    return (uint32_t)(s->batch ? s->batch : 1);
}

static uint32_t slots_of(const settings *s)
{
    return (uint32_t)(s->slots ? s->slots : 2);
}

int detector_check(const settings *s, const char *name)
{
    vkdet_nms_mode mode;
    compute_wish compute;
    if (s->nms_mode && vkdet_nms_mode_from_name(s->nms_mode, &mode) != VKDET_OK) {
        console_error("%s: --nms-mode takes tfjs, tf, tfjs-per-class or tf-per-class, not \"%s\"",
                      name, s->nms_mode);
        return EXIT_USAGE;
    }
    return read_compute(s, name, &compute);
}

int detector_open(detector *d, const settings *s)
{
    int status = open_context(s, &d->context);
    if (status == EXIT_GOOD) {
        status = open_model(d->context, s->model, &d->model);
    }
    if (status != EXIT_GOOD) {
        return status;
    }
    vkdet_model_info_get(d->model, &d->info);
    if (!d->info.detects) {
        console_error("%s is a classifier: it has no boxes to detect", d->info.name);
        return EXIT_MODEL;
    }
    return EXIT_GOOD;
}

int detector_start(detector *d, const settings *s)
{
    compute_wish compute;
    (void)read_compute(s, "detect", &compute); /* checked before */
    vkdet_session_params params = {.device = s->device,
                                   .max_batch = batch_of(s),
                                   .slots = slots_of(s),
                                   .max_detections = (uint32_t)s->max_det,
                                   .cache_dir = s->cache_dir,
                                   .precision = compute.precision,
                                   .tune = compute.tune,
                                   .threads = (uint32_t)s->threads,
                                   .winograd = compute.winograd};
    vkdet_status status = vkdet_session_create(d->context, d->model, &params, &d->session);
    if (status != VKDET_OK) {
        console_error("%s", vkdet_error_message());
        return exit_of_run(status);
    }
    vkdet_device_info device;
    vkdet_session_device(d->session, &device);
    if (!s->device || strcmp(s->device, "auto") == 0) {
        console_note("device %s: %s, %s", device.id, device.name,
                     vkdet_precision_name(vkdet_session_precision(d->session)));
    }
    return EXIT_GOOD;
}

int detector_run(detector *d, const settings *s, sources *from, writer *to, bool bar)
{
    feed_params feeding = {.context = d->context,
                           .sources = from,
                           .image = {.max_pixels = s->max_pixels},
                           .capacity = pipeline_capacity(batch_of(s), slots_of(s)),
                           .byte_limit = HELD_BYTES};
    feed *pictures = feed_create(&feeding);
    if (!pictures) {
        console_error("out of memory or threads");
        return EXIT_DEVICE;
    }
    double score = s->conf == 0 ? ABOVE_ZERO : s->conf < 0 ? 0 : s->conf;
    pipeline_params params = {.session = d->session,
                              .feed = pictures,
                              .writer = to,
                              .detect = {.score_threshold = score,
                                         .iou_threshold = s->iou,
                                         .max_detections = (uint32_t)s->max_det},
                              .batch = batch_of(s),
                              .slots = slots_of(s),
                              .save_pictures = s->save_img != 0};
    if (s->nms_mode) {
        (void)vkdet_nms_mode_from_name(s->nms_mode, &params.detect.nms_mode); /* checked before */
    }
    progress_start(bar, sources_total(from));
    interrupt_watch(from);
    int status = pipeline_run(&params);
    interrupt_unwatch();
    progress_end();
    uint64_t messages = vkdet_context_validation_messages(d->context);
    if (messages > 0) {
        console_error("the validation layers had %" PRIu64 " messages", messages);
        status = status == EXIT_GOOD || status == EXIT_INPUT ? EXIT_DEVICE : status;
    }
    if (interrupt_signal() != 0 && (status == EXIT_GOOD || status == EXIT_INPUT)) {
        console_note("stopped by signal %d", interrupt_signal());
        status = EXIT_SIGNAL + interrupt_signal();
    }
    feed_destroy(pictures);
    return status;
}

void detector_close(detector *d)
{
    vkdet_session_destroy(d->session);
    vkdet_model_destroy(d->model);
    vkdet_context_destroy(d->context);
    *d = (detector){.context = NULL};
}

/* Judging numbers, and the report. */
#include "host/api/text.h"
#include "host/api/verify.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

void judge(judgement *j, const char *name, const float *device, const float *expected,
           const float *bound, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        double difference = fabs((double)device[i] - (double)expected[i]), ratio = 0;
        j->elements++;
        if (device[i] == expected[i] || (isnan(device[i]) && isnan(expected[i]))) {
            continue;
        }
        if (isnan(difference)) { /* one of the two is no number: nothing is further away */
            difference = INFINITY;
        }
        ratio = bound[i] > 0 ? difference / (double)bound[i] : INFINITY;
        j->worst_error = fmax(j->worst_error, difference);
        j->worst_ratio = fmax(j->worst_ratio, ratio);
        if (!(difference <= (double)bound[i]) && j->outside++ == 0) {
            (void)snprintf(j->where, sizeof j->where,
                           "%.64s[%llu]: device %.9g, reference %.9g, bound %.3g", name,
                           (unsigned long long)i, (double)device[i], (double)expected[i],
                           (double)bound[i]);
        }
    }
}

void judge_fact(judgement *j, bool holds, const char *format, ...)
{
    j->elements++;
    if (holds) {
        return;
    }
    j->worst_ratio = INFINITY;
    if (j->outside++ == 0) {
        va_list args;
        va_start(args, format);
        (void)vsnprintf(j->where, sizeof j->where, format, args);
        va_end(args);
    }
}

/* JSON has no infinity: what is infinitely wrong shows as null */
static json_t *number(double x)
{
    return isfinite(x) ? json_real(x) : json_null();
}

/* whether `name` is one of those that `all`, "first+second", consists of; it may have a + itself */
static bool is_part(const char *name, const char *all)
{
    const size_t length = strlen(name);
    if (length == 0) {
        return !*all;
    }
    for (const char *at = strstr(all, name); at; at = strstr(at + 1, name)) {
        if ((at == all || at[-1] == '+') && (at[length] == 0 || at[length] == '+')) {
            return true;
        }
    }
    return false;
}

/* How the device computes a step: the plan says it of Vulkan, the cpu itself of its own, in another
 * order and several in one; what decode, sort and nms are there is one step at the end. */
static const char *variant_of(verification *v, const plan_step *step)
{
    const uint32_t count = v->ready->device.info.kind == VKDET_DEVICE_CPU
                               ? v->backend->call->step_count(v->backend)
                               : 0;
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t at = (v->reported + i) % count;
        vkdet_step own;
        v->backend->call->step(v->backend, at, &own);
        if (is_part(step->name, own.name)) {
            v->reported = at;
            return own.variant;
        }
    }
    return count == 0 && step->variant ? step->variant : "";
}

status verify_report_step(verification *v, const plan_step *step, const judgement *j, error *err)
{
    bool ok = j->outside == 0;
    if (!ok && !v->first) {
        v->first = step->name;
    }
    json_t *entry = json_pack(
        "{s:s, s:s, s:s, s:I, s:o, s:o, s:b, s:I}", "name", step->name, "kernel",
        kernel_name(step->kernel), "variant", variant_of(v, step), "elements",
        (json_int_t)j->elements, "max_error", number(j->worst_error), "max_error_over_bound",
        number(j->worst_ratio), "ok", (int)ok, "outside", (json_int_t)j->outside);
    if (!entry || (!ok && json_object_set_new(entry, "worst", json_string(j->where)) != 0) ||
        json_array_append(v->steps, entry) != 0) {
        json_decref(entry);
        return error_set(err, STATUS_MEMORY, "out of memory for a report");
    }
    json_decref(entry);
    return STATUS_OK;
}

status verify_report_text(const verification *v, char **json, error *err)
{
    const vkdet_device_info *info = &v->ready->device.info;
    json_t *root =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:b, s:s?, s:O}", "model", v->model->card.name,
                  "device", info->id, "name", info->name, "driver", info->driver, "precision",
                  vkdet_precision_name(v->ready->precision), "ok", (int)(v->first == NULL),
                  "first_diverging", v->first, "steps", v->steps);
    return text_from_json(&v->context->alloc, root, json, err);
}

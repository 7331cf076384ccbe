/* JSON through a stream in memory, then the binary tensors in the order of the outputs. */
#include "host/serve/oip_response.h"

#include "host/client/text.h"

#include <inttypes.h>
#include <string.h>

/* Of one picture; 4 bytes each, whatever their type. */
static uint64_t elements_of(const oip_response *r, oip_output output)
{
    uint32_t per = oip_outputs[output].per_detection;
    return per ? (uint64_t)r->capacity * per : 1;
}

static float float_at(const oip_found *f, oip_output output, uint64_t i)
{
    uint64_t per = oip_outputs[output].per_detection;
    if (i / per >= f->count) {
        return 0;
    }
    const vkdet_detection *d = &f->detections[i / per];
    return output == OIP_DETECTION_BOXES ? d->box[i % per] : d->score;
}

static uint32_t integer_at(const oip_found *f, oip_output output, uint64_t i)
{
    if (output == OIP_NUM_DETECTIONS) {
        return f->count;
    }
    return i < f->count ? f->detections[i].class_id : 0;
}

static bool is_float(oip_output output)
{
    return output == OIP_DETECTION_BOXES || output == OIP_DETECTION_SCORES;
}

/* --- JSON --- */

static void write_shape(FILE *out, const oip_response *r, oip_output output)
{
    (void)fprintf(out, "\"shape\":[%" PRIu32, r->count);
    switch (output) {
    case OIP_NUM_DETECTIONS:
        (void)fputs(",1]", out);
        break;
    case OIP_DETECTION_BOXES:
        (void)fprintf(out, ",%" PRIu32 ",4]", r->capacity);
        break;
    default:
        (void)fprintf(out, ",%" PRIu32 "]", r->capacity);
        break;
    }
}

static void write_data(FILE *out, const oip_response *r, oip_output output)
{
    uint64_t elements = elements_of(r, output);
    (void)fputs("\"data\":[", out);
    for (uint32_t k = 0; k < r->count; k++) {
        for (uint64_t i = 0; i < elements; i++) {
            (void)fputs(k || i ? "," : "", out);
            if (is_float(output)) {
                text_float(out, float_at(&r->found[k], output, i));
            } else {
                (void)fprintf(out, "%" PRIu32, integer_at(&r->found[k], output, i));
            }
        }
    }
    (void)fputc(']', out);
}

static void write_output(FILE *out, const oip_response *r, const oip_wanted *w)
{
    const oip_output_kind *kind = &oip_outputs[w->output];
    (void)fprintf(out, "{\"name\":\"%s\",\"datatype\":\"%s\",", kind->name, kind->datatype);
    write_shape(out, r, w->output);
    (void)fputc(',', out);
    if (w->binary) {
        (void)fprintf(out, "\"parameters\":{\"binary_data_size\":%" PRIu64 "}",
                      elements_of(r, w->output) * r->count * 4);
    } else {
        write_data(out, r, w->output);
    }
    (void)fputc('}', out);
}

static void write_json(FILE *out, const oip_response *r)
{
    (void)fputs("{\"model_name\":", out);
    text_json_string(out, r->model_name);
    (void)fputs(",\"model_version\":", out);
    text_json_string(out, r->model_version);
    if (r->id) {
        (void)fputs(",\"id\":", out);
        text_json_string(out, r->id);
    }
    (void)fputs(",\"outputs\":[", out);
    for (uint32_t i = 0; i < r->wanted_count; i++) {
        (void)fputs(i ? "," : "", out);
        write_output(out, r, &r->wanted[i]);
    }
    (void)fputs("]}", out);
}

/* --- binary --- */

static void write_u32(FILE *out, uint32_t value)
{
    unsigned char bytes[4] = {(unsigned char)(value & 0xff), (unsigned char)(value >> 8 & 0xff),
                              (unsigned char)(value >> 16 & 0xff), (unsigned char)(value >> 24)};
    (void)fwrite(bytes, 1, sizeof bytes, out);
}

static void write_binary(FILE *out, const oip_response *r, oip_output output)
{
    uint64_t elements = elements_of(r, output);
    for (uint32_t k = 0; k < r->count; k++) {
        for (uint64_t i = 0; i < elements; i++) {
            uint32_t bits = integer_at(&r->found[k], output, i);
            if (is_float(output)) {
                float value = float_at(&r->found[k], output, i);
                memcpy(&bits, &value, sizeof bits);
            }
            write_u32(out, bits);
        }
    }
}

/* --- both --- */

bool oip_response_write(const oip_response *r, oip_body *out)
{
    FILE *stream = oip_body_begin(out);
    if (!stream) {
        return false;
    }
    write_json(stream, r);
    bool good = fflush(stream) == 0;
    size_t json = out->size;
    for (uint32_t i = 0; good && i < r->wanted_count; i++) {
        if (r->wanted[i].binary) {
            write_binary(stream, r, r->wanted[i].output);
        }
    }
    good = oip_body_finish(stream, out) && good;
    out->json = json;
    return good;
}

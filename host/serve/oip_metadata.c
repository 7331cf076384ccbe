/* Short documents, written as they are read. */
#include "host/serve/oip_metadata.h"

#include "host/client/text.h"

#include <inttypes.h>

bool oip_server_write(oip_body *out)
{
    FILE *stream = oip_body_begin(out);
    if (!stream) {
        return false;
    }
    (void)fputs("{\"name\":\"vkdet\",\"version\":", stream);
    text_json_string(stream, vkdet_version());
    (void)fputs(",\"extensions\":[\"binary_tensor_data\"]}", stream);
    return oip_body_finish(stream, out);
}

/* The protocol has one datatype an input; which others are taken stands in its parameters. */
static void write_inputs(FILE *out, const vkdet_model_info *info)
{
    (void)fprintf(out,
                  "\"inputs\":[{\"name\":\"" OIP_INPUT
                  "\",\"datatype\":\"BYTES\",\"shape\":[-1],\"parameters\":{\"alternatives\":["
                  "{\"datatype\":\"UINT8\",\"shape\":[-1,-1,-1,3]},"
                  "{\"datatype\":\"FP32\",\"shape\":[-1,%" PRIu32 ",%" PRIu32 ",%" PRIu32 "]}]}}]",
                  info->input_height, info->input_width, info->input_channels);
}

static void write_outputs(FILE *out)
{
    (void)fputs("\"outputs\":[", out);
    for (int i = 0; i < OIP_OUTPUT_COUNT; i++) {
        const oip_output_kind *kind = &oip_outputs[i];
        (void)fprintf(out, "%s{\"name\":\"%s\",\"datatype\":\"%s\",\"shape\":[-1,%s]}",
                      i ? "," : "", kind->name, kind->datatype,
                      kind->per_detection == 0   ? "1"
                      : kind->per_detection == 4 ? "-1,4"
                                                 : "-1");
    }
    (void)fputc(']', out);
}

bool oip_model_write(const oip_model *model, oip_body *out)
{
    FILE *stream = oip_body_begin(out);
    if (!stream) {
        return false;
    }
    (void)fputs("{\"name\":", stream);
    text_json_string(stream, model->name);
    (void)fputs(",\"versions\":[", stream);
    for (size_t i = 0; i < model->version_count; i++) {
        (void)fputs(i ? "," : "", stream);
        text_json_string(stream, model->versions[i]);
    }
    (void)fputs("],\"platform\":\"vkdet\",", stream);
    write_inputs(stream, model->info);
    (void)fputc(',', stream);
    write_outputs(stream);
    (void)fputc('}', stream);
    return oip_body_finish(stream, out);
}

bool oip_health_write(const char *what, const char *name, bool good, oip_body *out)
{
    FILE *stream = oip_body_begin(out);
    if (!stream) {
        return false;
    }
    (void)fputc('{', stream);
    if (name) {
        (void)fputs("\"name\":", stream);
        text_json_string(stream, name);
        (void)fputc(',', stream);
    }
    (void)fprintf(stream, "\"%s\":%s}", what, good ? "true" : "false");
    return oip_body_finish(stream, out);
}

bool oip_index_write(const oip_model *models, size_t count, oip_body *out)
{
    FILE *stream = oip_body_begin(out);
    if (!stream) {
        return false;
    }
    (void)fputc('[', stream);
    for (size_t i = 0; i < count; i++) {
        (void)fputs(i ? ",{\"name\":" : "{\"name\":", stream);
        text_json_string(stream, models[i].name);
        (void)fputs(",\"version\":", stream);
        text_json_string(stream, models[i].version);
        (void)fputs(",\"state\":\"READY\",\"reason\":\"\"}", stream);
    }
    (void)fputc(']', stream);
    return oip_body_finish(stream, out);
}

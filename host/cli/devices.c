/* vkdet devices: where a model can run. */
#include "host/cli/command.h"
#include "host/cli/console.h"
#include "host/cli/open.h"
#include "host/cli/report.h"

#include <stdio.h>
#include <stdlib.h>

static const char *kind_name(vkdet_device_kind kind)
{
    static const char *const names[] = {
        "reference", "discrete-gpu", "integrated-gpu", "virtual-gpu", "software", "other", "cpu"};
    return (size_t)kind < sizeof names / sizeof names[0] ? names[kind] : "other";
}

static json_t *device_json(const vkdet_device_info *d)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:b, s:b, s:s}", "id", d->id, "kind",
                     kind_name(d->kind), "name", d->name, "driver", d->driver, "api_version",
                     d->api_version, "vendor_id", (json_int_t)d->vendor_id, "device_id",
                     (json_int_t)d->device_id, "memory_bytes", (json_int_t)d->memory_bytes, "auto",
                     d->is_auto != 0, "usable", d->unusable[0] == 0, "unusable", d->unusable);
}

static json_t *list_devices(const vkdet_context *context)
{
    json_t *list = json_array();
    for (uint32_t i = 0; list && i < vkdet_device_count(context); i++) {
        vkdet_device_info info;
        json_t *entry = NULL;
        if (vkdet_device_describe(context, i, &info) == VKDET_OK) {
            entry = device_json(&info);
        }
        if (json_array_append_new(list, entry) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static int devices_run(const settings *s)
{
    static const report_column columns[] = {
        {"id", "id", false},
        {"kind", "kind", false},
        {"auto", "auto", false},
        {"name", "name", false},
        {"driver", "driver", false},
        {"Vulkan", "api_version", false},
        {"memory", "memory_bytes", true},
        {"unusable because", "unusable", false},
    };
    vkdet_context *context = NULL;
    int status = open_context(s, &context);
    if (status != EXIT_GOOD) {
        return status;
    }
    json_t *list = list_devices(context);
    if (!list) {
        console_error("the devices could not be listed: %s", vkdet_error_message());
        status = EXIT_DEVICE;
    } else if (s->json) {
        char *text = json_dumps(list, JSON_INDENT(1) | JSON_REAL_PRECISION(9));
        if (text) {
            (void)printf("%s\n", text);
        }
        status = text ? report_end() : EXIT_DEVICE;
        free(text);
    } else {
        report_table(list, columns, sizeof columns / sizeof columns[0]);
        status = report_end();
    }
    json_decref(list);
    vkdet_context_destroy(context);
    return status;
}

static const option_id devices_options[] = {OPTION_JSON,  OPTION_VALIDATE, OPTION_VERBOSE,
                                            OPTION_QUIET, OPTION_HELP,     OPTION_END};

const command command_devices = {
    .name = "devices",
    .operands = "",
    .summary = "list the devices that --device takes, and the one that auto picks",
    .details = "\n",
    .max_operands = 0,
    .options = devices_options,
    .run = devices_run,
};

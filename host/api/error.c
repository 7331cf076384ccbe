/* The calling thread's last error message, and the names of status codes. */
#include "host/api/api.h"

#include "shaders/shaders.h"

#include <assert.h>
#include <string.h>

#define SAME(a, b) static_assert((int)(a) == (int)(b), "public and internal status codes differ")
SAME(VKDET_OK, STATUS_OK);
SAME(VKDET_ERROR_ARGUMENT, STATUS_ARGUMENT);
SAME(VKDET_ERROR_MEMORY, STATUS_MEMORY);
SAME(VKDET_ERROR_IO, STATUS_IO);
SAME(VKDET_ERROR_MODEL, STATUS_MODEL);
SAME(VKDET_ERROR_IMAGE, STATUS_IMAGE);
SAME(VKDET_ERROR_UNSUPPORTED, STATUS_UNSUPPORTED);
SAME(VKDET_ERROR_LIMIT, STATUS_LIMIT);
SAME(VKDET_ERROR_DEVICE, STATUS_DEVICE);
SAME(VKDET_ERROR_DEVICE_LOST, STATUS_DEVICE_LOST);
SAME(VKDET_ERROR_TIMEOUT, STATUS_TIMEOUT);
SAME(VKDET_ERROR_BUSY, STATUS_BUSY);
SAME(VKDET_ERROR_DIVERGED, STATUS_DIVERGED);
SAME(VKDET_ERROR_INTERNAL, STATUS_INTERNAL);
#undef SAME

static _Thread_local char message[ERROR_TEXT_MAX];

vkdet_status api_return(const error *err, status code)
{
    if (code != STATUS_OK) {
        memcpy(message, err->text, sizeof message);
    }
    return (vkdet_status)code;
}

const char *vkdet_error_message(void)
{
    return message;
}

const char *vkdet_status_name(vkdet_status code)
{
    return status_name((status)code);
}

const char *vkdet_version(void)
{
    return VKDET_VERSION;
}

const char *vkdet_shader_digest(void)
{
    return shader_digest;
}

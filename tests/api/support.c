/* What the API tests share. */
#include "tests/api/support.h"

#include <unistd.h>

const char *api_device(void)
{
    const char *device = getenv("VKDET_TEST_DEVICE");
    return device && device[0] ? device : "reference";
}

static void to_stderr(void *user, vkdet_log_level level, const char *id, const char *message)
{
    (void)user;
    (void)level;
    (void)fprintf(stderr, "[%s] %s\n", id, message);
}

vkdet_context *api_context(void)
{
    const char *validate = getenv("VKDET_TEST_VALIDATE");
    vkdet_context_params params = {.log = to_stderr,
                                   .log_level = VKDET_LOG_WARNING,
                                   .validate = validate && validate[0] == '1'};
    vkdet_context *context = NULL;
    assert_vkdet(vkdet_context_create(&params, &context));
    return context;
}

void api_context_done(vkdet_context *context)
{
    uint64_t messages = vkdet_context_validation_messages(context);
    vkdet_context_destroy(context);
    if (messages) {
        (void)fprintf(stderr, "the validation layers had %llu messages\n",
                      (unsigned long long)messages);
        exit(EXIT_FAILURE); /* cmocka does not count what fails in a group's teardown */
    }
}

const char *api_convert(vkdet_context *context, const char *model_json, const char *card_path)
{
    static char path[4096];
    const char *folder = getenv("TMPDIR");
    (void)snprintf(path, sizeof path, "%s/vkdet-test-%ld.vkdet", folder ? folder : "/tmp",
                   (long)getpid());
    assert_vkdet(vkdet_convert(context, model_json, card_path, NULL, path));
    return path;
}

void api_remove_model(const char *path)
{
    (void)unlink(path);
}

float *api_read_floats(const char *path, size_t count)
{
    size_t size = 0;
    unsigned char *bytes = test_read_file(path, &size);
    float *floats = bytes && size == count * sizeof(float) ? malloc(size) : NULL;
    if (floats) {
        memcpy(floats, bytes, size);
    }
    free(bytes);
    return floats;
}

/* What the API tests share: a context whose log goes to a string, a model converted from the
 * external data, goldens. */
#ifndef TESTS_API_SUPPORT_H
#define TESTS_API_SUPPORT_H

#include "tests/support/test.h"
#include "vkdet.h"

/* The device under test: VKDET_TEST_DEVICE, or "reference". */
const char *api_device(void);

/* Errors and warnings go to stderr; VKDET_TEST_VALIDATE=1 turns the layers on. Fails the test when
 * it cannot be made. */
vkdet_context *api_context(void);
/* Destroys it and ends the program as failed when the validation layers had something to say. */
void api_context_done(vkdet_context *context);

/* Converts model.json with a card into a file of this process's own below TMPDIR; api_remove_model
 * deletes it. */
const char *api_convert(vkdet_context *context, const char *model_json, const char *card_path);
void api_remove_model(const char *path);

/* Floats of a raw little-endian file; NULL unless it holds exactly `count`. Release with free. */
float *api_read_floats(const char *path, size_t count);

#define assert_vkdet(call)                                                                         \
    do {                                                                                           \
        vkdet_status assert_vkdet_ = (call);                                                       \
        if (assert_vkdet_ != VKDET_OK) {                                                           \
            fail_msg("%s: %s: %s", #call, vkdet_status_name(assert_vkdet_),                        \
                     vkdet_error_message());                                                       \
        }                                                                                          \
    } while (0)

#endif

/* A program of somebody else: one picture in memory through the installed library, with a model of
 * its own or the library's, also when the model is missing. Prints what it found. */
#include <vkdet.h>

#include <stdio.h>

enum { SIDE = 32 };

static int detect(vkdet_context *context, const vkdet_model *model)
{
    /* a green square in the second cell of the second row */
    static unsigned char rgb[SIDE][SIDE][3];
    for (int y = 8; y < 16; y++) {
        for (int x = 8; x < 16; x++) {
            rgb[y][x][1] = 255;
        }
    }
    const vkdet_pixels pixels = {
        .format = VKDET_PIXEL_RGB8, .width = SIDE, .height = SIDE, .data = rgb};
    const vkdet_session_params params = {.device = "reference"};
    vkdet_session *session = NULL;
    const vkdet_result *result = NULL;
    int status = 1;
    if (vkdet_session_create(context, model, &params, &session) != VKDET_OK ||
        vkdet_session_detect(session, &pixels, 1, NULL, &result) != VKDET_OK) {
        (void)fprintf(stderr, "%s\n", vkdet_error_message());
    } else {
        for (uint32_t i = 0; i < result->count; i++) {
            const vkdet_detection *d = &result->detections[i];
            (void)printf("%s %.2f %g %g %g %g\n", vkdet_model_label(model, d->class_id, NULL),
                         (double)d->score, (double)d->box[0], (double)d->box[1], (double)d->box[2],
                         (double)d->box[3]);
        }
        status = 0;
    }
    vkdet_session_destroy(session);
    return status;
}

/* consumer MODEL: a container; without it the model that the library carries */
int main(int argc, char **argv)
{
    const char *path = argc > 1 ? argv[1] : NULL;
    vkdet_context *context = NULL;
    vkdet_model *model = NULL;
    int status = 1;
    if (vkdet_context_create(NULL, &context) != VKDET_OK) {
        (void)fprintf(stderr, "%s\n", vkdet_error_message());
        return 1;
    }
    if (vkdet_model_open(context, "no/such/model", &model) == VKDET_OK || model != NULL) {
        (void)fputs("a model that does not exist was opened\n", stderr);
    } else if ((path ? vkdet_model_open(context, path, &model)
                     : vkdet_model_open_builtin(context, &model)) != VKDET_OK) {
        (void)fprintf(stderr, "%s\n", vkdet_error_message());
    } else {
        vkdet_model_info info;
        vkdet_model_info_get(model, &info);
        (void)printf("%s\n", info.name);
        status = detect(context, model);
    }
    vkdet_model_destroy(model);
    vkdet_context_destroy(context);
    return status;
}

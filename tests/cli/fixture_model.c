/* The toy network: two convolutions and two heads, written out as a TensorFlow.js layers model. */
#include "tests/cli/fixture.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { BLOCK = 8, CHANNELS = 3, FEATURES = 2 };

/* features: relu of how green and how red an 8x8 block is; input 0..1, so a pure block gives 1 */
static const char network[] =
    "{\"format\":\"layers-model\",\"generatedBy\":\"cli_fixture\",\"convertedBy\":null,\n"
    "\"modelTopology\":{\"keras_version\":\"2.2.4\",\"backend\":\"tensorflow\",\n"
    "\"model_config\":{\"class_name\":\"Model\",\"config\":{\"name\":\"toy\",\"layers\":[\n"
    "{\"class_name\":\"InputLayer\",\"name\":\"picture\",\"inbound_nodes\":[],\n"
    " \"config\":{\"name\":\"picture\",\"dtype\":\"float32\",\n"
    "  \"batch_input_shape\":[null,32,32,3]}},\n"
    "{\"class_name\":\"Conv2D\",\"name\":\"blocks\",\n"
    " \"inbound_nodes\":[[[\"picture\",0,0,{}]]],\n"
    " \"config\":{\"name\":\"blocks\",\"filters\":2,\"kernel_size\":[8,8],\"strides\":[8,8],\n"
    "  \"padding\":\"valid\",\"data_format\":\"channels_last\",\"dilation_rate\":[1,1],\n"
    "  \"activation\":\"relu\",\"use_bias\":false}},\n"
    "{\"class_name\":\"Conv2D\",\"name\":\"boxes\",\n"
    " \"inbound_nodes\":[[[\"blocks\",0,0,{}]]],\n"
    " \"config\":{\"name\":\"boxes\",\"filters\":4,\"kernel_size\":[1,1],\"strides\":[1,1],\n"
    "  \"padding\":\"same\",\"data_format\":\"channels_last\",\"dilation_rate\":[1,1],\n"
    "  \"activation\":\"linear\",\"use_bias\":true}},\n"
    "{\"class_name\":\"Conv2D\",\"name\":\"classes\",\n"
    " \"inbound_nodes\":[[[\"blocks\",0,0,{}]]],\n"
    " \"config\":{\"name\":\"classes\",\"filters\":2,\"kernel_size\":[1,1],\"strides\":[1,1],\n"
    "  \"padding\":\"same\",\"data_format\":\"channels_last\",\"dilation_rate\":[1,1],\n"
    "  \"activation\":\"sigmoid\",\"use_bias\":true}},\n"
    "{\"class_name\":\"Reshape\",\"name\":\"box_rows\",\n"
    " \"inbound_nodes\":[[[\"boxes\",0,0,{}]]],\n"
    " \"config\":{\"name\":\"box_rows\",\"target_shape\":[-1,4]}},\n"
    "{\"class_name\":\"Reshape\",\"name\":\"class_rows\",\n"
    " \"inbound_nodes\":[[[\"classes\",0,0,{}]]],\n"
    " \"config\":{\"name\":\"class_rows\",\"target_shape\":[-1,2]}}],\n"
    "\"input_layers\":[[\"picture\",0,0]],\n"
    "\"output_layers\":[[\"box_rows\",0,0],[\"class_rows\",0,0]]}}},\n"
    "\"weightsManifest\":[{\"paths\":[\"weights.bin\"],\"weights\":[\n"
    "{\"name\":\"blocks/kernel\",\"shape\":[8,8,3,2],\"dtype\":\"float32\"},\n"
    "{\"name\":\"boxes/kernel\",\"shape\":[1,1,2,4],\"dtype\":\"float32\"},\n"
    "{\"name\":\"boxes/bias\",\"shape\":[4],\"dtype\":\"float32\"},\n"
    "{\"name\":\"classes/kernel\",\"shape\":[1,1,2,2],\"dtype\":\"float32\"},\n"
    "{\"name\":\"classes/bias\",\"shape\":[2],\"dtype\":\"float32\"}]}]}\n";

static const char card[] =
    "{\"schema\":1,\"name\":\"toy\",\"version\":\"1\",\"task\":\"detect\",\n"
    "\"source\":\"cli_fixture\",\"licence\":\"MIT\",\n"
    "\"input\":{\"width\":32,\"height\":32,\"channels\":\"rgb\",\"mean\":[0,0,0],\n"
    " \"deviation\":[255,255,255],\"fit\":\"stretch\",\"resize\":\"bilinear\"},\n"
    "\"outputs\":{\"boxes\":\"box_rows\",\"scores\":\"class_rows\"},\n"
    "\"labels\":[{\"language\":\"en\",\"names\":[\"mask\",\"no_mask\"]},\n"
    " {\"language\":\"zh\",\"names\":[\"\xe5\x8f\xa3\xe7\xbd\xa9\",\"\xe6\x97\xa0\"]}],\n"
    "\"anchors\":{\"combine\":\"first\",\"clip\":false,\n"
    " \"levels\":[{\"map\":[4,4],\"sizes\":[0.25],\"ratios\":[1]}]},\n"
    "\"coding\":{\"type\":\"centre-size\",\"variances\":[0.1,0.1,0.2,0.2]},\n"
    "\"nms\":{\"mode\":\"tfjs\",\"score_threshold\":0.5,\"iou_threshold\":0.5,\n"
    " \"max_detections\":16}}\n";

static bool write_file(const char *folder, const char *name, const void *bytes, size_t size)
{
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    if (!file) {
        perror(path);
        return false;
    }
    (void)fwrite(bytes, 1, size, file);
    return fclose(file) == 0;
}

int fixture_model(const char *folder)
{
    /* HWIO: the mean of green less red and blue, and of red less green and blue; 1/64 is exact */
    static const float of_channel[CHANNELS][FEATURES] = {{-1, 1}, {1, -1}, {-1, -1}};
    float kernel[BLOCK * BLOCK][CHANNELS][FEATURES];
    for (int pixel = 0; pixel < BLOCK * BLOCK; pixel++) {
        for (int c = 0; c < CHANNELS; c++) {
            for (int f = 0; f < FEATURES; f++) {
                kernel[pixel][c][f] = of_channel[c][f] / (float)(BLOCK * BLOCK);
            }
        }
    }
    static const float heads[8 + 4 + 4 + 2] = {
        0,  0,  0, 0,  0, 0, 0, 0, /* boxes/kernel: the box is the anchor */
        0,  0,  0, 0,              /* boxes/bias */
        12, 0,  0, 12,             /* classes/kernel */
        -6, -6,                    /* classes/bias: sigmoid(6) = 0.9975 where the cell has it */
    };
    float weights[sizeof kernel / sizeof(float) + sizeof heads / sizeof(float)];
    memcpy(weights, kernel, sizeof kernel);
    memcpy(weights + sizeof kernel / sizeof(float), heads, sizeof heads);
    bool good = write_file(folder, "model.json", network, sizeof network - 1) &&
                write_file(folder, "weights.bin", weights, sizeof weights) &&
                write_file(folder, "card.json", card, sizeof card - 1);
    return good ? 0 : 1;
}

/* A network with every operator. */
#include "tests/models/every_op.h"

/* every operator, every attribute off its default */
static const char every_op[] =
    "{'class_name':'Model','config':{'name':'net','layers':["
    "{'class_name':'InputLayer','name':'in','config':{},'inbound_nodes':[]},"
    "{'class_name':'Conv2D','name':'conv','config':{'filters':4,'kernel_size':[3,2],"
    "'padding':'same','activation':'relu6','dilation_rate':[1,2]},'inbound_nodes':[[['in',0,0]]]},"
    "{'class_name':'Conv2D','name':'grouped','config':{'filters':4,'kernel_size':1,'groups':2,"
    "'use_bias':false,'activation':'elu'},'inbound_nodes':[[['conv',0,0]]]},"
    "{'class_name':'DepthwiseConv2D','name':'depthwise','config':{'kernel_size':2,'strides':2,"
    "'depth_multiplier':2,'activation':'swish'},'inbound_nodes':[[['grouped',0,0]]]},"
    "{'class_name':'BatchNormalization','name':'bn','config':{'epsilon':0.0123,'scale':false},"
    "'inbound_nodes':[[['depthwise',0,0]]]},"
    "{'class_name':'PReLU','name':'prelu','config':{'shared_axes':[1,2]},"
    "'inbound_nodes':[[['bn',0,0]]]},"
    "{'class_name':'ReLU','name':'relu','config':{'max_value':1.7,'negative_slope':0.1,"
    "'threshold':0.2},'inbound_nodes':[[['prelu',0,0]]]},"
    "{'class_name':'ZeroPadding2D','name':'pad','config':{'padding':[[1,2],[3,4]]},"
    "'inbound_nodes':[[['relu',0,0]]]},"
    "{'class_name':'Cropping2D','name':'crop','config':{'cropping':[[0,1],[2,1]]},"
    "'inbound_nodes':[[['pad',0,0]]]},"
    "{'class_name':'MaxPooling2D','name':'max','config':{'pool_size':2,'strides':1,"
    "'padding':'same'},'inbound_nodes':[[['crop',0,0]]]},"
    "{'class_name':'AveragePooling2D','name':'mean','config':{'pool_size':[2,3],'strides':1,"
    "'padding':'same'},'inbound_nodes':[[['crop',0,0]]]},"
    "{'class_name':'Add','name':'add','config':{},'inbound_nodes':[[['max',0,0],['mean',0,0]]]},"
    "{'class_name':'Multiply','name':'multiply','config':{},"
    "'inbound_nodes':[[['add',0,0],['max',0,0]]]},"
    "{'class_name':'UpSampling2D','name':'up','config':{'size':[2,1],'interpolation':'bilinear'},"
    "'inbound_nodes':[[['multiply',0,0]]]},"
    "{'class_name':'UpSampling2D','name':'up2','config':{'size':[1,2]},"
    "'inbound_nodes':[[['up',0,0]]]},"
    "{'class_name':'Concatenate','name':'cat','config':{'axis':2},"
    "'inbound_nodes':[[['up',0,0],['up2',0,0]]]},"
    "{'class_name':'Reshape','name':'reshape','config':{'target_shape':[-1,8]},"
    "'inbound_nodes':[[['cat',0,0]]]},"
    "{'class_name':'Permute','name':'permute','config':{'dims':[2,1]},"
    "'inbound_nodes':[[['reshape',0,0]]]},"
    "{'class_name':'Softmax','name':'softmax','config':{},'inbound_nodes':[[['permute',0,0]]]},"
    "{'class_name':'GlobalAveragePooling2D','name':'global','config':{},"
    "'inbound_nodes':[[['cat',0,0]]]},"
    "{'class_name':'Dense','name':'dense','config':{'units':3,'activation':'tanh'},"
    "'inbound_nodes':[[['global',0,0]]]},"
    "{'class_name':'Activation','name':'hard','config':{'activation':'hard_sigmoid'},"
    "'inbound_nodes':[[['dense',0,0]]]},"
    "{'class_name':'Activation','name':'sigmoid','config':{'activation':'sigmoid'},"
    "'inbound_nodes':[[['hard',0,0]]]}],"
    "'input_layers':[['in',0,0]],"
    "'output_layers':[['softmax',0,0],['sigmoid',0,0],['in',0,0]]}}";

static const char every_op_weights[] =
    "conv/kernel:3,2,3,4 conv/bias:4 grouped/kernel:1,1,2,4 depthwise/depthwise_kernel:2,2,4,2 "
    "depthwise/bias:8 bn/beta:8 bn/moving_mean:8 bn/moving_variance:8 prelu/alpha:1,1,8 "
    "dense/kernel:8,3 dense/bias:3";

void write_every_op(written *w)
{
    error err = {0};
    fixture f;
    fixture_init(&f, 6, 5, 3);
    fixture_formula(&f, every_op_weights);
    w->g = fixture_graph(&f, every_op);
    w->card = fixture_card(6, 5, "sigmoid", 3);
    (void)snprintf(w->path, sizeof w->path, "%s", fixture_path("every.vkdet"));
    assert_status_ok(model_write(&allocator_default, w->g, w->card, strlen(w->card), WEIGHTS_FP32,
                                 w->path, &err),
                     err);
    w->bytes = test_read_file(w->path, &w->size);
    assert_non_null(w->bytes);
}

void written_done(written *w)
{
    graph_destroy(w->g);
    free(w->card);
    free(w->bytes);
}

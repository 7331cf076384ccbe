/* The program's commands: what main.c dispatches to, one file a command. */
#ifndef HOST_CLI_COMMAND_H
#define HOST_CLI_COMMAND_H

#include "host/cli/options.h"

/* Exit statuses, documented in docs/vkdet.1. The first that applies ends the program, but for
 * inputs: the rest of them is still worked on. */
enum {
    EXIT_GOOD = 0,
    EXIT_INPUT = 1, /* some inputs failed, or verify found a step outside its contract */
    EXIT_USAGE = 2,
    EXIT_DEVICE = 3, /* no such device, it failed, or memory ran out */
    EXIT_MODEL = 4,
    EXIT_OUTPUT = 5,
    EXIT_WITHHELD = 6, /* bench: a score whose check failed was withheld */
    EXIT_SLOWER = 7,   /* bench --compare: something is slower */
    EXIT_SIGNAL = 128  /* and the number of the signal that stopped it */
};

typedef struct command {
    const char *name;
    const char *operands;           /* as the usage line shows them */
    const char *summary;            /* one line of the overview */
    const char *details;            /* paragraphs of its own help, before the options */
    int min_operands, max_operands; /* max_operands -1: any number */
    bool takes_model;               /* the first of them is MODEL, unless --model names it */
    const option_id *options;       /* in the order of the help text, ended by OPTION_END */
    int (*run)(const settings *s);
} command;

extern const command command_detect, command_val, command_convert, command_inspect, command_plan,
    command_verify, command_devices, command_bench, command_serve;

#endif

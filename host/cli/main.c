/* vkdet, the program: a table of commands, and the dispatch. It knows the library by its public
 * header alone. */
#include "host/cli/command.h"
#include "host/cli/console.h"

#include "vkdet.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const option_id help_options[] = {OPTION_HELP, OPTION_END};

static int help_run(const settings *s);

static const command command_help = {
    .name = "help",
    .operands = "[COMMAND]",
    .summary = "this overview, or the help of one command",
    .details = "",
    .max_operands = 1,
    .options = help_options,
    .run = help_run,
};

static const command *const table[] = {
    &command_detect, &command_val,     &command_convert, &command_inspect, &command_plan,
    &command_verify, &command_devices, &command_bench,   &command_serve,   &command_help};
enum { TABLE_COUNT = sizeof table / sizeof table[0] };

static const command *command_find(const char *name)
{
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        if (strcmp(table[i]->name, name) == 0) {
            return table[i];
        }
    }
    return NULL;
}

static void print_overview(FILE *out)
{
    (void)fprintf(out,
                  "vkdet %s: anchor-based object detection on any Vulkan device\n\n"
                  "usage: vkdet COMMAND [OPTION]... [OPERAND]...\n\ncommands:\n",
                  vkdet_version());
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        (void)fprintf(out, "  %-9s %s\n", table[i]->name, table[i]->summary);
    }
    (void)fputs("\nvkdet COMMAND --help tells the options of one; vkdet --version the version.\n"
                "Exit status: 0 good, 1 some inputs failed, 2 usage, 3 device, 4 model, 5 output,\n"
                "6 a score withheld, 7 slower (both of bench).\n"
                "The manual: man vkdet.\n",
                out);
}

static void print_help(const command *c)
{
    (void)printf("usage: vkdet %s [OPTION]... %s\n\n%s.\n%s\noptions:\n", c->name, c->operands,
                 c->summary, c->details);
    options_print(c->options);
}

static int help_run(const settings *s)
{
    if (s->operand_count == 0) {
        print_overview(stdout);
        return EXIT_GOOD;
    }
    const command *c = command_find(s->operands[0]);
    if (!c) {
        console_error("no command \"%s\" (vkdet --help lists them)", s->operands[0]);
        return EXIT_USAGE;
    }
    print_help(c);
    return EXIT_GOOD;
}

static int run(int argc, char **argv)
{
    if (argc < 2) {
        print_overview(stderr);
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
        (void)printf("vkdet %s\n", vkdet_version());
        return EXIT_GOOD;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        print_overview(stdout);
        return EXIT_GOOD;
    }
    const command *c = command_find(argv[1]);
    if (!c) {
        console_error("no command \"%s\" (vkdet --help lists them)", argv[1]);
        return EXIT_USAGE;
    }
    settings s;
    if (!options_parse(c, argc - 1, argv + 1, &s)) {
        return EXIT_USAGE;
    }
    if (s.help) {
        print_help(c);
        return EXIT_GOOD;
    }
    console_start(s.quiet ? CONSOLE_QUIET : s.verbose ? CONSOLE_VERBOSE : CONSOLE_NORMAL);
    return c->run(&s);
}

/* A standard stream that the parent closed must not become the number of a file opened later. The
 * place is taken by something that fails when it is used, but for standard error. */
static void occupy_standard_streams(void)
{
    static const int modes[] = {O_WRONLY, O_RDONLY, O_WRONLY};
    for (int i = 0; i < 3; i++) {
        if (fcntl(i, F_GETFD) == -1) {
            (void)open("/dev/null", modes[i]); /* the lowest free number, which is i */
        }
    }
}

int main(int argc, char **argv)
{
    occupy_standard_streams();
    /* A reader that leaves early and a file that may not grow further are output errors like a full
     * disk, told by the write. */
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN);
    int status = run(argc, argv);
    errno = 0;
    if ((ferror(stdout) | fclose(stdout)) != 0 && status != EXIT_OUTPUT) {
        console_error("standard output: %s", errno ? strerror(errno) : "write failed");
        status = EXIT_OUTPUT;
    }
    return status;
}

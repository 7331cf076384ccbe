/* Any bytes as the document of a bench run (--from), and behind the first byte 0 the one that it is
 * compared with (--compare; itself without). What can be read is shown in every way there is. */
#include "host/cli/bench.h"
#include "host/cli/command.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char path[] = "/tmp/fuzz_bench_XXXXXX";

static void forget(void)
{
    (void)unlink(path);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    int file = mkstemp(path);
    if (file < 0 || close(file) != 0 || atexit(forget) != 0) {
        return 1;
    }
    /* lines and messages are made, not looked at; libFuzzer has a copy of standard error */
    return freopen("/dev/null", "w", stdout) ? 0 : 1;
}

static json_t *load(const uint8_t *data, size_t size)
{
    json_t *document = NULL;
    FILE *file = fopen(path, "wb");
    if (!file) {
        return NULL;
    }
    bool written = fwrite(data, 1, size, file) == size;
    written = fclose(file) == 0 && written;
    return written && bench_document_load(path, &document) == EXIT_GOOD ? document : NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *zero = size ? memchr(data, 0, size) : NULL;
    size_t length = zero ? (size_t)(zero - data) : size;
    json_t *document = load(data, length);
    json_t *base = zero ? load(zero + 1, size - length - 1) : json_deep_copy(document);
    if (document) {
        if (base) {
            (void)bench_compare(document, base, path, 0.02);
        }
        (void)bench_print_csv(document);
        (void)bench_print_lines(document);
        (void)bench_report_write(document, path);
    }
    json_decref(document);
    json_decref(base);
    return 0;
}

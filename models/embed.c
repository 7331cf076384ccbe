/* embed MODEL.json CARD.json CONTAINER OUT.c: makes the container of a network file and writes it
 * as C source that defines model_builtin (builtin.h). Part of the build, not of the library. The
 * same files give the same bytes, whatever the machine, the time and the paths are. */
#include "models/files.h"
#include "models/model.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* An installed program should not grow by more than this without somebody deciding so. */
enum { CONTAINER_MAX = 3 << 19, WORDS_A_LINE = 4 };

/* Text of words, so that the array is aligned for what lies in it. A container is little-endian,
 * and so is every machine that maps one (container.h). */
static int write_source(FILE *file, const unsigned char *bytes, size_t size)
{
    size_t words = (size + 7) / 8;
    int good = fprintf(file,
                       "/* Made by models/embed.c. */\n"
                       "#include \"models/builtin.h\"\n\n"
                       "#include <stdint.h>\n\n"
                       "static const _Alignas(64) uint64_t words[%zu] = {\n",
                       words);
    for (size_t i = 0; good >= 0 && i < words; i++) {
        uint64_t word = 0;
        for (size_t b = 0; b < 8 && 8 * i + b < size; b++) {
            word |= (uint64_t)bytes[8 * i + b] << 8 * b;
        }
        good = fprintf(file, "0x%016" PRIx64 ",%s", word, (i + 1) % WORDS_A_LINE ? "" : "\n");
    }
    return good < 0
               ? good
               : fprintf(file, "\n};\nconst builtin_model model_builtin = {words, %zu};\n", size);
}

static status write_file(const char *path, const unsigned char *bytes, size_t size, error *err)
{
    FILE *file = fopen(path, "wb");
    if (!file) {
        return error_set(err, STATUS_IO, "%s: cannot be written", path);
    }
    int wrote = write_source(file, bytes, size);
    return (fclose(file) == 0 && wrote >= 0)
               ? STATUS_OK
               : error_set(err, STATUS_IO, "%s: cannot be written", path);
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        (void)fprintf(stderr, "usage: embed MODEL.json CARD.json CONTAINER OUT.c\n");
        return 2;
    }
    error err = {0};
    unsigned char *bytes = NULL;
    size_t size = 0;
    status code = model_convert(&allocator_default, argv[1], argv[2], WEIGHTS_EXACT, argv[3], &err);
    if (code == STATUS_OK) {
        code = file_read(&allocator_default, argv[3], CONTAINER_MAX, &bytes, &size, &err);
    }
    if (code == STATUS_OK) {
        code = write_file(argv[4], bytes, size, &err);
    }
    memory_release(&allocator_default, bytes);
    if (code != STATUS_OK) {
        (void)fprintf(stderr, "embed: %s\n", err.text);
        return 1;
    }
    return 0;
}

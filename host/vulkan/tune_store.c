/* The tuner's choices on disk. */
#include "host/vulkan/tune_store.h"

#include "host/vulkan/cache_file.h"
#include "shaders/shaders.h"

#include <stdio.h>
#include <string.h>

enum {
    TUNE_VERSION = 1,
    OFFSET_VERSION = 8,
    OFFSET_VENDOR = 12,
    OFFSET_DEVICE = 16,
    OFFSET_DRIVER = 20,
    OFFSET_UUID = 24,
    OFFSET_DIGEST = 40,
    OFFSET_PRECISION = 104,
    OFFSET_WINOGRAD = 106,
    OFFSET_BATCH = 108,
    OFFSET_CANDIDATES = 112,
    OFFSET_HOW = TUNE_KEY_BYTES,
    OFFSET_COUNT = OFFSET_HOW + 4,
    OFFSET_CHOICES = OFFSET_COUNT + 4,
    HASH_BYTES = 8,
    MAX_BYTES = 1 << 20, /* no network has so many steps */
    NAME_BYTES = 80
};

static const unsigned char magic[8] = {'v', 'k', 'd', 'e', 't', 't', 'n', '\n'};

uint64_t tune_step_hash(uint64_t hash, const plan_step *s)
{
    hash = bytes_hash(hash, &s->tunable, sizeof s->tunable);
    hash = bytes_hash(hash, &s->variant_index, sizeof s->variant_index);
    hash = bytes_hash(hash, &s->variant_count, sizeof s->variant_count);
    hash = bytes_hash(hash, s->shader, strlen(s->shader) + 1);
    hash = bytes_hash(hash, s->constants, s->constant_count * sizeof *s->constants);
    hash = bytes_hash(hash, s->groups, sizeof s->groups);
    hash = bytes_hash(hash, &s->rows, sizeof s->rows);
    hash = bytes_hash(hash, &s->tile_rows, sizeof s->tile_rows);
    return bytes_hash(hash, &s->row_groups, sizeof s->row_groups);
}

void tune_key_make(const physical_device *p, plan_precision precision, plan_winograd winograd,
                   uint32_t batch, uint64_t candidates, tune_key *out)
{
    unsigned char *b = out->bytes;
    memset(b, 0, sizeof out->bytes);
    memcpy(b, magic, sizeof magic);
    bytes_put(b + OFFSET_VERSION, TUNE_VERSION, 4);
    bytes_put(b + OFFSET_VENDOR, p->properties.vendorID, 4);
    bytes_put(b + OFFSET_DEVICE, p->properties.deviceID, 4);
    bytes_put(b + OFFSET_DRIVER, p->properties.driverVersion, 4);
    memcpy(b + OFFSET_UUID, p->properties.pipelineCacheUUID, VK_UUID_SIZE);
    for (size_t i = 0; i < OFFSET_PRECISION - OFFSET_DIGEST && shader_digest[i]; i++) {
        b[OFFSET_DIGEST + i] = (unsigned char)shader_digest[i];
    }
    bytes_put(b + OFFSET_PRECISION, (uint64_t)precision, 2);
    bytes_put(b + OFFSET_WINOGRAD, (uint64_t)winograd, 2);
    bytes_put(b + OFFSET_BATCH, batch, 4);
    bytes_put(b + OFFSET_CANDIDATES, candidates, 8);
}

const char *tune_parse(const unsigned char *bytes, size_t size, const tune_key *key,
                       const uint8_t *variants, uint32_t count, vkdet_tune *how, uint8_t *choices)
{
    if (size < OFFSET_CHOICES + HASH_BYTES || memcmp(bytes, magic, sizeof magic) != 0) {
        return "it holds no choices of kernels";
    }
    if (bytes_get(bytes + OFFSET_VERSION, 4) != TUNE_VERSION) {
        return "it has another version";
    }
    if (memcmp(bytes, key->bytes, sizeof key->bytes) != 0) {
        return "it belongs to another device, driver, network or version of vkdet";
    }
    const uint64_t stored = bytes_get(bytes + OFFSET_COUNT, 4);
    if (stored != size - OFFSET_CHOICES - HASH_BYTES || stored != count) {
        return "it is cut short";
    }
    if (bytes_get(bytes + size - HASH_BYTES, HASH_BYTES) !=
        bytes_hash(BYTES_HASH_SEED, bytes, size - HASH_BYTES)) {
        return "its checksum is wrong";
    }
    const uint64_t tried = bytes_get(bytes + OFFSET_HOW, 4);
    if (tried != VKDET_TUNE_QUICK && tried != VKDET_TUNE_FULL) {
        return "it does not say how it was made";
    }
    for (uint32_t i = 0; i < count; i++) {
        if (bytes[OFFSET_CHOICES + i] >= variants[i]) {
            return "it names a kernel that does not exist";
        }
    }
    *how = (vkdet_tune)tried;
    for (uint32_t i = 0; i < count; i++) {
        choices[i] = bytes[OFFSET_CHOICES + i];
    }
    return NULL;
}

/* dir/tuning-VENDOR-DEVICE-DRIVER-HASH.bin, the hash of all that the file begins with */
static char *path_make(const allocator *a, const char *dir, const tune_key *key, error *err)
{
    const unsigned char *b = key->bytes;
    const size_t size = strlen(dir) + NAME_BYTES;
    char *path = memory_allocate(a, size, 1);
    if (!path) {
        (void)error_set(err, STATUS_MEMORY, "out of memory for a path in %s", dir);
        return NULL;
    }
    (void)snprintf(path, size, "%s/tuning-%04x-%04x-%08x-%016llx.bin", dir,
                   (unsigned)bytes_get(b + OFFSET_VENDOR, 4),
                   (unsigned)bytes_get(b + OFFSET_DEVICE, 4),
                   (unsigned)bytes_get(b + OFFSET_DRIVER, 4),
                   (unsigned long long)bytes_hash(BYTES_HASH_SEED, b, sizeof key->bytes));
    return path;
}

status tune_store_read(const allocator *a, const logger *log, const char *dir, const tune_key *key,
                       const uint8_t *variants, uint32_t count, vkdet_tune *how, uint8_t *choices,
                       error *err)
{
    *how = VKDET_TUNE_OFF;
    char *path = path_make(a, dir, key, err);
    if (!path) {
        return STATUS_MEMORY;
    }
    unsigned char *bytes = NULL;
    size_t size = 0;
    const char *reason = NULL;
    const status s = cache_file_read(a, path, MAX_BYTES, &bytes, &size, &reason, err);
    if (bytes) {
        reason = tune_parse(bytes, size, key, variants, count, how, choices);
    }
    if (reason) {
        log_write(log, LOG_tuning_ignored, "%s: %s", path, reason);
    } else if (bytes) {
        log_write(log, LOG_tuning_loaded, "%s: %s", path,
                  count ? "the choices of kernels" : "these kernels were found right");
    }
    memory_release(a, bytes);
    memory_release(a, path);
    return s;
}

void tune_store_write(const allocator *a, const logger *log, const char *dir, const tune_key *key,
                      vkdet_tune how, const uint8_t *choices, uint32_t count)
{
    unsigned char numbers[OFFSET_CHOICES - OFFSET_HOW], hash[HASH_BYTES];
    bytes_put(numbers, how, 4);
    bytes_put(numbers + 4, count, 4);
    uint64_t sum = bytes_hash(BYTES_HASH_SEED, key->bytes, sizeof key->bytes);
    sum = bytes_hash(sum, numbers, sizeof numbers);
    sum = bytes_hash(sum, choices, count);
    bytes_put(hash, sum, sizeof hash);
    const cache_part parts[] = {{key->bytes, sizeof key->bytes},
                                {numbers, sizeof numbers},
                                {count ? choices : numbers, count},
                                {hash, sizeof hash}};
    error err = {0};
    char *path = path_make(a, dir, key, &err);
    const int failed = path ? cache_file_write(a, dir, path, parts, 4) : 0;
    if (!path || failed) {
        log_write(log, LOG_tuning_not_kept, "%s: %s", path ? path : dir,
                  path ? strerror(failed) : err.text);
    }
    memory_release(a, path);
}

/* --- plans that were checked --- */

static void check_key(const vulkan_instance *v, uint32_t index, const plan *p, tune_key *out)
{
    uint64_t hash = BYTES_HASH_SEED;
    for (size_t i = 0; i < p->step_count; i++) {
        hash = tune_step_hash(hash, &p->steps[i]);
    }
    tune_key_make(&v->devices[index], p->options.precision, p->options.winograd, 0, hash, out);
}

status vulkan_check_passed(const vulkan_instance *v, uint32_t index, const allocator *a,
                           const logger *log, const char *dir, const plan *p, bool *passed,
                           error *err)
{
    tune_key key;
    vkdet_tune how = VKDET_TUNE_OFF;
    status s = STATUS_OK;
    if (dir) {
        check_key(v, index, p, &key);
        s = tune_store_read(a, log, dir, &key, NULL, 0, &how, NULL, err);
    }
    *passed = how != VKDET_TUNE_OFF;
    return s;
}

void vulkan_check_keep(const vulkan_instance *v, uint32_t index, const allocator *a,
                       const logger *log, const char *dir, const plan *p)
{
    tune_key key;
    if (dir) {
        check_key(v, index, p, &key);
        tune_store_write(a, log, dir, &key, VKDET_TUNE_FULL, NULL, 0);
    }
}

/* The roofs of this CPU, all cores together: multiply-adds in registers, where there is a kernel of
 * them (peak.h), else a convolution large enough to be nothing but arithmetic, by the code that
 * networks run; and memory read and copied beyond the caches. */
#include "host/clock.h"
#include "host/cpu/backend.h"
#include "host/cpu/peak.h"

#include <math.h>
#include <string.h>

enum { SIDE = 48, CHANNELS = 128, BLOCK_BYTES = 128 * 1024 * 1024, ROUNDS = 5 };

/* what each arithmetic peak takes: the best of all rounds in it counts */
static const uint64_t arithmetic_ns = 500000000;

/* --- arithmetic in registers --- */

enum { MOST_TURNS = 1 << 30 };

typedef struct register_job {
    const peak_kernel *what;
    uint32_t turns;
} register_job;

static void multiply_add(void *user, uint32_t member)
{
    const register_job *j = user;
    (void)member;
    float sums[PEAK_SUMS];
    for (int i = 0; i < PEAK_SUMS; i++) {
        sums[i] = 0x1.007ep-1f; /* as two bfloat16 numbers, 0.5 and 0.5 */
    }
    j->what->run(j->turns, sums);
}

/* The best round counts; one is long enough that waking the members is nothing beside it. */
static double measure_registers(team *t, const peak_kernel *what)
{
    const uint64_t round_ns = 2000000, end = clock_ns() + arithmetic_ns;
    register_job j = {what, 1024};
    double best = 0;
    while (clock_ns() < end) {
        const uint64_t begin = clock_ns();
        team_run(t, multiply_add, &j);
        const uint64_t took = clock_ns() - begin;
        if (took < round_ns && j.turns < MOST_TURNS) {
            j.turns *= 2;
            continue;
        }
        best = fmax(best, what->flops * j.turns * team_members(t) / (double)took * 1e9);
    }
    return best;
}

/* --- arithmetic of a convolution --- */

typedef struct bench {
    program *program;
    team *team;
    worker *workers;
    unsigned char *arenas;
    size_t arena_bytes; /* of one member */
    atomic_bool failed;
} bench;

/* the last step of the program, by every member on values of its own */
static void convolve(void *user, uint32_t member)
{
    bench *b = user;
    const step *s = &b->program->steps[b->program->step_count - 1];
    worker *w = &b->workers[member];
    w->arena = (unsigned char *)align_up(b->arenas) + member * b->arena_bytes;
    for (uint32_t item = 0; item < s->items; item++) {
        if (s->run(b->program, s, w, item, NULL) != STATUS_OK) {
            atomic_store(&b->failed, true);
        }
    }
}

static status add_convolution(graph *g, int *v, uint32_t channels, error *err)
{
    const uint32_t in = g->values[*v].shape.dim[2];
    const size_t count = (size_t)9 * in * channels;
    float *data = region_allocate(g->memory, count, sizeof *data);
    int weights[2] = {GRAPH_NONE, GRAPH_NONE}, index = 0;
    if (!data) {
        return error_set(err, STATUS_MEMORY, "out of memory for a measurement");
    }
    for (size_t i = 0; i < count; i++) {
        data[i] = 0.01f;
    }
    status code =
        graph_add_weight(g, "kernel", (shape){4, {3, 3, in, channels}}, data, &weights[0], err);
    node n = {.op = OP_CONV2D,
              .name = "peak",
              .input_count = 1,
              .weight_count = 2,
              .inputs = v,
              .weights = weights};
    n.attributes.conv =
        (conv2d_attributes){.window = {3, 3, 1, 1, 1, 1, 1, 1, 1, 1}, .groups = 1, .branches = 1};
    n.output_count = 2;
    if (code == STATUS_OK) {
        code = graph_add_node(g, &n, &index, err);
    }
    if (code == STATUS_OK) {
        *v = g->nodes[index].outputs[0];
    }
    return code;
}

static status bench_create(const allocator *a, const graph *g, const preprocess *pre, team *t,
                           element e, bench *b, error *err)
{
    const uint32_t members = team_members(t);
    const program_params params = {.alloc = a,
                                   .graph = g,
                                   .preprocess = pre,
                                   .call = &onednn_library,
                                   .workers = members,
                                   .element = e};
    *b = (bench){.team = t};
    status code = program_create(&params, &b->program, err);
    if (code != STATUS_OK) {
        return code;
    }
    b->workers = memory_allocate(a, members, sizeof *b->workers);
    b->arena_bytes = b->program->arena_bytes; /* whole cache lines */
    b->arenas = memory_allocate(a, b->arena_bytes + CACHE_LINE, members);
    if (!b->workers || !b->arenas) {
        return error_set(err, STATUS_MEMORY, "out of memory for a measurement");
    }
    for (uint32_t i = 0; code == STATUS_OK && i < members; i++) {
        code = worker_create(b->program, i, 0, &b->workers[i], err);
    }
    return code;
}

static void bench_destroy(const allocator *a, bench *b)
{
    for (uint32_t i = 0; b->workers && i < team_members(b->team); i++) {
        worker_destroy(b->program, &b->workers[i]);
    }
    memory_release(a, b->workers);
    memory_release(a, b->arenas);
    program_destroy(b->program);
}

static status measure_arithmetic(const allocator *a, const graph *g, const preprocess *pre, team *t,
                                 element e, double *flops, error *err)
{
    bench b;
    uint64_t best = UINT64_MAX;
    status code = bench_create(a, g, pre, t, e, &b, err);
    const uint64_t end = clock_ns() + arithmetic_ns;
    while (code == STATUS_OK && clock_ns() < end) {
        const uint64_t begin = clock_ns();
        team_run(t, convolve, &b);
        const uint64_t took = clock_ns() - begin;
        best = took < best ? took : best;
        if (atomic_load(&b.failed)) {
            code = error_set(err, STATUS_DEVICE, "oneDNN: a convolution failed");
        }
    }
    if (code == STATUS_OK) {
        const step *s = &b.program->steps[b.program->step_count - 1];
        *flops = (double)s->flops * team_members(t) / (double)best * 1e9;
    }
    bench_destroy(a, &b);
    return code;
}

static status measure_convolutions(const allocator *a, team *t, bool floats, bool halves,
                                   vkdet_device_peaks *out, error *err)
{
    const preprocess pre = {.width = SIDE, .height = SIDE, .deviation = {1, 1, 1}};
    graph *g = NULL;
    status code = graph_create(a, &g, err);
    int v = GRAPH_NONE;
    if (code == STATUS_OK) {
        code = graph_add_value(g, "input", (shape){3, {SIDE, SIDE, 3}}, &v, err);
    }
    if (code == STATUS_OK) {
        g->input = v;
        code = add_convolution(g, &v, CHANNELS, err);
    }
    if (code == STATUS_OK) {
        code = add_convolution(g, &v, CHANNELS, err);
    }
    if (code == STATUS_OK) {
        code = graph_set_outputs(g, &v, 1, err);
    }
    if (code == STATUS_OK && floats) {
        code = measure_arithmetic(a, g, &pre, t, IN_F32, &out->fp32_flops, err);
    }
    if (code == STATUS_OK && halves) {
        code = measure_arithmetic(a, g, &pre, t, IN_BF16, &out->bf16_flops, err);
    }
    graph_destroy(g);
    return code;
}

static status measure_all_arithmetic(const allocator *a, team *t, vkdet_device_peaks *out,
                                     error *err)
{
    const peak_kernel *floats = peak_pick(), *halves = peak_halves_pick();
    if (floats) {
        out->fp32_flops = measure_registers(t, floats);
    }
    if (halves) {
        out->bf16_flops = measure_registers(t, halves);
    }
    const bool bf16_left = !halves && cpu_has_bf16();
    return !floats || bf16_left ? measure_convolutions(a, t, !floats, bf16_left, out, err)
                                : STATUS_OK;
}

/* --- memory --- */

typedef struct memory_job {
    unsigned char *from, *to;
    size_t bytes; /* a member's */
    double sums[CACHE_LINE];
} memory_job;

static void copy_part(void *user, uint32_t member)
{
    memory_job *j = user;
    memcpy(j->to + member * j->bytes, j->from + member * j->bytes, j->bytes);
}

static void read_part(void *user, uint32_t member)
{
    memory_job *j = user;
    const uint64_t *words = (const uint64_t *)(const void *)(j->from + member * j->bytes);
    uint64_t sum = 0;
    for (size_t i = 0; i < j->bytes / sizeof *words; i++) {
        sum += words[i];
    }
    j->sums[member % CACHE_LINE] = (double)sum; /* so that it is not left out */
}

static void do_nothing(void *user, uint32_t member)
{
    (void)user;
    (void)member;
}

static double best_seconds(team *t, team_job job, void *user, int rounds)
{
    uint64_t best = UINT64_MAX;
    for (int i = 0; i < rounds; i++) {
        const uint64_t begin = clock_ns();
        team_run(t, job, user);
        const uint64_t took = clock_ns() - begin;
        best = took < best ? took : best;
    }
    return (double)(best ? best : 1) * 1e-9;
}

static status measure_memory(const allocator *a, team *t, vkdet_device_peaks *out, error *err)
{
    const size_t part = BLOCK_BYTES / team_members(t) / CACHE_LINE * CACHE_LINE;
    const double all = (double)part * team_members(t);
    memory_job j = {.bytes = part};
    j.from = memory_allocate(a, BLOCK_BYTES, 1);
    j.to = memory_allocate(a, BLOCK_BYTES, 1);
    status code = STATUS_OK;
    if (!j.from || !j.to) {
        code = error_set(err, STATUS_MEMORY, "out of memory for a measurement");
    } else {
        memset(j.from, 1, BLOCK_BYTES);
        out->copy_bytes = 2 * all / best_seconds(t, copy_part, &j, ROUNDS);
        out->read_bytes = all / best_seconds(t, read_part, &j, ROUNDS);
        out->dispatch_ns = best_seconds(t, do_nothing, NULL, 1000) * 1e9;
    }
    memory_release(a, j.from);
    memory_release(a, j.to);
    return code;
}

status cpu_peaks_measure(const allocator *a, vkdet_device_peaks *out, error *err)
{
    team *t = NULL;
    vkdet_device_peaks peaks = {0};
    status code = team_create(a, cpu_cores(), &t, err);
    if (code == STATUS_OK) {
        code = measure_all_arithmetic(a, t, &peaks, err);
    }
    if (code == STATUS_OK) {
        code = measure_memory(a, t, &peaks, err);
    }
    team_destroy(t);
    if (code == STATUS_OK) {
        *out = peaks;
    }
    return code;
}

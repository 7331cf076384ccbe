/* Arena offsets by greedy best-fit-last: the largest request first, each at the lowest offset where
 * it overlaps nothing that is live at the same time (Pisarchyk and Lee, Efficient Memory Management
 * for Deep Neural Net Inference, 2020, "greedy by size"). */
#include "engine/plan.h"

#include <stdlib.h>
#include <string.h>

typedef struct item {
    uint64_t words; /* rounded up to the alignment */
    size_t request;
    uint32_t first_level;
} item;

static int compare_items(const void *a, const void *b)
{
    const item *x = a, *y = b;
    if (x->words != y->words) {
        return x->words > y->words ? -1 : 1;
    }
    if (x->first_level != y->first_level) {
        return x->first_level < y->first_level ? -1 : 1;
    }
    return x->request < y->request ? -1 : x->request > y->request;
}

static bool levels_intersect(const arena_request *a, const arena_request *b)
{
    return a->first_level <= b->last_level && b->first_level <= a->last_level;
}

/* `placed` lists the items that have their offset, by ascending offset. */
static uint64_t lowest_offset(const arena_request *requests, const item *placed,
                              size_t placed_count, const item *it)
{
    uint64_t offset = 0;
    for (size_t i = 0; i < placed_count; i++) {
        const arena_request *other = &requests[placed[i].request];
        if (!levels_intersect(other, &requests[it->request])) {
            continue;
        }
        if (other->offset >= offset + it->words) {
            break; /* it fits below this one, and those after it lie higher still */
        }
        uint64_t end = other->offset + placed[i].words;
        offset = end > offset ? end : offset;
    }
    return offset;
}

static void insert_placed(const arena_request *requests, item *placed, size_t placed_count, item it)
{
    size_t low = 0, high = placed_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (requests[placed[middle].request].offset <= requests[it.request].offset) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    memmove(&placed[low + 1], &placed[low], (placed_count - low) * sizeof *placed);
    placed[low] = it;
}

static status check_requests(const arena_request *requests, size_t count, item *items, error *err)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        const arena_request *r = &requests[i];
        if (r->first_level > r->last_level) {
            return error_set(err, STATUS_ARGUMENT, "arena request %zu: levels %u to %u", i,
                             (unsigned)r->first_level, (unsigned)r->last_level);
        }
        if (r->words > UINT64_MAX - PLAN_ALIGN_WORDS) {
            return error_set(err, STATUS_LIMIT, "arena request %zu is too large", i);
        }
        uint64_t words = (r->words + PLAN_ALIGN_WORDS - 1) / PLAN_ALIGN_WORDS * PLAN_ALIGN_WORDS;
        if (sum > UINT64_MAX - words) {
            return error_set(err, STATUS_LIMIT, "the arena requests add up to more than 64 bits");
        }
        sum += words;
        items[i] = (item){.words = words, .request = i, .first_level = r->first_level};
    }
    return STATUS_OK;
}

status arena_place(const allocator *a, arena_request *requests, size_t count, uint64_t *total,
                   error *err)
{
    if (count == 0) {
        *total = 0;
        return STATUS_OK;
    }
    item *items = memory_allocate(a, count, sizeof *items);
    item *placed = memory_allocate(a, count, sizeof *placed);
    status s = STATUS_MEMORY;
    if (items && placed) {
        s = check_requests(requests, count, items, err);
    } else {
        (void)error_set(err, s, "out of memory while placing %zu buffers", count);
    }
    if (s == STATUS_OK) {
        uint64_t furthest = 0;
        qsort(items, count, sizeof *items, compare_items);
        for (size_t i = 0; i < count; i++) {
            uint64_t offset = lowest_offset(requests, placed, i, &items[i]);
            uint64_t end = offset + items[i].words;
            requests[items[i].request].offset = offset;
            insert_placed(requests, placed, i, items[i]);
            furthest = end > furthest ? end : furthest;
        }
        *total = furthest;
    }
    memory_release(a, items);
    memory_release(a, placed);
    return s;
}

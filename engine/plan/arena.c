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

/* What has its offset, listed by ascending offset; all that the search looks at lies in a row. */
typedef struct placed_item {
    uint64_t offset, end;
    uint32_t first_level, last_level;
} placed_item;

/* The lowest offset where `words` fit that live through the levels. */
static uint64_t lowest_offset(const placed_item *placed, size_t placed_count, uint64_t words,
                              uint32_t first_level, uint32_t last_level)
{
    uint64_t offset = 0;
    for (size_t i = 0; i < placed_count; i++) {
        const placed_item *other = &placed[i];
        if (other->first_level > last_level || other->last_level < first_level) {
            continue;
        }
        if (other->offset >= offset + words) {
            break; /* it fits below this one, and those after it lie higher still */
        }
        offset = other->end > offset ? other->end : offset;
    }
    return offset;
}

static void insert_placed(placed_item *placed, size_t placed_count, placed_item it)
{
    size_t low = 0, high = placed_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (placed[middle].offset <= it.offset) {
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
    placed_item *placed = memory_allocate(a, count, sizeof *placed);
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
            arena_request *r = &requests[items[i].request];
            r->offset = lowest_offset(placed, i, items[i].words, r->first_level, r->last_level);
            const placed_item it = {r->offset, r->offset + items[i].words, r->first_level,
                                    r->last_level};
            insert_placed(placed, i, it);
            furthest = it.end > furthest ? it.end : furthest;
        }
        *total = furthest;
    }
    memory_release(a, items);
    memory_release(a, placed);
    return s;
}

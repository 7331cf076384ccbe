/* SPIR-V is a header of five words, then instructions, each of which begins with its length and its
 * number; what it defines comes before what uses it. So one walk suffices: an id's value is known
 * when an instruction wants it. */
#include "host/vulkan/specialize.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

enum { HEADER_WORDS = 5, HEADER_BOUND = 3 };
/* of the SPIR-V specification, those that the modules have */
enum {
    OP_TYPE_BOOL = 20,
    OP_CONSTANT_TRUE = 41,
    OP_CONSTANT_FALSE = 42,
    OP_CONSTANT = 43,
    OP_CONSTANT_COMPOSITE = 44,
    OP_SPEC_CONSTANT_TRUE = 48,
    OP_SPEC_CONSTANT_FALSE = 49,
    OP_SPEC_CONSTANT = 50,
    OP_SPEC_CONSTANT_COMPOSITE = 51,
    OP_SPEC_CONSTANT_OP = 52,
    OP_DECORATE = 71,
    OP_COMPOSITE_EXTRACT = 81,
    OP_IADD = 128,
    OP_ISUB = 130,
    OP_IMUL = 132,
    OP_UDIV = 134,
    OP_UMOD = 137,
    OP_LOGICAL_OR = 166,
    OP_LOGICAL_AND = 167,
    OP_LOGICAL_NOT = 168,
    OP_SELECT = 169,
    OP_IEQUAL = 170,
    OP_INOT_EQUAL = 171,
    OP_UGREATER_THAN = 172,
    OP_UGREATER_THAN_EQUAL = 174,
    OP_ULESS_THAN = 176,
    OP_ULESS_THAN_EQUAL = 178,
    OP_SHIFT_RIGHT_LOGICAL = 194,
    OP_SHIFT_LEFT_LOGICAL = 196,
    OP_BITWISE_OR = 197,
    OP_BITWISE_AND = 199,
};
enum { DECORATION_SPEC_ID = 1 };

typedef struct rewriter {
    uint32_t *out;
    size_t length;
    uint32_t *defined;  /* by id: where in `out` a type or constant is, 0 elsewhere */
    uint32_t *constant; /* by id: the number of a specialization constant and 1, 0 elsewhere */
    const uint32_t *values;
    uint32_t count;
} rewriter;

static uint32_t instruction(uint32_t op, uint32_t words)
{
    return words << 16 | op;
}

static uint32_t op_of(const uint32_t *at)
{
    return *at & 0xffffu;
}

/* Appends an instruction, and remembers the id that it defines (0: none). */
static void append(rewriter *r, const uint32_t *words, size_t count, uint32_t id)
{
    memcpy(r->out + r->length, words, count * sizeof *words);
    if (id) {
        r->defined[id] = (uint32_t)r->length;
    }
    r->length += count;
}

/* a bool, or a number of one word */
static bool value_of(const rewriter *r, uint32_t id, uint32_t *value)
{
    const uint32_t *at = r->out + r->defined[id];
    const bool number = *at == instruction(OP_CONSTANT, 4);
    *value = number ? at[3] : op_of(at) == OP_CONSTANT_TRUE;
    return r->defined[id] &&
           (number || op_of(at) == OP_CONSTANT_TRUE || op_of(at) == OP_CONSTANT_FALSE);
}

/* a condition: a bool, or several that are one and the same */
static bool condition_of(const rewriter *r, uint32_t id, uint32_t *value)
{
    const uint32_t *at = r->out + r->defined[id];
    const uint32_t words = *at >> 16;
    if (!r->defined[id] || op_of(at) != OP_CONSTANT_COMPOSITE) {
        return value_of(r, id, value);
    }
    for (uint32_t i = 4; i < words; i++) {
        if (at[i] != at[3]) {
            return false;
        }
    }
    return value_of(r, at[3], value);
}

static void append_value(rewriter *r, uint32_t type, uint32_t id, uint32_t value)
{
    if (op_of(r->out + r->defined[type]) == OP_TYPE_BOOL) {
        const uint32_t op = value ? OP_CONSTANT_TRUE : OP_CONSTANT_FALSE;
        append(r, (uint32_t[]){instruction(op, 3), type, id}, 3, id);
    } else {
        append(r, (uint32_t[]){instruction(OP_CONSTANT, 4), type, id, value}, 4, id);
    }
}

/* the same constant under another id */
static void append_copy(rewriter *r, uint32_t id, uint32_t of)
{
    const uint32_t *at = r->out + r->defined[of];
    const size_t begin = r->length;
    append(r, at, *at >> 16, id);
    r->out[begin + 2] = id;
}

static bool compute(uint32_t op, uint32_t a, uint32_t b, uint32_t *out)
{
    const bool divides = op == OP_UDIV || op == OP_UMOD;
    const bool shifts = op == OP_SHIFT_RIGHT_LOGICAL || op == OP_SHIFT_LEFT_LOGICAL;
    if ((divides && b == 0) || (shifts && b > 31)) {
        return false;
    }
    switch (op) {
    case OP_IADD:
        *out = a + b;
        return true;
    case OP_ISUB:
        *out = a - b;
        return true;
    case OP_IMUL:
        *out = a * b;
        return true;
    case OP_UDIV:
        *out = a / b;
        return true;
    case OP_UMOD:
        *out = a % b;
        return true;
    case OP_LOGICAL_OR:
    case OP_BITWISE_OR:
        *out = a | b;
        return true;
    case OP_LOGICAL_AND:
    case OP_BITWISE_AND:
        *out = a & b;
        return true;
    case OP_LOGICAL_NOT:
        *out = !a;
        return true;
    case OP_IEQUAL:
        *out = a == b;
        return true;
    case OP_INOT_EQUAL:
        *out = a != b;
        return true;
    case OP_UGREATER_THAN:
        *out = a > b;
        return true;
    case OP_UGREATER_THAN_EQUAL:
        *out = a >= b;
        return true;
    case OP_ULESS_THAN:
        *out = a < b;
        return true;
    case OP_ULESS_THAN_EQUAL:
        *out = a <= b;
        return true;
    case OP_SHIFT_RIGHT_LOGICAL:
        *out = a >> b;
        return true;
    case OP_SHIFT_LEFT_LOGICAL:
        *out = a << b;
        return true;
    default:
        return false;
    }
}

/* type, id, operation, operands. False: it stays as it is, which is as correct. */
static bool append_computed(rewriter *r, const uint32_t *at, uint32_t words)
{
    const uint32_t type = at[1], id = at[2], op = at[3];
    uint32_t first, second, value;
    if (op == OP_COMPOSITE_EXTRACT && words == 6) {
        const uint32_t *from = r->out + r->defined[at[4]];
        if (op_of(from) != OP_CONSTANT_COMPOSITE || !r->defined[at[4]] ||
            !r->defined[from[3 + at[5]]]) {
            return false;
        }
        append_copy(r, id, from[3 + at[5]]);
        return true;
    }
    if (op == OP_SELECT) {
        const bool known = condition_of(r, at[4], &first);
        const uint32_t chosen = known && first ? at[5] : at[6];
        if (!known || !r->defined[chosen]) {
            return false;
        }
        append_copy(r, id, chosen);
        return true;
    }
    if (!value_of(r, at[4], &first) || !value_of(r, at[words - 1], &second) ||
        !compute(op, first, second, &value)) {
        return false;
    }
    append_value(r, type, id, value);
    return true;
}

/* A specialization constant: the value that was given, or the default, which is `own`. */
static void append_given(rewriter *r, uint32_t type, uint32_t id, uint32_t own)
{
    const uint32_t number = r->constant[id];
    append_value(r, type, id, number && number <= r->count ? r->values[number - 1] : own);
}

static void rewrite(rewriter *r, const uint32_t *at, uint32_t words)
{
    switch (op_of(at)) {
    case OP_DECORATE:
        if (at[2] == DECORATION_SPEC_ID) {
            r->constant[at[1]] = at[3] + 1;
        } else {
            append(r, at, words, 0);
        }
        break;
    case OP_TYPE_BOOL:
        append(r, at, words, at[1]);
        break;
    case OP_SPEC_CONSTANT_TRUE:
    case OP_SPEC_CONSTANT_FALSE:
        append_given(r, at[1], at[2], op_of(at) == OP_SPEC_CONSTANT_TRUE);
        break;
    case OP_SPEC_CONSTANT:
        assert(words == 4); /* 32 bits, as all that the plan knows */
        append_given(r, at[1], at[2], at[3]);
        break;
    case OP_SPEC_CONSTANT_COMPOSITE:
        append(r, at, words, at[2]);
        r->out[r->defined[at[2]]] = instruction(OP_CONSTANT_COMPOSITE, words);
        break;
    case OP_SPEC_CONSTANT_OP:
        if (!append_computed(r, at, words)) {
            append(r, at, words, 0);
        }
        break;
    case OP_CONSTANT_TRUE:
    case OP_CONSTANT_FALSE:
    case OP_CONSTANT:
    case OP_CONSTANT_COMPOSITE:
        append(r, at, words, at[2]);
        break;
    default:
        append(r, at, words, 0);
        break;
    }
}

uint32_t *specialize(const allocator *a, const shader *module, const uint32_t *values,
                     uint32_t count, size_t *bytes)
{
    const size_t length = module->code_bytes / sizeof(uint32_t);
    const uint32_t bound = module->code[HEADER_BOUND];
    /* nothing grows but a chosen composite in place of the choice: by what is chosen */
    rewriter r = {.out = memory_allocate(a, 2 * length, sizeof(uint32_t)),
                  .defined = memory_allocate(a, bound, sizeof(uint32_t)),
                  .constant = memory_allocate(a, bound, sizeof(uint32_t)),
                  .values = values,
                  .count = count};
    if (r.out && r.defined && r.constant) {
        append(&r, module->code, HEADER_WORDS, 0);
        for (size_t at = HEADER_WORDS; at < length; at += module->code[at] >> 16) {
            rewrite(&r, module->code + at, module->code[at] >> 16);
        }
        *bytes = r.length * sizeof(uint32_t);
    } else {
        memory_release(a, r.out);
        r.out = NULL;
    }
    memory_release(a, r.defined);
    memory_release(a, r.constant);
    return r.out;
}

/* Letters of the machine's fonts: fontconfig says which file covers the text, FreeType draws. */
#include "host/image/font.h"

#include <fontconfig/fontconfig.h>
#include <ft2build.h>
#include <pthread.h>
#include <string.h>

#include FT_FREETYPE_H

typedef struct installed {
    font base;
    FT_Library library;
    FT_Face face;
} installed;

/* --- which file: looked up once for a set of characters, as a folder of pictures asks for the same
 * few labels again and again --- */
enum { PATH_BYTES = 1024, CHOICES = 8 };

typedef struct choice {
    font_coverage needed;
    char path[PATH_BYTES]; /* empty: there is none */
    int index;
    bool complete;
} choice;

static struct {
    pthread_mutex_t lock;
    choice choices[CHOICES];
    size_t count, oldest;
} fonts = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* A font found by matching is only the best there is: says whether it has the characters. */
static bool font_has(FcPattern *found, const FcCharSet *wanted)
{
    FcCharSet *has = NULL;
    return FcPatternGetCharSet(found, FC_CHARSET, 0, &has) == FcResultMatch &&
           FcCharSetIsSubset(wanted, has);
}

static void take_font(FcPattern *found, const FcCharSet *wanted, choice *out)
{
    FcChar8 *path = NULL;
    int index = 0;
    if (FcPatternGetString(found, FC_FILE, 0, &path) != FcResultMatch ||
        strlen((const char *)path) >= sizeof out->path) {
        return;
    }
    (void)FcPatternGetInteger(found, FC_INDEX, 0, &index);
    memcpy(out->path, path, strlen((const char *)path) + 1);
    out->index = index & 0xffff; /* the upper half would pick a variation */
    out->complete = font_has(found, wanted);
}

static void find_font(FcConfig *config, const font_coverage *needed, choice *out)
{
    FcPattern *pattern = FcPatternCreate(), *found = NULL;
    FcCharSet *ascii = FcCharSetCreate(), *wanted = FcCharSetCreate();
    FcBool good = pattern && ascii && wanted;
    for (FcChar32 point = 0x21; point < 0x7f; point++) {
        good = good && FcCharSetAddChar(ascii, point);
    }
    good = good && FcCharSetMerge(wanted, ascii, NULL);
    for (size_t n = 0; n < needed->count; n++) {
        good = good && FcCharSetAddChar(wanted, needed->points[n]);
    }
    good = good && FcPatternAddCharSet(pattern, FC_CHARSET, wanted) &&
           FcPatternAddBool(pattern, FC_SCALABLE, FcTrue) &&
           FcPatternAddBool(pattern, FC_COLOR, FcFalse) &&
           FcPatternAddString(pattern, FC_FAMILY, (const FcChar8 *)"sans-serif") &&
           FcConfigSubstitute(config, pattern, FcMatchPattern);
    if (good) {
        FcResult result = FcResultNoMatch;
        FcDefaultSubstitute(pattern);
        found = FcFontMatch(config, pattern, &result);
    }
    if (found && font_has(found, ascii)) {
        take_font(found, wanted, out);
    }
    if (found) {
        FcPatternDestroy(found);
    }
    if (wanted) {
        FcCharSetDestroy(wanted);
    }
    if (ascii) {
        FcCharSetDestroy(ascii);
    }
    if (pattern) {
        FcPatternDestroy(pattern);
    }
}

static bool same_coverage(const font_coverage *a, const font_coverage *b)
{
    return a->count == b->count &&
           memcmp(a->points, b->points, a->count * sizeof a->points[0]) == 0;
}

static void choose_font(const font_coverage *needed, choice *out)
{
    (void)pthread_mutex_lock(&fonts.lock);
    const choice *known = NULL;
    for (size_t n = 0; n < fonts.count && !known; n++) {
        known = same_coverage(&fonts.choices[n].needed, needed) ? &fonts.choices[n] : NULL;
    }
    if (!known) {
        choice *slot = &fonts.choices[fonts.oldest];
        slot->needed = *needed;
        slot->path[0] = '\0';
        slot->complete = false;
        FcConfig *config = FcInitLoadConfigAndFonts();
        if (config) {
            find_font(config, needed, slot);
            FcConfigDestroy(config);
        }
        fonts.oldest = (fonts.oldest + 1) % CHOICES;
        fonts.count += fonts.count < CHOICES;
        known = slot;
    }
    memcpy(out->path, known->path, sizeof out->path);
    out->index = known->index;
    out->complete = known->complete;
    (void)pthread_mutex_unlock(&fonts.lock);
}

/* --- drawing. FreeType keeps memory of its own, as it follows a NULL from an allocator that
 * refuses (2.12) --- */
static status installed_glyph(font *base, uint32_t point, glyph *out, error *err)
{
    installed *f = (installed *)base;
    const FT_UInt index = FT_Get_Char_Index(f->face, point);
    const FT_Error code = FT_Load_Glyph(f->face, index, FT_LOAD_RENDER | FT_LOAD_TARGET_NORMAL);
    if (code == FT_Err_Out_Of_Memory) {
        return error_set(err, STATUS_MEMORY, "out of memory while drawing a label");
    }
    *out = (glyph){0};
    const FT_GlyphSlot slot = f->face->glyph;
    const FT_Bitmap *bitmap = &slot->bitmap;
    if (code || bitmap->pixel_mode != FT_PIXEL_MODE_GRAY || bitmap->num_grays != 256) {
        out->advance = f->base.ascent / 2; /* a glyph the font cannot draw leaves a gap */
        return STATUS_OK;
    }
    out->advance = (int)((slot->advance.x + 32) / 64);
    if (bitmap->pitch == (int)bitmap->width) { /* what the smooth renderer makes; else a gap */
        out->coverage = bitmap->buffer;
        out->width = (int)bitmap->width;
        out->height = (int)bitmap->rows;
        out->left = slot->bitmap_left;
        out->top = slot->bitmap_top;
    }
    return STATUS_OK;
}

static void installed_destroy(font *base)
{
    installed *f = (installed *)base;
    if (f->library) {
        (void)FT_Done_FreeType(f->library); /* and its faces */
    }
    const allocator a = base->alloc;
    memory_release(&a, f);
}

static const font_functions installed_functions = {installed_glyph, installed_destroy};

static FT_Error open_face(installed *f, const choice *chosen, uint32_t size)
{
    FT_Error code = FT_Init_FreeType(&f->library);
    if (!code) {
        code = FT_New_Face(f->library, chosen->path, chosen->index, &f->face);
    }
    return code ? code : FT_Set_Pixel_Sizes(f->face, 0, size);
}

status font_installed_create(const allocator *a, const font_coverage *needed, uint32_t size,
                             font **out, error *err)
{
    choice chosen;
    choose_font(needed, &chosen);
    if (!chosen.path[0]) {
        return STATUS_OK;
    }
    installed *f = memory_allocate(a, 1, sizeof *f);
    if (!f) {
        return error_set(err, STATUS_MEMORY, "out of memory while opening a font");
    }
    f->base.call = &installed_functions;
    f->base.alloc = *a;
    f->base.complete = chosen.complete;
    const FT_Error code = open_face(f, &chosen, size);
    if (code) { /* a file that cannot be used is as good as none */
        installed_destroy(&f->base);
        return code == FT_Err_Out_Of_Memory
                   ? error_set(err, STATUS_MEMORY, "out of memory while opening font %s",
                               chosen.path)
                   : STATUS_OK;
    }
    const FT_Size_Metrics *metrics = &f->face->size->metrics;
    f->base.ascent = (int)((metrics->ascender + 63) / 64);
    f->base.descent = (int)((63 - metrics->descender) / 64);
    *out = &f->base;
    return STATUS_OK;
}

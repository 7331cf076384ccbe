/* What the PNG decoder and the PNG encoder give to libpng alike: memory from a budget, and a way
 * out of errors. */
#ifndef HOST_IMAGE_PNG_SUPPORT_H
#define HOST_IMAGE_PNG_SUPPORT_H

#include "host/image/codec.h"

#include <png.h>
#include <setjmp.h>

/* libpng's error pointer and its memory pointer are both one of these. */
typedef struct png_base {
    jmp_buf escape; /* set by whoever calls the library; errors jump there */
    budget memory;
    char message[160]; /* of the last error */
} png_base;

/* Callbacks for png_create_read_struct_2 and png_create_write_struct_2. */
void png_base_error(png_structp png, png_const_charp message);
void png_base_warning(png_structp png, png_const_charp message); /* says nothing */
png_voidp png_base_allocate(png_structp png, png_alloc_size_t size);
void png_base_release(png_structp png, png_voidp memory);

#endif

/* Callbacks of libpng. */
#include "host/image/png_support.h"

#include <stdio.h>

void png_base_error(png_structp png, png_const_charp message)
{
    png_base *base = png_get_error_ptr(png);
    (void)snprintf(base->message, sizeof base->message, "%s", message);
    longjmp(base->escape, 1);
}

void png_base_warning(png_structp png, png_const_charp message)
{
    (void)png;
    (void)message;
}

png_voidp png_base_allocate(png_structp png, png_alloc_size_t size)
{
    png_base *base = png_get_mem_ptr(png);
    return budget_allocate(&base->memory, size);
}

void png_base_release(png_structp png, png_voidp memory)
{
    png_base *base = png_get_mem_ptr(png);
    budget_release(&base->memory, memory);
}

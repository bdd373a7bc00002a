/*
 * Runs the reader of clients/c for a test. From standard input it takes cases, to standard output it
 * writes what the reader did with them; all numbers have 4 bytes, little endian:
 *
 *   length of the map, map, length of the old image, old image, number of reads, offset and length of each
 *   result and length of the map; for each read its result and, if that is 0, the bytes
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "starling_view.h"

struct image {
    const uint8_t *bytes;
    uint32_t size;
};

/* What the reader must never do ends the program. */
static int flash(void *context, uint32_t offset, uint8_t *buffer, uint32_t length)
{
    const struct image *image = context;
    if (offset > image->size || length > image->size - offset || length > 44u) {
        fprintf(stderr, "read of %u bytes at %u of %u\n", (unsigned)length, (unsigned)offset, (unsigned)image->size);
        exit(3);
    }
    memcpy(buffer, image->bytes + offset, length);
    return 0;
}

static int number(uint32_t *v)
{
    uint8_t b[4];
    if (fread(b, 1, 4, stdin) != 4) {
        return 0;
    }
    *v = (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
    return 1;
}

static void answer(uint32_t v)
{
    uint8_t b[4] = {(uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16), (uint8_t)(v >> 24)};
    fwrite(b, 1, 4, stdout);
}

/* A block of its very size, so that a checker of memory sees a step beyond it. */
static uint8_t *block(uint32_t *length)
{
    uint8_t *b;
    if (!number(length)) {
        return NULL;
    }
    b = malloc(*length > 0 ? *length : 1);
    if (b == NULL || fread(b, 1, *length, stdin) != *length) {
        exit(2);
    }
    return b;
}

int main(void)
{
    uint32_t map_length;
    uint8_t *map;
    while ((map = block(&map_length)) != NULL) {
        struct image image;
        uint8_t *old = block(&image.size);
        uint32_t reads, used;
        starling_view view;
        image.bytes = old;
        if (old == NULL || !number(&reads)) {
            exit(2);
        }
        answer((uint32_t)starling_view_open(&view, map, map_length, &used, flash, &image, image.size));
        answer(used);
        while (reads-- > 0) {
            uint32_t offset, length;
            uint8_t *buffer;
            int result;
            if (!number(&offset) || !number(&length)) {
                exit(2);
            }
            buffer = malloc(length > 0 && length < 1u << 24 ? length : 1);
            result = buffer == NULL ? -1 : starling_view_read(&view, offset, buffer, length);
            answer((uint32_t)result);
            if (result == STARLING_VIEW_OK) {
                fwrite(buffer, 1, length, stdout);
            }
            free(buffer);
        }
        fflush(stdout); /* whoever asks waits for this answer */
        free(old);
        free(map);
    }
    return 0;
}

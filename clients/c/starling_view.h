/*
 * The relocated view of an image in flash, for devices.
 *
 * A patch for the relocated view begins with a map: what has moved between the image
 * that runs and the one that the patch makes. This reader stands between flash and the
 * decoder of the patch and shows the old image as if everything had moved already:
 *
 *     flash --> starling_view_read --> read callback of the decoder --> new image
 *
 * The decoder (HPatchLite, detools, any other with a read callback for the old image) needs
 * no change. The format of the map is in docs/delta.md.
 *
 * Portable C99: no allocation, no recursion, no global state, no other header than
 * <stdint.h>. 180 bytes of RAM for a view, and about 330 of stack.
 *
 * VERIFY THE SIGNATURE OF THE PATCH, MAP INCLUDED, BEFORE YOU OPEN A VIEW. A hostile map cannot
 * make the reader leave the image, the map or the caller's buffer, but it can make it
 * show any image.
 */
#ifndef STARLING_VIEW_H
#define STARLING_VIEW_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Results. */
#define STARLING_VIEW_OK 0
#define STARLING_VIEW_SHORT 1    /* the map is cut off */
#define STARLING_VIEW_UNKNOWN 2  /* the map is of another version */
#define STARLING_VIEW_RANGE 3    /* a value of the map, or a read, is out of range */
#define STARLING_VIEW_READ 4     /* the callback has returned something else than 0 */

/*
 * Reads length bytes of the old image from offset on into buffer; returns 0 if it has. Never
 * called for anything outside of the image, nor for more than 44 bytes.
 */
typedef int (*starling_view_flash)(void *context, uint32_t offset, uint8_t *buffer, uint32_t length);

/* What is left of a map, and the first error; after it, everything reads as 0. Private. */
typedef struct {
    const uint8_t *at;
    uint32_t left;
    int result;
} starling_view_map;

/* A list of segments of the map, and where in it the last look-up ended. Private. */
typedef struct {
    starling_view_map first; /* at the first segment */
    starling_view_map next;  /* at the first segment that the look-up has not seen */
    uint32_t count;          /* segments */
    uint32_t left;           /* segments from next on */
    uint32_t from;           /* addresses from here */
    uint32_t to;             /* up to here, or to the end if no segment is left, */
    uint32_t delta;          /* have moved by this, modulo 2^32 */
    uint32_t change;         /* and those from there on by this in addition */
    uint32_t units;          /* shift of deltas in bits 7..4, of starts in bits 3..0 */
} starling_view_list;

/* A view. Private: use the functions. It refers to the map, which must stay where it is. */
typedef struct {
    starling_view_flash flash;
    void *context;
    uint32_t size;
    uint32_t flash_base;
    uint32_t ram_base;
    uint32_t ram_size;
    starling_view_list sites;   /* F, looked up for sites, which ascend as a rule */
    starling_view_list targets; /* F, looked up for what they refer to */
    starling_view_list ram;     /* R */
} starling_view;

/*
 * Checks the map at the beginning of the length bytes at map, and opens the view of an old
 * image of size bytes, at most 2^31 - 1. *used is set to the length of the map: there the patch
 * begins.
 */
int starling_view_open(starling_view *view, const uint8_t *map, uint32_t length, uint32_t *used,
                       starling_view_flash flash, void *context, uint32_t size);

/*
 * Reads length bytes of the view from offset on into buffer. It returns STARLING_VIEW_RANGE for
 * anything outside of the image. From flash it reads the words that are touched, 8 bytes before them
 * and 4 bytes after them: in place, 11 bytes more than the decoder asks for have to be intact.
 */
int starling_view_read(starling_view *view, uint32_t offset, uint8_t *buffer, uint32_t length);

#ifdef __cplusplus
}
#endif

#endif

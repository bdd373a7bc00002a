#include "starling_view.h"

/* Version of the map, in bits 7..4 of its first byte, and bit 0: there is a list for RAM. */
#define MAP_VERSION 0x10u
#define MAP_HAS_RAM 0x01u

/* Around a word, these many bytes say what is a site in it. */
#define BEFORE 8u
#define AFTER 4u
#define WORDS_AT_ONCE 8u
#define HALVES ((BEFORE / 2u) + (2u * WORDS_AT_ONCE) + (AFTER / 2u)) /* not more than 32 */

/* ---- the map ------------------------------------------------------------------- */

static void fail(starling_view_map *p, int result)
{
    if (p->result == STARLING_VIEW_OK) {
        p->result = result;
    }
}

static uint32_t parse_byte(starling_view_map *p)
{
    uint32_t v = 0u;
    if (p->result == STARLING_VIEW_OK) {
        if (p->left == 0u) {
            fail(p, STARLING_VIEW_SHORT);
        } else {
            v = *p->at;
            p->at++;
            p->left--;
        }
    }
    return v;
}

/* At most 32 bits, in no more bytes than they need. */
static uint32_t parse_varint(starling_view_map *p)
{
    uint32_t v = 0u;
    uint32_t shift = 0u;
    uint32_t c;
    do {
        c = parse_byte(p);
        if ((shift == 28u) && (c > 0x0Fu)) {
            fail(p, STARLING_VIEW_RANGE);
        }
        v |= (c & 0x7Fu) << shift;
        shift += 7u;
    } while (((c & 0x80u) != 0u) && (shift < 35u));
    if ((c == 0u) && (shift > 7u)) {
        fail(p, STARLING_VIEW_RANGE);
    }
    return (p->result == STARLING_VIEW_OK) ? v : 0u;
}

/* Whether v has bits that v * 2^shift has no room for. */
static int overflows(uint32_t v, uint32_t shift)
{
    return ((shift > 0u) && ((v >> (32u - shift)) != 0u)) ? 1 : 0;
}

static uint32_t parse_base(starling_view_map *p)
{
    uint32_t shift = parse_byte(p);
    uint32_t odd = parse_varint(p);
    if ((shift > 31u) || (overflows(odd, shift) != 0) || (((odd & 1u) == 0u) && ((odd | shift) != 0u))) {
        fail(p, STARLING_VIEW_RANGE);
        shift = 0u;
    }
    return odd << shift;
}

/* 0, 1, 2, 3, ... stand for 0, -1, 1, -2, ..., modulo 2^32. */
static uint32_t unzigzag(uint32_t v)
{
    return (v >> 1) ^ (0u - (v & 1u));
}

/* Whether all bits below 2^shift of a union of numbers are 0, and bit shift is not. */
static int is_unit(uint32_t sum, uint32_t shift)
{
    uint32_t units = sum >> shift;
    return (((units << shift) == sum) && (((units & 1u) != 0u) || (shift == 15u))) ? 1 : 0;
}

static void rewind_list(starling_view_list *l)
{
    l->next = l->first;
    l->left = l->count;
    l->from = 0u;
    l->to = 0u;
    l->delta = 0u;
    l->change = 0u;
}

/* Reads the segment that begins where the look-up ended. */
static void next_segment(starling_view_list *l)
{
    uint32_t starts = l->units & 0x0Fu;
    uint32_t deltas = l->units >> 4;
    uint32_t step = parse_varint(&l->next);
    uint32_t change = parse_varint(&l->next);
    if ((overflows(step, starts) != 0) || (overflows(change, deltas) != 0) || (change == 0u)) {
        fail(&l->next, STARLING_VIEW_RANGE);
    }
    l->to += step << starts;
    l->change = unzigzag(change) << deltas;
    l->left--;
}

/* Sets l up and checks all segments. */
static void parse_list(starling_view_map *p, starling_view_list *l)
{
    uint32_t before = 0u;
    uint32_t starts = 0u;
    uint32_t deltas = 0u;
    uint32_t delta = 0u;
    l->count = parse_varint(p);
    l->units = (l->count > 0u) ? parse_byte(p) : 0u;
    if (l->count > (p->left / 2u)) {
        fail(p, STARLING_VIEW_SHORT);
        l->count = 0u;
    }
    l->first = *p;
    rewind_list(l);
    while ((l->left > 0u) && (l->next.result == STARLING_VIEW_OK)) {
        next_segment(l);
        if ((l->to < before) || ((l->to == before) && ((l->left + 1u) < l->count))) {
            fail(&l->next, STARLING_VIEW_RANGE);
        }
        before = l->to;
        delta += l->change;
        starts |= before;
        deltas |= delta;
    }
    if ((l->count > 0u) && ((is_unit(starts, l->units & 0x0Fu) == 0) || (is_unit(deltas, l->units >> 4) == 0))) {
        fail(&l->next, STARLING_VIEW_RANGE);
    }
    *p = l->next;
    rewind_list(l);
}

/* By how much the address has moved, modulo 2^32. */
static uint32_t look_up(starling_view_list *l, uint32_t address)
{
    if (address < l->from) {
        rewind_list(l);
    }
    while ((address >= l->to)) {
        l->from = l->to;
        l->delta += l->change;
        l->change = 0u;
        if (l->left == 0u) {
            l->to = 0xFFFFFFFFu;
            break;
        }
        next_segment(l);
    }
    return l->delta;
}

int starling_view_open(starling_view *view, const uint8_t *map, uint32_t length, uint32_t *used,
                       starling_view_flash flash, void *context, uint32_t size)
{
    starling_view_map p;
    uint32_t first;
    p.at = map;
    p.left = length;
    p.result = STARLING_VIEW_OK;

    view->flash = flash;
    view->context = context;
    view->size = 0u; /* until the map is checked, there is nothing to read */
    view->ram_base = 0u;
    view->ram_size = 0u;
    view->ram.first = p;
    view->ram.count = 0u;
    rewind_list(&view->ram);

    first = parse_byte(&p);
    if ((p.result == STARLING_VIEW_OK) && ((first & ~MAP_HAS_RAM) != MAP_VERSION)) {
        fail(&p, STARLING_VIEW_UNKNOWN);
    }
    view->flash_base = parse_base(&p);
    parse_list(&p, &view->sites);
    if ((first & MAP_HAS_RAM) != 0u) {
        uint32_t units;
        view->ram_base = parse_base(&p);
        units = parse_varint(&p);
        parse_list(&p, &view->ram);
        if ((view->ram.count == 0u) || (units == 0u) || (units > 0x00FFFFFFu) ||
            (((view->ram_base >> 8) + units) > 0x01000000u) ||
            ((((view->ram_base >> 8) + units) == 0x01000000u) && ((view->ram_base & 0xFFu) != 0u))) {
            fail(&p, STARLING_VIEW_RANGE);
        }
        view->ram_size = units << 8;
    }
    if (((view->flash_base & 3u) != 0u) || (size > 0x7FFFFFFFu)) {
        fail(&p, STARLING_VIEW_RANGE);
    }
    view->targets = view->sites;
    *used = length - p.left;
    if (p.result == STARLING_VIEW_OK) {
        view->size = size;
    }
    return p.result;
}

/* ---- sites ------------------------------------------------------------------- */

/* A part of the image: halfwords, and one bit for each that says what it is. */
typedef struct {
    uint32_t h[HALVES];
    uint32_t starts; /* begins a branch */
    uint32_t shorts; /* may be a short instruction: does not look like the second half of another one */
} part;

/* Sets the bits of p, from the first three halfwords on. */
static void mark(part *p)
{
    uint32_t branches = 0u;   /* BL or B.W, to look at */
    uint32_t arithmetic = 0u; /* shift by a register, extension, multiplication, division: their second halves look
                                 like the first ones of branches */
    uint32_t wide = 0u;       /* begins an instruction of 32 bits, or is the second half of one */
    uint32_t bit = 1u;
    uint32_t k;
    for (k = 0u; (k + 1u) < HALVES; k++) {
        uint32_t h = p->h[k];
        if (((h & 0xF800u) == 0xF000u) && ((p->h[k + 1u] & 0x9000u) == 0x9000u)) {
            branches |= bit;
        }
        if ((h & 0xFE00u) == 0xFA00u) {
            arithmetic |= bit;
        }
        if (h >= 0xE800u) {
            wide |= bit;
        }
        bit <<= 1;
    }
    /* Behind such a beginning there is a branch only if that is the second half of one itself. Where two would
     * overlap otherwise, it is the first. */
    p->starts = branches & (((arithmetic << 1) & (branches << 2) & ~(arithmetic << 3)) |
                            (~(arithmetic << 1) & (~(branches << 1) | (arithmetic << 2))));
    p->shorts = ~(wide << 1) | (branches << 2);
}

/* The branch at halfword k, which is that of the offset site, first half in the low bits. */
static uint32_t move_branch(starling_view *v, const part *p, uint32_t k, uint32_t site)
{
    uint32_t h1 = p->h[k];
    uint32_t h2 = p->h[k + 1u];
    uint32_t s = (h1 >> 10) & 1u;
    uint32_t i1 = ((h2 >> 13) ^ s ^ 1u) & 1u;
    uint32_t i2 = ((h2 >> 11) ^ s ^ 1u) & 1u;
    uint32_t d = (s << 24) | (i1 << 23) | (i2 << 22) | ((h1 & 0x3FFu) << 12) | ((h2 & 0x7FFu) << 1);
    uint32_t target = site + 4u + (d | (0u - (s << 24)));
    if (target < v->size) {
        d += look_up(&v->targets, target) - look_up(&v->sites, site);
        s = (d >> 24) & 1u;
        i1 = ((d >> 23) ^ s ^ 1u) & 1u;
        i2 = ((d >> 22) ^ s ^ 1u) & 1u;
        h1 = (h1 & 0xF800u) | (s << 10) | ((d >> 12) & 0x3FFu);
        h2 = (h2 & 0xD000u) | (i1 << 13) | (i2 << 11) | ((d >> 1) & 0x7FFu);
    }
    return h1 | (h2 << 16);
}

/* Numbers of n bits with a sign, modulo 2^32. */
static uint32_t extend(uint32_t v, uint32_t n)
{
    uint32_t sign = (uint32_t)1u << (n - 1u);
    return (v ^ sign) - sign;
}

/* The 16-bit instruction h at the offset site: LDR from a pool, B<cond>, B, CBZ or CBNZ; any other stays
 * as it is. */
static uint32_t move_short(starling_view *v, uint32_t h, uint32_t site)
{
    uint32_t pc = site + 4u;
    uint32_t mask = 0u; /* the bits that say where to */
    uint32_t target = 0u;
    uint32_t result = h;
    if ((h & 0xF800u) == 0x4800u) {
        mask = 0x00FFu;
        target = (pc & ~(uint32_t)3u) + ((h & 0xFFu) << 2);
    } else if (((h & 0xF000u) == 0xD000u) && ((h & 0x0E00u) != 0x0E00u)) {
        mask = 0x00FFu;
        target = pc + (extend(h & 0xFFu, 8u) << 1);
    } else if ((h & 0xF800u) == 0xE000u) {
        mask = 0x07FFu;
        target = pc + (extend(h & 0x7FFu, 11u) << 1);
    } else if ((h & 0xF500u) == 0xB100u) {
        mask = 0x02F8u;
        target = pc + (((h >> 3) & 0x40u) | ((h >> 2) & 0x3Eu));
    } else {
        mask = 0u;
    }
    if ((mask != 0u) && (target < v->size)) {
        uint32_t moved = pc + look_up(&v->sites, site);
        uint32_t d = target + look_up(&v->targets, target);
        if ((h & 0xF800u) == 0x4800u) {
            d = (d - (moved & ~(uint32_t)3u)) >> 2;
        } else if (mask == 0x02F8u) {
            d -= moved;
            d = ((d & 0x40u) << 3) | ((d & 0x3Eu) << 2);
        } else {
            d = (d - moved) >> 1;
        }
        result = (h & ~mask) | (d & mask);
    }
    return result;
}

/* The halfword k, which is that of the offset site and in no pointer. */
static uint32_t move_half(starling_view *v, const part *p, uint32_t k, uint32_t site)
{
    uint32_t h = p->h[k];
    uint32_t starts = p->starts >> (k - 1u); /* bit 0: the one before */
    if ((starts & 2u) != 0u) {
        h = move_branch(v, p, k, site) & 0xFFFFu;
    } else if ((starts & 1u) != 0u) {
        h = move_branch(v, p, k - 1u, site - 2u) >> 16;
    } else if (((p->shorts >> k) & 1u) != 0u) {
        h = move_short(v, h, site);
    } else {
        /* It looks like the second half of an instruction. */
    }
    return h;
}

/* The word that begins with halfword k, which is that of the offset site. */
static uint32_t move_word(starling_view *v, const part *p, uint32_t k, uint32_t site)
{
    uint32_t high = p->h[k + 1u] << 16;
    uint32_t word = p->h[k] | high;
    uint32_t flash = word - v->flash_base;
    uint32_t ram = word - v->ram_base;
    int whole = ((((p->starts >> (k - 1u)) & 7u) == 0u) && (site < v->size) && ((v->size - site) >= 4u)) ? 1 : 0;
    if ((whole != 0) && (flash < v->size)) {
        word += look_up(&v->targets, flash);
    } else if ((whole != 0) && (ram < v->ram_size)) {
        word += look_up(&v->ram, ram);
    } else {
        word = move_half(v, p, k, site) | (move_half(v, p, k + 1u, site + 2u) << 16);
    }
    return word;
}

/* ---- reading ------------------------------------------------------------------ */

int starling_view_read(starling_view *view, uint32_t offset, uint8_t *buffer, uint32_t length)
{
    int result = STARLING_VIEW_OK;
    uint32_t done = 0u;
    if ((offset > view->size) || (length > (view->size - offset))) {
        result = STARLING_VIEW_RANGE;
    }
    while ((result == STARLING_VIEW_OK) && (done < length)) {
        uint8_t raw[2u * HALVES] = {0};                         /* outside of the image is zero, which is no branch */
        part p;
        uint32_t from = (offset + done) & ~(uint32_t)3u;         /* of the words */
        uint32_t skip = (offset + done) - from;                  /* bytes of the first that are not asked for */
        uint32_t words = ((length - done) + skip + 3u) / 4u;
        uint32_t first = (from < BEFORE) ? 0u : (from - BEFORE); /* of the bytes that are read */
        uint32_t room;
        uint32_t i;
        if (words > WORDS_AT_ONCE) {
            words = WORDS_AT_ONCE;
        }
        room = (from + (4u * words) + AFTER) - first;
        if (room > (view->size - first)) {
            room = view->size - first;
        }
        if (view->flash(view->context, first, &raw[(BEFORE + first) - from], room) != 0) {
            result = STARLING_VIEW_READ;
            words = 0u;
        }
        for (i = 0u; i < HALVES; i++) {
            p.h[i] = (uint32_t)raw[2u * i] | ((uint32_t)raw[(2u * i) + 1u] << 8);
        }
        mark(&p);
        for (i = 0u; i < words; i++) {
            uint32_t word = move_word(view, &p, (BEFORE / 2u) + (2u * i), from + (4u * i)) >> (8u * skip);
            while ((skip < 4u) && (done < length)) {
                buffer[done] = (uint8_t)(word & 0xFFu);
                word >>= 8;
                done++;
                skip++;
            }
            skip = 0u;
        }
    }
    return result;
}
